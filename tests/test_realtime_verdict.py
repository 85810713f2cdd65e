"""The verdict on block times, all of them constructed: no test depends on a clock."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.final_model import Method
from morphene_core.progress import silent
from morphene_core.realtime import Finding, Latency, MethodTimes, RealtimeReport, judge
from morphene_core.realtime.host import BlockTime
from morphene_core.realtime.machine import Machine, this_machine
from morphene_core.realtime.picture import realtime_png
from morphene_core.realtime.timing import (
    Run,
    held_up,
    least_disturbed,
    method_times,
    timed_run,
)

DEADLINE_MS = 40.0  # of which 28 may be taken
MACHINE = Machine("a processor", 4, 3.5, 1, "2.13.0", "stand-in of nn~ 1.6")


def times(name: str, wall: float, cpu: float, runs: int = 1) -> MethodTimes:
    """Return times of which the 99th percentiles are given, in ms."""
    return MethodTimes(
        name, 100, [300.0, 200.0], wall / 2, wall / 2, wall, wall, cpu, 0, 0.1, -20.0, runs
    )


FINE, FAULT = Finding("silence", True, "All is well."), Finding("NaN", False, "It stays.")


@pytest.mark.parametrize(
    ("methods", "faults", "verdict", "says"),
    [
        ([times("morph", 10, 9)], [FINE], "plays", "25% of the deadline"),
        ([times("morph", 28, 28)], [FINE], "plays", "70% of the deadline"),
        ([times("morph", 28.1, 28.1)], [FINE], "too slow", "a faster one"),
        ([times("morph", 28.1, 27.9, 3)], [FINE], "machine busy", "3 times over"),
        ([times("morph", 90, 9, 3)], [], "machine busy", "load 3.5 on 4 cores"),
        ([times("morph", 90, 80)], [], "too slow", "90.0 ms of 40.0 ms"),
        # The slowest decides, and it is too slow even if another was only held up.
        ([times("encode", 10, 9), times("morph", 30, 29)], [], "too slow", "morph"),
        ([times("encode", 90, 9), times("morph", 30, 29)], [], "too slow", "morph takes 30.0 ms"),
        ([times("encode", 20, 9), times("morph", 10, 9)], [], "plays", "encode, the slowest,"),
        # A faster machine mends no fault.
        ([times("morph", 10, 9)], [FINE, FAULT], "faulty", "NaN: It stays."),
        ([times("morph", 90, 80)], [FAULT], "faulty", "It stays."),
        ([times("morph", 90, 9, 3)], [FAULT, FINE], "faulty", "It stays."),
    ],
)
def test_the_verdict(
    methods: list[MethodTimes], faults: list[Finding], verdict: str, says: str
) -> None:
    found, text = judge(methods, faults, DEADLINE_MS, MACHINE)
    assert found == verdict
    assert says in text


@given(wall=st.floats(0.01, 200), cpu=st.floats(0.01, 200))
def test_a_model_is_held_up_if_only_the_clock_is_late(wall: float, cpu: float) -> None:
    late, slow = wall > 28, cpu > 28
    of = times("morph", wall, cpu)
    assert held_up(of, DEADLINE_MS) == (late and not slow)
    expected = "too slow" if late and slow else "machine busy" if late else "plays"
    assert judge([of], [], DEADLINE_MS, MACHINE)[0] == expected


def test_the_first_two_blocks_are_told_apart() -> None:
    blocks = [BlockTime(0.3, 0.3), BlockTime(0.2, 0.2)]
    blocks += [BlockTime(ms / 1e3, ms / 2e3) for ms in range(1, 101)]
    of = method_times("morph", blocks, 0.08, -20.0)
    assert of.first_ms == [300.0, 200.0]
    assert (of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms) == (50.5, 95.05, 99.01, 100.0)
    assert of.cpu_p99_ms == pytest.approx(49.505)
    assert of.misses == 20 and of.blocks == 102
    assert of.real_time_factor == pytest.approx(0.0505 / 0.08, abs=1e-4)


class FakeHost:
    """A host whose blocks take what is given, in ms on the clock and of the processor."""

    method, block = Method("forward", 1, 1, 1, 1), 2048

    def __init__(self, wall: float, cpu: float) -> None:
        self.took = BlockTime(wall / 1e3, cpu / 1e3)
        self.failed, self.error = 0, ""

    def perform(self, audio: np.ndarray) -> np.ndarray:
        return audio


@pytest.mark.parametrize(
    ("runs", "taken", "played"),
    [
        ([(10, 9)], 10, 1),  # in time
        ([(90, 80)], 90, 1),  # slow: once more would change nothing
        ([(90, 9), (10, 9)], 10, 2),  # something else held it up
        ([(90, 9), (60, 9), (70, 9)], 60, 3),  # still does: the best counts
        ([(29, 27.9), (31, 30)], 31, 2),  # slow by itself, whatever held up the faster run
    ],
)
def test_what_is_held_up_is_played_again(
    runs: list[tuple[float, float]], taken: float, played: int
) -> None:
    hosts: Iterator[FakeHost] = (FakeHost(*of) for of in runs)
    signal = np.ones((1, 4096), np.float32)
    run = least_disturbed(
        lambda: timed_run(next(hosts), signal, 0.5, 48_000, silent),  # type: ignore[arg-type]
        DEADLINE_MS,
    )
    assert (run.times.p99_ms, run.times.runs) == (taken, played)
    assert run.wrong == "" and run.lowest_mb == []  # too few blocks to tell
    assert not list(hosts)


def test_what_came_out_wrong_once_is_told_although_a_later_run_counts() -> None:
    runs = [
        Run(times("morph", 90, 9), [], [], "gives numbers that are not finite"),
        Run(times("morph", 10, 9), [], [], ""),
    ]
    run = least_disturbed(iter(runs).__next__, DEADLINE_MS)
    assert run == replace(runs[0], times=times("morph", 10, 9, runs=2))


def test_what_comes_out_wrong_is_told() -> None:
    def wrong(signal: float, error: str = "") -> str:
        host = FakeHost(1, 1)
        host.failed, host.error = (3, error) if error else (0, "")
        given = np.full((1, 4096), signal, np.float32)
        return timed_run(host, given, 0.5, 48_000, silent).wrong  # type: ignore[arg-type]

    assert wrong(0.1) == ""
    assert "silence" in wrong(0.0)
    assert "finite" in wrong(np.nan)
    assert "finite" in wrong(np.inf)
    assert wrong(0.1, "too loud") == "fails in 3 of 12 blocks (too loud)"


def test_the_picture_shows_the_times_of_every_method() -> None:
    report = RealtimeReport(
        "plays",
        "",
        *(48_000, 2048, 1.0, 42.667, 0.7),
        this_machine(1, "2.13.0", "stand-in"),
        [times("morph", 10, 9)],
        Latency(None, None, None, None, None, 6080, 126.7, 4032, 84.0, "forward"),
        None,
        [],
        times={"encode": [300.0, 20.0, *[3.0] * 40], "morph": [500.0, 90.0, *[60.0] * 40]},
    )
    assert realtime_png(report).startswith(b"\x89PNG")
    assert report.machine.cpu and report.machine.cores >= 1
    assert "times" not in report.to_dict()
