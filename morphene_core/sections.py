"""What an exported model plays: two sources, and the way from one to the other."""

from pathlib import Path

import numpy as np

from morphene_core.audio.wav import Mono
from morphene_core.profiles import LARGEST_RATIO

SECTIONS = ("musical_recon", "nonmusical_recon", "morph_sweep")
"""The musical source through the model, the non-musical one, and the morph between them."""


def play_sections(model: Path, musical: Mono, nonmusical: Mono) -> dict[str, Mono]:
    """Play an exported model block by block.

    The sweep goes evenly from the musical latents to the non-musical ones.

    Args:
        model: the .ts.
        musical: shape (samples,), 48 kHz.
        nonmusical: likewise; the longer of both is cropped.

    Returns:
        Audio of shape (samples,), 48 kHz, by the names of SECTIONS, at the model's own level.
    """
    from morphene_core.playback import StreamingModel  # torch

    length = min(len(musical), len(nonmusical)) // LARGEST_RATIO * LARGEST_RATIO
    latents, played = [], []
    for audio in (musical[:length], nonmusical[:length]):
        latents.append(StreamingModel(model).play("encode", audio[None], LARGEST_RATIO))
        played.append(StreamingModel(model).play("decode", latents[-1], LARGEST_RATIO)[0])
    amount = np.linspace(0, 1, latents[0].shape[-1], dtype=np.float32)
    sweep = (1 - amount) * latents[0] + amount * latents[1]
    played.append(StreamingModel(model).play("decode", sweep, LARGEST_RATIO)[0])
    return dict(zip(SECTIONS, played, strict=True))
