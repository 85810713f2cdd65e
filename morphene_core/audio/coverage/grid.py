"""The counts of all recordings of a role, held against what the catalogue asks for."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.coverage.counting import Counts, merge_counts
from morphene_core.audio.coverage.gaps import find_gaps, note_words, texture_words
from morphene_core.audio.coverage.notes import HOP_SECONDS
from morphene_core.home import Role
from morphene_core.instruments.definition import (
    DYNAMICS,
    Dynamic,
    Instrument,
    Texture,
    note_name,
)

DECIBELS_PER_MARK = 5
"""From one of the marks ppp, pp, p, mp, mf, f, ff, fff to the next.

The five steps from pp to ff make 25 dB, the lower end of the 25 to 35 dB that are commonly given
for single instruments: a larger step would ask some of them for more than they have.
"""

NOTE_SECONDS = 0.5
"""A note is covered at a dynamic from here on: one note, held for a moment."""

TEXTURE_SECONDS = 5.0
"""A kind of texture is covered from here on: more than chance windows at its edge."""

MOST_GAPS = 5

_NOTHING = "nothing recorded yet"

_LOUDEST_PERCENTILE = 98

BRIGHTNESSES = ("dark", "warm", "mid", "bright", "brilliant")
DENSITIES = ("steady", "sparse", "moderate", "dense")

_BRIGHTNESS_BANDS = (0, 3, 5, 7)  # thirds of an octave, of a centroid at 1, 2, 3.2 and 5 kHz
_DENSITY_EVENTS = (1, 3, 6)  # per second

_EXPECTED_BRIGHTNESSES = ("warm", "mid", "bright")
_EXPECTED_DENSITIES: dict[Texture, tuple[str, ...]] = {
    "stationary": ("steady",),
    "granular": ("sparse", "moderate", "dense"),
    "impulsive": ("sparse", "moderate"),
    "pitched": ("steady", "sparse"),
    "modulated": ("steady", "sparse", "moderate"),
}

Grid = tuple[tuple[float, ...], ...]
Mask = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Coverage:
    """What the recordings of a role cover.

    Attributes:
        kind: notes against dynamics, or the brightness of a texture against its density.
        rows: notes from low to high, or brightnesses from dark to brilliant.
        columns: dynamics from soft to loud, or densities from steady to dense.
        seconds: what was counted in each cell, shape (rows, columns).
        expected: which cells are to be recorded; of the others a texture may have some too.
        covered: which cells hold enough, whether expected or not.
        recorded_seconds: duration of the recordings.
        onsets: how many notes or events begin; of slurred notes only some are noticed.
        outside: seconds by note of notes outside the instrument's range: octave errors of the
            measurement, a tuning far off, or another instrument.
        levels_dbfs: for notes the lower end of each dynamic; for textures the 10th, 50th and 90th
            percentile of the seconds' levels. Empty if nothing sounds.
        gaps: what is missing, in words, most important first, MOST_GAPS at most.
    """

    kind: Literal["notes", "texture"]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    seconds: Grid
    expected: Mask
    covered: Mask
    recorded_seconds: float
    onsets: int
    outside: dict[str, float]
    levels_dbfs: tuple[float, ...]
    gaps: tuple[str, ...]

    @property
    def percentage(self) -> float:
        """How many of the expected cells are covered, 0 to 100."""
        expected = np.array(self.expected)
        return 100 * float(np.array(self.covered)[expected].mean())

    @property
    def seconds_per_row(self) -> dict[str, float]:
        """Seconds of each note or brightness, at whatever dynamic or density."""
        totals = np.array(self.seconds).sum(axis=1).round(2).tolist()
        return dict(zip(self.rows, totals, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the coverage as plain data for JSON, percentage and row totals included."""
        derived = {"percentage": round(self.percentage, 1), "seconds_per_row": self.seconds_per_row}
        return {**asdict(self), **derived}


def coverage_of(instrument: Instrument, role: Role, counts: Iterable[Counts]) -> Coverage:
    """Return what recordings cover of an instrument's role.

    Args:
        instrument: its range, dynamics and kind of texture are the goal.
        role: of the recordings.
        counts: of each recording, as a ``coverage_counter`` gave them.

    Raises:
        ValueError: some counts are of another role.
    """
    total = merge_counts(role, counts)
    return _notes(instrument, total) if role == "musical" else _texture(instrument, total)


# Notes -----------------------------------------------------------------------------------------


def _notes(instrument: Instrument, total: Counts) -> Coverage:
    """Return the coverage of notes at dynamics."""
    low, high = instrument.midi_range
    notes, levels, frames = _cells(total["notes"])
    inside = (notes >= low) & (notes <= high)
    outside = {
        note_name(note): round(float(frames[notes == note].sum()) * HOP_SECONDS, 2)
        for note in np.unique(notes[~inside]).tolist()
    }
    notes, levels, frames = notes[inside], levels[inside], frames[inside]
    grid = np.zeros((high - low + 1, len(instrument.dynamics)))
    lower_ends: tuple[float, ...] = ()
    if len(notes):
        reference = _percentiles(levels, frames, [_LOUDEST_PERCENTILE])[0]
        lower_ends = _lower_ends(instrument.dynamics, reference)
        columns = np.searchsorted(lower_ends, levels, side="right") - 1
        heard = columns >= 0
        np.add.at(grid, (notes[heard] - low, columns[heard]), frames[heard])
    return _coverage(
        "notes",
        tuple(note_name(note) for note in range(low, high + 1)),
        instrument.dynamics,
        grid * HOP_SECONDS,
        np.ones(grid.shape, bool),
        total,
        outside,
        lower_ends,
    )


