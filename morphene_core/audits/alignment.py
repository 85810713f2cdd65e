"""The latency of models that play block by block."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from morphene_core.audio.wav import SAMPLE_RATE, Mono

LONGEST_SECONDS = 1.5
"""More than the delays of a full RAVE v2's encoder and decoder together (1.12 s at 48 kHz)."""

_HOP = 48  # 1 ms


def latency(references: list[Mono], renders: list[Mono]) -> int:
    """Return by how many samples renders lie behind their references, to a millisecond.

    The lag at which the loudness envelopes agree most, over all pairs together; 0 where nothing
    agrees.

    Args:
        references: each of shape (samples,), 48 kHz.
        renders: what a model made of each.
    """
    longest = int(LONGEST_SECONDS * SAMPLE_RATE / _HOP)
    agreement = np.zeros(longest + 1)
    for reference, render in zip(references, renders, strict=True):
        a, b = _envelope(reference), _envelope(render)
        whole = correlate(b, a, "full")[len(a) - 1 :][: longest + 1]
        agreement[: len(whole)] += whole
    best = int(agreement.argmax())
    return best * _HOP if agreement[best] > 0 else 0


def _envelope(audio: Mono) -> NDArray[np.float64]:
    """Return the level over time, with mean 0 and power 1."""
    cells = np.square(audio[: len(audio) // _HOP * _HOP], dtype=np.float64).reshape(-1, _HOP)
    level = np.log(cells.mean(axis=1) + 1e-8)
    level -= level.mean()
    return np.asarray(level / max(float(np.linalg.norm(level)), 1e-9))
