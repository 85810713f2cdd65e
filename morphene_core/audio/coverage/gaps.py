"""What is missing in a grid, as few large gaps, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = tuple[int, ...]


@dataclass(frozen=True)
class Gap:
    """Cells that are all empty: every one of these rows in every one of these columns.

    The indices of one axis may leave out a run in the middle ("only mf", with softer and louder
    empty); those of the other are contiguous.
    """

    rows: Indices
    columns: Indices


def find_gaps(empty: NDArray[np.bool_], limit: int) -> list[Gap]:
    """Return gaps that together hold all empty cells, or the largest of them.

    Greedily the gap with the most cells that are in no gap yet. Gaps may overlap, because a whole
    column is said more shortly than the rest of it; among equals one in one piece comes first, then
    the larger.

    Args:
        empty: shape (rows, columns).
        limit: how many gaps to return at most.
    """
    candidates = list(_candidates(empty))
    left = empty.copy()
    gaps: list[Gap] = []
    while left.any() and len(gaps) < limit:
        gap = max(candidates, key=lambda gap: _weight(gap, left))
        left[np.ix_(gap.rows, gap.columns)] = False
        gaps.append(gap)
    return gaps


def note_words(gap: Gap, notes: Sequence[str], dynamics: Sequence[str]) -> str:
    """Return a gap of notes (rows, low to high) and dynamics (columns, soft to loud) as a sentence.

    Such as "nothing below G3 louder than mf", "only mf from C4 to E4" or "only C4 to E5 at pp".
    """
    if kept := _left_out(gap.columns):
        return f"only {_span(kept, dynamics)}{_where(gap.rows, notes)}"
    if kept := _left_out(gap.rows):
        return f"only {_span(kept, notes)}{_how(gap.columns, dynamics)}"
    if len(gap.rows) == 1:
        return f"no {notes[gap.rows[0]]}{_how(gap.columns, dynamics)}"
    where, how = _where(gap.rows, notes), _how(gap.columns, dynamics)
    return f"nothing{where}{how}" if where or how else "no single note heard for long enough yet"


def texture_words(gap: Gap, brightnesses: Sequence[str], densities: Sequence[str]) -> str:
    """Return a gap of brightnesses (rows) and densities (columns) as a sentence.

    Such as "nothing bright and dense", "dark only sparse" or "dense only mid to bright".
    """
    rows = "" if len(gap.rows) == len(brightnesses) else _span(gap.rows, brightnesses)
    columns = "" if len(gap.columns) == len(densities) else _span(gap.columns, densities)
    if kept := _left_out(gap.columns):
        return f"{rows} only {_span(kept, densities)}".strip()
    if kept := _left_out(gap.rows):
        return f"{columns} only {_span(kept, brightnesses)}".strip()
    if not rows and not columns:
        return "nothing of what is expected yet"
    return f"nothing {' and '.join(filter(None, (rows, columns)))}"


def _candidates(empty: NDArray[np.bool_]) -> Iterator[Gap]:
    """Give every gap that cannot be extended along its rows or by its columns."""
    rows, columns = empty.shape
    for chosen in (*_intervals(columns), *_complements(columns)):
        runs = _runs(empty[:, chosen].all(axis=1))
        yield from (Gap(run, chosen) for run in runs)
        if len(runs) > 1 and not _left_out(chosen) and runs[0][0] == 0 and runs[-1][-1] == rows - 1:
            yield Gap(runs[0] + runs[-1], chosen)


def _weight(gap: Gap, left: NDArray[np.bool_]) -> tuple[int, bool, int]:
    new = int(left[np.ix_(gap.rows, gap.columns)].sum())
    whole = not _left_out(gap.rows) and not _left_out(gap.columns)
    return new, whole, len(gap.rows) * len(gap.columns)


def _intervals(length: int) -> list[Indices]:
    return [tuple(range(a, b)) for a in range(length) for b in range(a + 1, length + 1)]


def _complements(length: int) -> list[Indices]:
    """Return what intervals that touch neither end leave over."""
    inner = [span for span in _intervals(length) if span[0] > 0 and span[-1] < length - 1]
    return [tuple(i for i in range(length) if i not in span) for span in inner]


def _runs(flags: NDArray[np.bool_]) -> list[Indices]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [tuple(range(a, b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _left_out(indices: Indices) -> Indices:
    """Return the run in the middle that the indices leave out, if any."""
    return tuple(i for i in range(indices[0], indices[-1]) if i not in indices)


def _span(indices: Indices, names: Sequence[str]) -> str:
    first, last = names[indices[0]], names[indices[-1]]
    return first if len(indices) == 1 else f"{first} to {last}"


def _where(rows: Indices, notes: Sequence[str]) -> str:
    return _part(rows, notes, "below", "above")


def _how(columns: Indices, dynamics: Sequence[str]) -> str:
    return _part(columns, dynamics, "softer than", "louder than")


def _part(indices: Indices, names: Sequence[str], under: str, over: str) -> str:
    """Say which of the names are meant: nothing if all are."""
    if len(indices) == len(names):
        return ""
    if len(indices) == 1:
        return f" at {names[indices[0]]}"
    if indices[0] == 0:
        return f" {under} {names[indices[-1] + 1]}"
    if indices[-1] == len(names) - 1:
        return f" {over} {names[indices[0] - 1]}"
    return f" from {_span(indices, names)}"
