"""Playing a method against the clock."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from morphene_core.progress import Progress, Report
from morphene_core.realtime.host import BlockTime, Host, Signal
from morphene_core.realtime.memory import allocated_mb, lows
from morphene_core.realtime.report import FIRST_BLOCKS, LIMIT, MethodTimes

RUNS = 3
"""How often a method is played at most, until nothing else holds it up."""

_SILENT_PEAK = 1e-5  # of an output that nobody hears: -100 dBFS


@dataclass(frozen=True)
class Run:
    """A method that was played for a while.

    Attributes:
        times: of its blocks.
        times_ms: of each block, on the clock, in ms.
        lowest_mb: memory over the run, see `morphene_core.realtime.memory.lows`.
        wrong: what was wrong with what came out, or "".
    """

    times: MethodTimes
    times_ms: list[float]
    lowest_mb: list[float]
    wrong: str


def least_disturbed(play: Callable[[], Run], deadline_ms: float) -> Run:
    """Play a method, again where something else held it up, and return the least disturbed run.

    What came out wrong in any of the runs is told: no other program makes a model fail.

    Args:
        play: plays it once, with a fresh model.
        deadline_ms: what a block may take at most.
    """
    runs: list[Run] = []
    for _ in range(RUNS):
        runs.append(play())
        best = runs[-1]
        if not held_up(best.times, deadline_ms):
            break
    else:
        best = min(runs, key=lambda run: run.times.p99_ms)
    wrong = next((run.wrong for run in runs if run.wrong), "")
    return replace(best, times=replace(best.times, runs=len(runs)), wrong=wrong)


def held_up(times: MethodTimes, deadline_ms: float, limit: float = LIMIT) -> bool:
    """Return whether only the clock says that a method is late, not the processor's time."""
    return times.p99_ms > limit * deadline_ms >= times.cpu_p99_ms


def method_times(
    name: str,
    times: Sequence[BlockTime] | NDArray[np.float64],
    deadline: float,
    level_dbfs: float,
) -> MethodTimes:
    """Summarize the times of blocks.

    Args:
        name: of the method.
        times: of every block, the first ones included: shape (blocks, 2), in seconds as in
            `BlockTime`.
        deadline: in seconds.
        level_dbfs: RMS level of what came out.
    """
    wall, cpu = 1e3 * np.asarray(times).T
    later = wall[FIRST_BLOCKS:]
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(later, (50, 95, 99)))
    return MethodTimes(
        name=name,
        blocks=len(wall),
        first_ms=[round(float(value), 1) for value in wall[:FIRST_BLOCKS]],
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=round(float(later.max()), 3),
        cpu_p99_ms=round(float(np.percentile(cpu[FIRST_BLOCKS:], 99)), 3),
        misses=int((later > 1e3 * deadline).sum()),
        real_time_factor=round(float(later.mean()) / (1e3 * deadline), 4),
        level_dbfs=round(level_dbfs, 1),
    )


def timed_run(host: Host, frames: Signal, seconds: float, rate: int, report: Report) -> Run:
    """Play a method block by block, against the clock.

    Args:
        host: with a fresh model.
        frames: what is played, at the method's input ratio; repeated as often as it takes.
        seconds: audio to play.
        rate: in Hz.
        report: takes progress.
    """
    count = block_count(seconds, rate, host.block)
    progress = Progress(f"playing {host.method.name}", seconds, report, "s")
    power, peak, finite = 0.0, 0.0, True
    # Made before, so that what grows meanwhile is the model's.
    times, memory_mb = np.zeros((count, 2)), np.zeros(count)
    with _no_collection():
        for index, block in zip(range(count), _blocks(frames, host), strict=False):
            heard = host.perform(block)
            power += float(np.mean(np.square(heard, dtype=np.float64)))
            peak = max(peak, float(np.abs(heard).max()))
            finite = finite and bool(np.isfinite(heard).all())
            times[index], memory_mb[index] = host.took, allocated_mb()
            progress.advance((index + 1) * host.block / rate)
    level = 10 * float(np.log10(power / count + 1e-20)) if finite else 0.0
    summary = method_times(host.method.name, times, host.block / rate, level)
    wall_ms: list[float] = (1e3 * times[:, 0]).tolist()
    failure = f"fails in {host.failed} of {count} blocks ({host.error})" if host.failed else ""
    return Run(summary, wall_ms, lows(memory_mb), failure or wrong_with(peak, finite))


def block_count(seconds: float, rate: int, block: int) -> int:
    """Return of how many blocks a run is that plays so many seconds: a few at least."""
    return max(round(seconds * rate / block), 2 * FIRST_BLOCKS)


def wrong_with(peak: float, finite: bool) -> str:
    """Return what is wrong with an output by its peak, and by whether it is finite; or ""."""
    if not finite:
        return "gives numbers that are not finite"
    return "gives silence" if peak < _SILENT_PEAK else ""


def _blocks(frames: Signal, host: Host) -> Iterator[Signal]:
    """Give blocks at the rate of audio, of a signal that begins again at its end, for ever."""
    step = host.block // host.method.in_ratio
    places = np.arange(step)
    start = 0
    while True:
        part = np.ascontiguousarray(frames[:, (start + places) % frames.shape[-1]], np.float32)
        yield np.repeat(part, host.method.in_ratio, axis=1)
        start += step


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's collector, which no host has, out of the times."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
