"""Randomness that follows from the step's number.

A generator whose state is carried from step to step has to be saved and restored in every process
that draws from it (training, data workers, NumPy, Python), and is disturbed by each validation.
Here every step, example and validation begins with a seed of its own, so that a resumed training
draws what the undisturbed one would have drawn, however often it was killed.
"""

import random

import numpy as np
import torch

EXAMPLES, STEP, VALIDATION, MODEL, RECEPTIVE_FIELD = range(5)
"""What is drawn: the examples of a batch and their augmentation, the noise of a step ..."""

Key = tuple[int, ...]


def generator(key: Key) -> np.random.Generator:
    """Return a generator of its own for a key."""
    return np.random.default_rng(key)


def seed_everything(key: Key) -> None:
    """Seed Python's, NumPy's and torch's global generators from a key."""
    state = np.random.SeedSequence(key).generate_state(3, np.uint32)
    random.seed(int(state[0]))
    np.random.seed(int(state[1]))
    torch.manual_seed(int(state[2]))
