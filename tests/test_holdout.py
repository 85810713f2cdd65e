from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.holdout import heldout_length, heldout_spans, split_at
from morphene_core.audio.pieces import plan_pieces
from morphene_core.audio.prepared import AudioSettings, Recording
from morphene_core.audio.wav import SAMPLE_RATE


@settings(max_examples=300, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=60),
    share=st.floats(0, 0.9),
    least=st.integers(0, 4000),
    most=st.integers(0, 9000),
    stretches=st.integers(1, 40),
    shortest=st.integers(0, 300),
)
def test_heldout_stretches_are_apart_never_more_than_a_third_and_spread(
    lengths: list[int], share: float, least: int, most: int, stretches: int, shortest: int
) -> None:
    total = sum(lengths)
    wanted = heldout_length(total, share, least, most)
    spans = heldout_spans(lengths, wanted, stretches, shortest)
    assert len(spans) <= stretches
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start
    assert all(0 <= start < end <= total for start, end in spans)
    held = sum(end - start for start, end in spans)
    assert held <= max(total / 3, 0)
    assert (held > 0) == (wanted > 0)
    assert held >= 0.49 * wanted - stretches
    for i, (start, end) in enumerate(spans):  # each lies in its own part of the time line
        assert start < total * (i + 1) / len(spans) and end > total * i / len(spans)


@settings(max_examples=200, deadline=None)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_training_and_heldout_parts_are_all_of_the_audio_and_never_overlap(
    lengths: list[int],
) -> None:
    spans = heldout_spans(lengths, heldout_length(sum(lengths), 0.1, 600, 18_000), 4, 150)
    parts = split_at(lengths, spans)
    seen = [np.zeros(length, int) for length in lengths]
    for index, (start, end), _ in parts:
        assert start < end
        seen[index][start:end] += 1
    assert all((counts == 1).all() for counts in seen)
    held = sum(end - start for _, (start, end), is_held in parts if is_held)
    assert held == sum(end - start for start, end in spans)


@settings(max_examples=200, deadline=None)
@given(length=st.integers(1, 500), count=st.integers(1, 60), stretches=st.integers(1, 40))
def test_a_third_is_the_most_even_where_whole_recordings_are_held_out(
    length: int, count: int, stretches: int
) -> None:
    total = length * count
    spans = heldout_spans([length] * count, total // 3, stretches, 1)
    assert sum(end - start for start, end in spans) <= total / 3


def test_of_many_short_recordings_whole_ones_are_held_out() -> None:
    lengths = [1000] * 100
    spans = heldout_spans(lengths, 12_400, 4, 1500)
    assert [start % 1000 + end % 1000 for start, end in spans] == [0] * 4
    assert sum(end - start for start, end in spans) == 12_000


@pytest.mark.parametrize(
    ("minutes", "stretches", "seconds"),
    [(1.5, 4, 9), (9, 4, 54), (30, 7, 180), (90, 13, 300), (600, 64, 300)],
)
def test_the_longer_the_material_the_more_places_are_held_out(
    minutes: float, stretches: int, seconds: float
) -> None:
    whole = [(Recording("x.wav", "", 0), [(0, round(minutes * 60 * SAMPLE_RATE))])]
    ((*pieces,),) = plan_pieces(whole, AudioSettings())
    held = [piece for piece in pieces if piece.set == "heldout"]
    assert len(held) == stretches
    assert sum(piece.frames for piece in held) / SAMPLE_RATE == pytest.approx(seconds, abs=0.01)


@settings(max_examples=100, deadline=None)
@given(
    kept=st.lists(st.lists(st.integers(1, 400_000), min_size=1, max_size=8), min_size=1, max_size=8)
)
def test_the_pieces_are_all_that_was_kept_each_sample_once(kept: list[list[int]]) -> None:
    # Alternate gap and span in each recording.
    spans = []
    for steps in kept:
        edges = np.cumsum([0, *steps, 1]).tolist()
        spans.append(list(zip(edges[0::2], edges[1::2], strict=False)))
    plans = plan_pieces([(Recording("x.wav", "", 0), own) for own in spans], AudioSettings())
    assert len(plans) == len(spans)
    for own, pieces in zip(spans, plans, strict=True):
        written = [span for piece in pieces for span in piece.spans]
        seen = [edge for span in written for edge in span]
        assert seen == sorted(seen)
        joined = [list(written[0])]
        for start, end in written[1:]:
            if start == joined[-1][1]:
                joined[-1][1] = end
            else:
                joined.append([start, end])
        assert [tuple(span) for span in joined] == own
