import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3600, "1:00:00"),
        (90061, "25:01:01"),
        (-3, "0:00"),
    ],
)
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_progress_says_how_far_it_is_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines: list[str] = []
    progress = Progress("training", 100, lines.append, "steps")
    now[0] += 10
    progress.advance(20, "phase 1")
    assert lines == ["training: 20 of 100 steps · phase 1 · 0:40 to go"]


def test_work_done_before_a_resume_does_not_count_as_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines: list[str] = []
    progress = Progress("training", 100, lines.append, done=80)
    now[0] += 10
    progress.advance(90)
    assert lines[-1].endswith("0:10 to go")


def test_lines_grow_rare_with_time_so_that_a_day_does_not_flood_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines: list[str] = []
    progress = Progress("training", 86_400, lines.append)
    for second in range(86_400):
        now[0] = float(second)
        progress.advance(second)
    assert 1_000 < len(lines) < 2_000


@given(st.floats(1, 1e6), st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_the_end_is_always_reported(total: float, steps: list[float]) -> None:
    lines: list[str] = []
    progress = Progress("work", total, lines.append)
    for done in sorted(min(step, total) for step in steps):
        progress.advance(done)
    progress.advance(total)
    assert lines[-1].startswith(f"work: {total:,.0f} of {total:,.0f}")
