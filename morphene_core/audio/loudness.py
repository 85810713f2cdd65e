"""Loudness and true peak after ITU-R BS.1770, of audio that comes block by block.

Loudness is kept as the K-weighted power of cells of 10 ms until the end. A recording session of
hours can so be measured file by file, and any trimmed part of it from the same cells.
"""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from pyloudnorm.iirfilter import IIRfilter
from scipy.signal import sosfilt

CELLS_PER_SECOND = 100

SILENT_PEAK = 2.0**-15
"""A peak up to one step of 16-bit audio (-90 dBFS) is dither, not sound."""

_BLOCK_CELLS = 40  # BS.1770: gating blocks of 400 ms ...
_HOP_CELLS = 10  # ... that overlap by 75 %
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691
_OVERSAMPLING = 4
_CHUNK = 1 << 19  # samples; bounded memory beside hours of audio

Audio = NDArray[np.floating[Any]]
Powers = NDArray[np.float64]


class CellPowers:
    """Mean squares of successive cells of mono audio.

    Args:
        cell: samples of a cell.
    """

    def __init__(self, cell: int) -> None:
        self._cell = cell
        self._rest: Powers = np.empty(0)
        self._powers: list[Powers] = []

    def feed(self, audio: Audio) -> None:
        """Take more audio, shape (samples,), full scale 1.0."""
        audio = np.concatenate([self._rest, audio])  # in double precision
        whole = len(audio) // self._cell * self._cell
        cells = audio[:whole].reshape(-1, self._cell)
        self._powers.append(np.einsum("ij,ij->i", cells, cells) / self._cell)
        self._rest = audio[whole:]

    def result(self) -> Powers:
        """Return the power of each cell, shape (cells,).

        An incomplete last cell is left out, unless it is the only one.
        """
        powers: Powers = np.concatenate([np.empty(0), *self._powers])
        if not len(powers) and len(self._rest):
            return np.array([np.mean(np.square(self._rest))])
        return powers


class KWeightedCells:
    """K-weighted powers of successive 10 ms of mono audio.

    The filters are pyloudnorm's: the two stages of BS.1770-4 annex 1 by their analogue parameters,
    valid at any sample rate. The cell is rounded to whole samples.

    Args:
        sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
        highpass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
        self._sections = np.array([[*stage.b, *stage.a] for stage in (shelf, highpass)])
        self._state = np.zeros((2, 2))
        self._cells = CellPowers(max(1, round(sample_rate / CELLS_PER_SECOND)))

    def feed(self, audio: Audio) -> None:
        """Take more audio, shape (samples,), full scale 1.0."""
        if len(audio):
            double = np.asarray(audio, np.float64)
            weighted, self._state = sosfilt(self._sections, double, zi=self._state)
            self._cells.feed(weighted)

    def result(self) -> Powers:
        """Return the weighted power of each cell, as `CellPowers.result`."""
        return self._cells.result()


class TruePeak:
    """The true peak of mono audio.

    Fourfold oversampling after ITU-R BS.1770-4 annex 2, whose method does not depend on the
    sample rate.
    """

    def __init__(self) -> None:
        self._stream = soxr.ResampleStream(1, _OVERSAMPLING, 1, dtype="float32", quality="HQ")
        self._peak = 0.0

    def feed(self, audio: Audio) -> None:
        """Take more audio, shape (samples,), full scale 1.0."""
        part = np.ascontiguousarray(audio, np.float32)
        self._take(part)
        self._take(self._stream.resample_chunk(part))

    def result(self) -> float:
        """Return the peak in dBTP, -inf for silence. Nothing may be fed any more."""
        self._take(self._stream.resample_chunk(np.empty(0, np.float32), last=True))
        return 20 * float(np.log10(self._peak)) if self._peak > 0 else -np.inf

    def _take(self, audio: Audio) -> None:
        self._peak = max(self._peak, float(audio.max(initial=0.0)), -float(audio.min(initial=0.0)))


def integrated_lufs(audio: Audio, sample_rate: int) -> float:
    """Return the gated loudness of mono audio in LUFS (ITU-R BS.1770-4), -inf for silence.

    A clip under 400 ms counts as one block of its own mean power, as if it were looped.

    Args:
        audio: shape (samples,), full scale 1.0.
        sample_rate: in Hz.
    """
    cells = KWeightedCells(sample_rate)
    for start in range(0, len(audio), _CHUNK):
        cells.feed(audio[start : start + _CHUNK])
    return gated_lufs(block_powers(cells.result()))


def true_peak_dbtp(audio: Audio) -> float:
    """Return the true peak of mono audio in dBTP, -inf for silence.

    Args:
        audio: shape (samples,), full scale 1.0.
    """
    peak = TruePeak()
    for start in range(0, len(audio), _CHUNK):
        peak.feed(audio[start : start + _CHUNK])
    return peak.result()


def level_dbfs(audio: Audio) -> float:
    """Return the RMS level of audio of any shape in dBFS, -200 for silence."""
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-20))


def block_powers(cells: Powers) -> Powers:
    """Return the power of each gating block (400 ms, 75 % overlap) from cells of 10 ms."""
    if not len(cells):
        return np.empty(0)
    if len(cells) < _BLOCK_CELLS:
        return np.array([cells.mean()])
    windows = np.lib.stride_tricks.sliding_window_view(cells, _BLOCK_CELLS)
    blocks: Powers = windows[::_HOP_CELLS].mean(axis=1)
    return blocks


def gated_lufs(blocks: Powers) -> float:
    """Return the loudness of gating blocks in LUFS, gated absolutely and relatively.

    Args:
        blocks: power of each block, shape (blocks,), of one or several recordings.
    """
    blocks = blocks[_lufs(blocks) >= _ABSOLUTE_GATE]
    if not len(blocks):
        return -np.inf
    threshold = float(_lufs(blocks.mean())) + _RELATIVE_GATE
    return float(_lufs(blocks[_lufs(blocks) > threshold].mean()))


def _lufs(power: Powers | np.float64) -> Powers:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET + 10 * np.log10(power))
