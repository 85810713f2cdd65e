"""Loudness and true peak after ITU-R BS.1770.

Loudness is kept as the K-weighted power of cells of 10 ms until the end. A recording session of
hours can so be measured file by file, and any trimmed part of it from the same cells.
"""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from pyloudnorm.iirfilter import IIRfilter
from scipy.signal import lfilter

CELLS_PER_SECOND = 100

_BLOCK_CELLS = 40  # BS.1770: gating blocks of 400 ms ...
_HOP_CELLS = 10  # ... that overlap by 75 %
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691
_CHUNK_SECONDS = 10
_OVERSAMPLING = 4


def integrated_lufs(audio: NDArray[np.floating[Any]], sample_rate: int) -> float:
    """Return the gated loudness of mono audio in LUFS (ITU-R BS.1770-4), -inf for silence.

    The K-weighting filters are pyloudnorm's. The block is rounded to whole samples per 10 ms. A
    clip under 400 ms counts as one block of its own mean power, as if it were looped.

    Args:
        audio: shape (samples,), full scale 1.0.
        sample_rate: in Hz.
    """
    return gated_lufs(block_powers(k_weighted_cells(audio, sample_rate)))


def level_dbfs(audio: NDArray[np.floating[Any]]) -> float:
    """Return the RMS level of audio of any shape in dBFS, -200 for silence."""
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-20))


def true_peak_dbtp(audio: NDArray[np.floating[Any]]) -> float:
    """Return the true peak of mono audio in dBTP, -inf for silence.

    Fourfold oversampling after ITU-R BS.1770-4 annex 2, whose method does not depend on the
    sample rate.

    Args:
        audio: shape (samples,), full scale 1.0.
    """
    stream = soxr.ResampleStream(1, _OVERSAMPLING, 1, dtype="float32", quality="HQ")
    chunk = _CHUNK_SECONDS * 48_000  # bounded memory for hours of audio
    peak = float(np.abs(audio).max(initial=0.0))
    for start in range(0, len(audio), chunk):
        part = np.ascontiguousarray(audio[start : start + chunk], np.float32)
        dense = stream.resample_chunk(part, last=start + chunk >= len(audio))
        peak = max(peak, float(np.abs(dense).max(initial=0.0)))
    return 20 * float(np.log10(peak)) if peak > 0 else -np.inf


def k_weighted_cells(audio: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    """Return the mean K-weighted power of each 10 ms of mono audio.

    Args:
        audio: shape (samples,), full scale 1.0.
        sample_rate: in Hz.

    Returns:
        Shape (cells,). An incomplete last cell is left out, unless it is the only one.
    """
    cell = max(1, round(sample_rate / CELLS_PER_SECOND))
    # The two stages of BS.1770-4 annex 1 by their analogue parameters, valid at any sample rate.
    stages = [
        IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass"),
    ]
    states = [np.zeros(2), np.zeros(2)]
    chunk = cell * CELLS_PER_SECOND * _CHUNK_SECONDS
    cells = [np.empty(0)]
    for start in range(0, len(audio), chunk):
        part = np.asarray(audio[start : start + chunk], np.float64)
        for i, stage in enumerate(stages):
            part, states[i] = lfilter(stage.b, stage.a, part, zi=states[i])
        cells.append(cell_powers(part, cell) if len(audio) >= cell else _mean_power(part))
    return np.concatenate(cells)


def cell_powers(audio: NDArray[np.floating[Any]], cell: int) -> NDArray[np.float64]:
    """Return the mean square of each complete run of ``cell`` samples, shape (cells,)."""
    whole = audio[: len(audio) // cell * cell].reshape(-1, cell)
    energies: NDArray[np.float64] = np.einsum("ij,ij->i", whole, whole, dtype=np.float64)
    return energies / cell


def block_powers(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power of each gating block (400 ms, 75 % overlap) from cells of 10 ms."""
    if not len(cells):
        return np.empty(0)
    if len(cells) < _BLOCK_CELLS:
        return np.array([cells.mean()])
    windows = np.lib.stride_tricks.sliding_window_view(cells, _BLOCK_CELLS)
    blocks: NDArray[np.float64] = windows[::_HOP_CELLS].mean(axis=1)
    return blocks


def gated_lufs(blocks: NDArray[np.float64]) -> float:
    """Return the loudness of gating blocks in LUFS, gated absolutely and relatively.

    Args:
        blocks: power of each block, shape (blocks,), of one or several recordings.
    """
    blocks = blocks[_lufs(blocks) >= _ABSOLUTE_GATE]
    if not len(blocks):
        return -np.inf
    threshold = float(_lufs(blocks.mean())) + _RELATIVE_GATE
    return float(_lufs(blocks[_lufs(blocks) > threshold].mean()))


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET + 10 * np.log10(power))


def _mean_power(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([np.mean(audio**2)])
