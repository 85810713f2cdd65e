"""What an exported model plays: two sources, and the way from one to the other."""

from pathlib import Path

import numpy as np

from morphene_core.audio.wav import Mono
from morphene_core.profiles import LARGEST_RATIO
from morphene_core.realtime import play

SECTIONS = ("musical_recon", "nonmusical_recon", "morph_sweep")
"""The musical source through the model, the non-musical one, and the morph between them."""


def play_sections(model: Path, musical: Mono, nonmusical: Mono) -> dict[str, Mono]:
    """Play an exported model block by block, the same bytes each time.

    In the sweep the amount rises evenly from 0 (musical) to 1.

    Args:
        model: the .ts.
        musical: shape (samples,), 48 kHz.
        nonmusical: likewise; the longer of both is cropped.

    Returns:
        Audio of shape (samples,), 48 kHz, by the names of SECTIONS, at the model's own level.
    """
    length = min(len(musical), len(nonmusical)) // LARGEST_RATIO * LARGEST_RATIO
    sources = (musical[:length], nonmusical[:length])
    amount = np.linspace(0, 1, length, dtype=np.float32)
    heard = [play(model, "forward", source[None], LARGEST_RATIO) for source in sources]
    heard.append(play(model, "morph", np.stack([*sources, amount]), LARGEST_RATIO))
    return {name: audio[0] for name, audio in zip(SECTIONS, heard, strict=True)}