def _lower_ends(dynamics: tuple[Dynamic, ...], reference: float) -> tuple[float, ...]:
    """Return where each dynamic begins, in dBFS.

    Nobody knows the gain of a microphone, so dynamics are relative: the reference, above which 2 %
    of all notes lie, is the upper end of the loudest. Between two dynamics the border lies halfway.
    The softest reaches a mark further down; what is softer still, such as mains hum between notes,
    belongs to none. Two things follow. If nothing loud was recorded, the loudest there is passes
    for it. And an instrument whose low notes are by nature softer shows a gap there.
    """
    marks = [DYNAMICS.index(dynamic) for dynamic in dynamics]
    borders = [marks[0] - 1.5, *((a + b) / 2 for a, b in pairwise(marks))]
    top = marks[-1] + 0.5
    return tuple(reference - DECIBELS_PER_MARK * (top - border) for border in borders)


# Textures --------------------------------------------------------------------------------------


def _texture(instrument: Instrument, total: Counts) -> Coverage:
    """Return the coverage of brightnesses at densities, in windows of a second.

    The densities that are expected follow from the catalogue's kind of texture: a stationary one
    (wind) is steady, a granular one (fire, gravel) goes from sparse to dense, an impulsive one
    (hammering) has single events, a pitched one (bells) rings with few, and a modulated one (waves)
    swells with some. Of the brightnesses the three in the middle are expected. The outer two are
    shown and not asked for, since few sources have both a rumble and a hiss.
    """
    bands, events, windows = _cells(total["windows"])
    grid = np.zeros((len(BRIGHTNESSES), len(DENSITIES)))
    rows = np.searchsorted(_BRIGHTNESS_BANDS, bands, side="right")
    np.add.at(grid, (rows, np.searchsorted(_DENSITY_EVENTS, events, side="right")), windows)
    densities = _EXPECTED_DENSITIES[instrument.texture]
    expected = np.outer(
        np.isin(BRIGHTNESSES, _EXPECTED_BRIGHTNESSES), np.isin(DENSITIES, densities)
    )
    levels = {int(level): count for level, count in total["levels"].items()}
    percentiles = _percentiles(
        np.array(list(levels), int), np.array(list(levels.values()), int), [10, 50, 90]
    )
    return _coverage("texture", BRIGHTNESSES, DENSITIES, grid, expected, total, {}, percentiles)


# Both ------------------------------------------------------------------------------------------


def _cells(
    counts: dict[str, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return first coordinates, second coordinates and counts of sparse counts by "a:b"."""
    keys = [[int(part) for part in key.split(":")] for key in counts]
    first, second = np.array(keys, np.int64).reshape(-1, 2).T
    return first, second, np.array(list(counts.values()), np.int64)


def _percentiles(
    values: NDArray[np.int64], weights: NDArray[np.int64], percents: list[int]
) -> tuple[float, ...]:
    """Return percentiles of values that occur several times; nothing of no values."""
    if not len(values):
        return ()
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum() * 100
    return tuple(float(values[order][np.searchsorted(below, percent)]) for percent in percents)


def _coverage(
    kind: Literal["notes", "texture"],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    seconds: NDArray[np.float64],
    expected: NDArray[np.bool_],
    total: Counts,
    outside: dict[str, float],
    levels_dbfs: tuple[float, ...],
) -> Coverage:
    covered = seconds >= (NOTE_SECONDS if kind == "notes" else TEXTURE_SECONDS) - 1e-9
    return Coverage(
        kind=kind,
        rows=rows,
        columns=columns,
        seconds=tuple(map(tuple, seconds.round(2).tolist())),
        expected=tuple(map(tuple, expected.tolist())),
        covered=tuple(map(tuple, covered.tolist())),
        recorded_seconds=round(float(total["seconds"]), 2),
        onsets=total["onsets"],
        outside=outside,
        levels_dbfs=levels_dbfs,
        gaps=_gaps(kind, rows, columns, covered, expected) if total["seconds"] else (_NOTHING,),
    )


def _gaps(
    kind: Literal["notes", "texture"],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    covered: NDArray[np.bool_],
    expected: NDArray[np.bool_],
) -> tuple[str, ...]:
    """Return the gaps of the expected cells, which are some rows times some columns, in words."""
    wanted_rows, wanted_columns = (np.flatnonzero(expected.any(axis=axis)) for axis in (1, 0))
    empty = ~covered[np.ix_(wanted_rows, wanted_columns)]
    words = note_words if kind == "notes" else texture_words
    row_names, column_names = [rows[i] for i in wanted_rows], [columns[i] for i in wanted_columns]
    return tuple(words(gap, row_names, column_names) for gap in find_gaps(empty, MOST_GAPS))
