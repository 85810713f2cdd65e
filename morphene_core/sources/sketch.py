"""A sketch of a recording by which copies of it are suspected, whatever their format and level.

It has two parts, both in whole numbers: the long-term spectrum below 8 kHz, and the course of the
level during some seconds in the middle. The spectra of takes of one sound are alike, and there may
be thousands of these; their courses are not.
"""

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.longterm import LongTermSpectrum

BANDS = 24
CELLS = 180
CELL_SECONDS = 0.02
UNKNOWN = -1
"""The level of a band that is beyond half the sample rate."""

_LOWEST, _HIGHEST = 100.0, 7_600.0  # Hz
_REFERENCE = 3_200.0  # Hz: every file has the bands up to here, and they make the level
_FLOOR_DB = 50  # below the sum of the bands; what is deeper is noise, which formats change
_RATE = 8_000  # the course of the level is taken of what is below about 4 kHz
_CENTRES = np.geomspace(_LOWEST, _HIGHEST, BANDS + 2)
_COURSE_STEPS = 10  # per dB
_COURSE_LIMIT = 300


def sketch(spectrum: LongTermSpectrum, course: "Course") -> tuple[int, ...]:
    """Return the sketch of a recording: `BANDS` levels, then those of its course."""
    return (*band_levels(spectrum.power(), spectrum.hz_per_bin), *course.levels())


def band_levels(power: NDArray[np.float64], hz_per_bin: float) -> tuple[int, ...]:
    """Return the level of each band in dB above the floor, shape (BANDS,).

    Args:
        power: a long-term spectrum.
        hz_per_bin: distance of its bins.
    """
    hz = np.arange(len(power)) * hz_per_bin
    low, centre, high = _CENTRES[:-2, None], _CENTRES[1:-1, None], _CENTRES[2:, None]
    rising, falling = (hz - low) / (centre - low), (high - hz) / (high - centre)
    bands = np.clip(np.minimum(rising, falling), 0, None) @ power
    total = bands[_CENTRES[1:-1] <= _REFERENCE].sum()
    levels = _FLOOR_DB + 10 * np.log10(bands / max(total, 1e-30) + 1e-30)
    levels = np.clip(np.round(levels), 0, None)
    levels[_CENTRES[2:] > hz[-1]] = UNKNOWN
    return tuple(int(level) for level in levels)


class Course:
    """The level of mono audio that comes in blocks, every 20 ms."""

    def __init__(self, sample_rate: int) -> None:
        self._factor = max(1, round(sample_rate / _RATE))
        self._cell = sample_rate * CELL_SECONDS / self._factor
        self._rest = np.empty(0, np.float32)
        self._slow = np.empty(0, np.float32)
        self._done = 0
        self._energies: list[NDArray[np.float32]] = []

    def feed(self, mono: NDArray[np.float32]) -> None:
        """Take the next block, shape (samples,)."""
        audio = np.concatenate([self._rest, mono])
        whole = len(audio) // self._factor * self._factor
        self._rest = audio[whole:]
        means = audio[:whole].reshape(-1, self._factor).mean(axis=1)  # a coarse low-pass filter
        self._slow = np.concatenate([self._slow, means])
        start = round(self._done * self._cell)
        cells = int((start + len(self._slow)) / self._cell) - self._done
        if cells < 1:
            return
        edges = np.round((self._done + np.arange(cells + 1)) * self._cell).astype(int) - start
        self._energies.append(np.add.reduceat(self._slow[: edges[-1]] ** 2, edges[:-1]))
        self._slow = self._slow[edges[-1] :]
        self._done += cells

    def levels(self) -> tuple[int, ...]:
        """Return the levels of the cells around the middle in tenths of a dB, `CELLS` at most."""
        if not self._energies:
            return ()
        energies = np.concatenate(self._energies)
        start = max(0, (len(energies) - CELLS) // 2)
        part = energies[start : start + CELLS].astype(np.float64)
        levels = 10 * np.log10(part + max(part.max() * 1e-6, 1e-30))
        steps = np.round((levels - levels.mean()) * _COURSE_STEPS)
        return tuple(int(step) for step in np.clip(steps, -_COURSE_LIMIT, _COURSE_LIMIT))
