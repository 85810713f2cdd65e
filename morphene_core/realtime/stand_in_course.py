"""The course of a real-time proof in the stand-in of nn~."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from morphene_core.errors import MorpheneError
from morphene_core.final_model import Method
from morphene_core.realtime.course import Course, latency_of, outputs, trials_of
from morphene_core.realtime.faults import find_faults
from morphene_core.realtime.host import Host
from morphene_core.realtime.machine import this_machine
from morphene_core.realtime.memory import LEAST_BLOCKS, growth_mb, leak_kb
from morphene_core.realtime.model import LoadedModel
from morphene_core.realtime.report import Finding, Memory, RealtimeReport
from morphene_core.realtime.timing import Run, least_disturbed, timed_run

Play = Callable[[Method, float], Run]
"""Plays a method of a fresh model for so many seconds of audio."""

_LONGER = 2  # times as long is played again what seems to leak
_PACE = 0.5  # of a leak, when it is played again, that is left at least


def run_in_stand_in(course: Course) -> RealtimeReport:
    """Prove a model in the stand-in of nn~."""
    machine = this_machine(course.threads, torch.__version__, "stand-in of nn~ 1.6")

    def play(of: Method, seconds: float) -> Run:
        model = LoadedModel(course.model.path)
        host = Host(model, of.name, course.block, {}, optimized=True)
        return timed_run(host, course.given[of.name], seconds, course.rate, course.report)

    runs = [
        least_disturbed(partial(play, of, course.seconds), course.deadline_ms)
        for of in course.driven
    ]
    player, memory = course.stand_in(), _memory(course, runs, play)
    faults = [
        outputs(runs),
        *find_faults(trials_of(course, player), player.play_at_once, course.report),
        _attributes(course.model.copy()),
        _leak(memory, runs[0].times.blocks, course),
    ]
    return course.conclude(machine, runs, faults, latency_of(course, player), memory)


def _attributes(model: LoadedModel) -> Finding:
    """Read every attribute, and set it to what it is."""
    names = [name for name in model.attributes if model.settable(name)]
    wrong = []
    for name in names:
        try:
            model.set(name, model.get(name))
        except MorpheneError as error:
            wrong.append(str(error))
    fine = f"{', '.join(names)} can be read and set." if names else "It has none."
    return Finding("attributes", not wrong, " ".join(wrong) or fine)


def _memory(course: Course, runs: Sequence[Run], play: Play) -> Memory | None:
    """Return the memory of the method that keeps most, None if the runs are too short to tell.

    A leak is one that is found again in a fresh model, played longer, and goes on at half its pace
    at least: what happened to the heap by chance does not.
    """
    found = []
    for of, run in zip(course.driven, runs, strict=True):
        if not run.lowest_mb:
            return None
        kept = leak_kb(run.lowest_mb, run.times.blocks)
        if kept:
            longer = play(of, _LONGER * course.seconds)
            again = leak_kb(longer.lowest_mb, longer.times.blocks)
            run, kept = (longer, again) if again >= _PACE * kept else (run, 0.0)
        per_minute = kept / 1024 * 60 * course.rate / course.block
        growth = round(growth_mb(run.lowest_mb), 3)
        found.append(Memory(of.name, run.lowest_mb, growth, round(per_minute, 2)))
    return max(found, key=lambda memory: (memory.growth_mb_per_minute, memory.growth_mb))


def _leak(memory: Memory | None, blocks: int, course: Course) -> Finding:
    if memory is None:
        seconds = LEAST_BLOCKS * course.block / course.rate
        return Finding(
            "memory",
            True,
            f"Not judged: {blocks} blocks are too few to tell. It takes {LEAST_BLOCKS},"
            f" {seconds:.1f} seconds.",
        )
    if memory.growth_mb_per_minute:
        text = f"{memory.method} keeps {memory.growth_mb_per_minute:.1f} MB more every minute."
        return Finding("memory", False, text)
    return Finding("memory", True, "It takes no more memory the longer it plays.")
