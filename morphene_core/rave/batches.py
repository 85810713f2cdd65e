"""The batches of a training: which examples, in which order, from any step on."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rave.dataset
import soundfile
import torch
import yaml
from torch.utils.data import DataLoader, Dataset, Sampler

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.processes import die_with_parent
from morphene_core.profiles import LARGEST_RATIO, Profile
from morphene_core.rave.seeding import EXAMPLES, Key, generator, seed_everything


class _Examples(Dataset[Any]):
    """RAVE's dataset; an example and its augmentation follow from the step and its place in it."""

    def __init__(self, examples: Any) -> None:
        self._examples = examples
        # It was opened to count; LMDB must not be carried over a fork into the workers.
        examples._env.close()
        examples._env = None

    def __getitem__(self, key: Key) -> Any:
        *seed, index = key
        seed_everything(tuple(seed))
        return self._examples[index]


class _Order(Sampler[list[Key]]):
    """Draws with replacement, step by step, without end: the loop knows when to stop."""

    def __init__(self, count: int, batch_size: int, seed: Key, first_step: int) -> None:
        self._count, self._size, self._seed, self._first = count, batch_size, seed, first_step

    def __iter__(self) -> Iterator[list[Key]]:
        step = self._first
        while True:
            key = (*self._seed, EXAMPLES, step)
            indices = generator(key).integers(self._count, size=self._size)
            yield [(*key, place, int(index)) for place, index in enumerate(indices)]
            step += 1


def batches(dataset: Path, profile: Profile, seed: Key, first_step: int) -> Iterator[torch.Tensor]:
    """Return the batches of a training from a step on, (batch, 1, n_signal), without end.

    Args:
        dataset: RAVE dataset.
        profile: batch size, length of the examples, data-loading processes.
        seed: of the training.
        first_step: batches that were trained before.

    Raises:
        InputError: the dataset is too small, or its sample rate is another.
    """
    settings = profile.training
    rate = yaml.safe_load((dataset / "metadata.yaml").read_text(encoding="utf-8")).get("sr")
    if rate != SAMPLE_RATE:
        raise InputError(
            f"{dataset} has a sample rate of {rate} Hz, trainings take {SAMPLE_RATE} Hz:"
            " materialize `preprocessed_db` anew."
        )
    examples = rave.dataset.get_dataset(str(dataset), SAMPLE_RATE, settings.n_signal, n_channels=1)
    count = len(examples)
    if count < settings.batch_size:
        raise InputError(
            f"{dataset} has {count} entries, fewer than one batch of {settings.batch_size}"
            f" (profile {profile.name}). Add recordings, or lower batch_size."
        )
    loader = DataLoader(
        _Examples(examples),
        batch_sampler=_Order(count, settings.batch_size, seed, first_step),
        num_workers=settings.workers,
        worker_init_fn=_die_with_trainer,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def _die_with_trainer(_: int) -> None:
    # Forked from the trainer, it holds the trainer's lock, too: one that hangs would hold it on.
    die_with_parent(signal.SIGKILL)


def validation_windows(files: list[Path], profile: Profile) -> torch.Tensor:
    """Cut held-out audio into windows of shape (n, 1, n_signal); windows do not span files.

    Raises:
        InputError: there is too little of it for the latent PCA, or its sample rate is another.
    """
    length, windows = profile.training.n_signal, []
    for file in files:
        audio, rate = soundfile.read(file, dtype="float32")
        if rate != SAMPLE_RATE:
            raise InputError(f"{file} has {rate} Hz, not {SAMPLE_RATE}. Prepare it anew.")
        count = len(audio) // length
        windows.append(audio[: count * length].reshape(count, 1, length))
    validation = np.concatenate(windows) if windows else np.empty((0, 1, length), np.float32)
    frames = validation.size // LARGEST_RATIO
    if frames < profile.latent_size:
        # RAVE fits its latent PCA to these frames, and cannot with fewer than dimensions.
        raise InputError(
            f"The held-out audio gives {frames} latent frames; profile {profile.name} needs at"
            f" least {profile.latent_size}, in windows of {length / SAMPLE_RATE:.1f} s."
            " Add recordings."
        )
    return torch.from_numpy(validation)
