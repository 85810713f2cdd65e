"""Counting what sounds in a recording while it is read, and adding up the counts of several."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.coverage.notes import count_notes
from morphene_core.audio.coverage.stream import Segments
from morphene_core.audio.coverage.textures import count_texture
from morphene_core.home import Role

Counts = dict[str, Any]
"""Plain JSON data: the role, seconds, onsets, and sparse counts by keys like "69:-23"."""

_SECONDS_DIGITS = 4


class Counter(Protocol):
    """Counts what sounds in one recording."""

    def feed(self, mono: NDArray[np.float32]) -> None:
        """Take the next samples, shape (samples,), full scale 1.0, blocks of any length."""

    def result(self) -> Counts:
        """Return what was counted. Nothing can be fed after it."""


def coverage_counter(role: Role, sample_rate: int) -> Counter:
    """Return what counts a recording of a role as it is, before any normalisation.

    The counts do not depend on the blocks that are fed. Memory is bounded, some 15 MB; the counts
    of hours stay within some ten kilobytes.

    For ``musical``: frames by note and level (see ``count_notes``). For ``nonmusical``: windows by
    brightness and density, and by level (see ``count_texture``).

    Args:
        role: what the recording is to the instrument.
        sample_rate: of what will be fed, in Hz.
    """
    return _Counter(role, sample_rate)


def merge_counts(role: Role, counts: Iterable[Counts]) -> Counts:
    """Return the sum of the counts of several recordings of a role, or of none.

    Raises:
        ValueError: some are of another role.
    """
    total: Counts = {"role": role, **_COUNTS[role](np.zeros(0, np.float32), 0.0)}
    for one in counts:
        if one["role"] != role:
            raise ValueError(f"counts of a {one['role']} recording are no {role} ones")
        for key, value in one.items():
            if isinstance(value, dict):
                cells = total[key]
                for cell, count in value.items():
                    cells[cell] = cells.get(cell, 0) + count
            elif key != "role":
                total[key] = round(total[key] + value, _SECONDS_DIGITS)
    return total


_COUNTS: dict[Role, Callable[[NDArray[np.float32], float], Counts]] = {
    "musical": count_notes,
    "nonmusical": count_texture,
}


class _Counter:
    def __init__(self, role: Role, sample_rate: int) -> None:
        self._role: Role = role
        self._segments = Segments(sample_rate)
        self._total = merge_counts(role, [])

    def feed(self, mono: NDArray[np.float32]) -> None:
        for segment in self._segments.feed(mono):
            self._add(*segment)

    def result(self) -> Counts:
        for segment in self._segments.finish():
            self._add(*segment)
        return self._total

    def _add(self, audio: NDArray[np.float32], seconds: float) -> None:
        counts = _COUNTS[self._role](audio, seconds)
        self._total = merge_counts(self._role, [self._total, {"role": self._role, **counts}])
