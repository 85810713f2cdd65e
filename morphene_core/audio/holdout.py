"""Which parts of a recording are held out of the training.

Whole stretches are held out, never random chunks: neighbouring chunks of one note sound almost the
same, so a validation on chunks between training chunks would measure memory.
"""

from collections.abc import Sequence
from itertools import pairwise

MAX_SHARE = 1 / 3

Span = tuple[int, int]
"""Start and end in samples."""


def heldout_length(total: int, share: float, least: int, most: int) -> int:
    """Return how much of ``total`` to hold out: a share within limits, a third at most."""
    return min(max(least, round(total * share)), most, int(total * MAX_SHARE))


def heldout_spans(lengths: Sequence[int], wanted: int, stretches: int, shortest: int) -> list[Span]:
    """Choose stretches to hold out, spread evenly over recordings that are laid end to end.

    A stretch lies within one recording where one is long enough, and consists of whole recordings
    where they are short. It avoids to leave a sliver of less than ``shortest``.

    Args:
        lengths: of the recordings in time order, in samples.
        wanted: samples to hold out, at most a third of all.
        stretches: how many stretches to aim at; fewer where each would be under ``shortest``.
        shortest: wished length of a stretch, in samples.

    Returns:
        Spans of the time line, in order and apart from each other, together a third at most.
    """
    edges = _edges(lengths)
    total = edges[-1]
    count = max(1, min(stretches, wanted // max(1, shortest)))
    length = wanted // count
    sliver = min(shortest, length // 2)
    spare = int(total * MAX_SHARE) - count * length
    spans = []
    for i in range(count if length else 0):
        centre = total * (2 * i + 1) // (2 * count)
        span = _stretch(edges, centre, length, sliver, spare)
        spare += length - (span[1] - span[0])
        spans.append(span)
    return spans


def split_at(lengths: Sequence[int], spans: Sequence[Span]) -> list[tuple[int, Span, bool]]:
    """Split recordings at the ends of held-out spans.

    Returns:
        In time order: index of the recording, span within it, whether it is held out. Together
        they are all of the recordings, each sample once.
    """
    edges = _edges(lengths)
    cuts = {cut for span in spans for cut in span}
    parts = []
    for index, (start, end) in enumerate(pairwise(edges)):
        points = sorted({start, end} | {cut for cut in cuts if start < cut < end})
        for a, b in pairwise(points):
            held = any(first <= a < last for first, last in spans)
            parts.append((index, (a - start, b - start), held))
    return parts


def _edges(lengths: Sequence[int]) -> list[int]:
    edges = [0]
    for length in lengths:
        edges.append(edges[-1] + length)
    return edges


def _stretch(edges: list[int], centre: int, length: int, sliver: int, spare: int) -> Span:
    """Place one stretch about ``centre``; it may be longer than ``length`` by ``spare``.

    It begins at most one length and a sliver before the centre and ends at most one and a half
    after it. Centres lie three lengths apart, so that stretches never meet.
    """
    index = next(i for i, edge in enumerate(edges[1:]) if centre < edge)
    first, last = edges[index], edges[index + 1]
    if last - first < length:
        return first, _end_of_short(edges, index, length, spare)
    if last - first - length < min(sliver, spare + 1):
        return first, last
    start = min(max(centre - length // 2, first), last - length)
    if start - first < sliver:
        start = first
    elif last - (start + length) < sliver:
        start = last - length
    return start, start + length


def _end_of_short(edges: list[int], index: int, length: int, spare: int) -> int:
    """Return the end of a stretch that begins with recording ``index`` and takes whole ones."""
    start = edges[index]
    ends = [edge for edge in edges[index + 1 :] if edge - start <= length + min(spare, length // 2)]
    best = min(ends, key=lambda edge: abs(edge - start - length))
    # A long recording follows: its beginning completes the stretch.
    return best if best - start >= length // 2 else start + length
