"""The course of a real-time proof in the stand-in of nn~."""

from collections.abc import Sequence
from functools import partial

import torch

from morphene_core.errors import MorpheneError
from morphene_core.final_model import Method
from morphene_core.realtime.course import Course, latency_of, outputs, trials_of
from morphene_core.realtime.faults import find_faults
from morphene_core.realtime.host import Host
from morphene_core.realtime.machine import this_machine
from morphene_core.realtime.memory import LEAK_MB, growth_mb
from morphene_core.realtime.model import LoadedModel
from morphene_core.realtime.report import Finding, Memory, RealtimeReport
from morphene_core.realtime.timing import Run, least_disturbed, timed_run


def run_in_stand_in(course: Course) -> RealtimeReport:
    """Prove a model in the stand-in of nn~."""
    machine = this_machine(course.threads, torch.__version__, "stand-in of nn~ 1.6")

    def timed(of: Method) -> Run:
        model = LoadedModel(course.model.path)
        host = Host(model, of.name, course.block, {}, optimized=True)
        return timed_run(host, course.given[of.name], course.seconds, course.rate, course.report)

    runs = [least_disturbed(partial(timed, of), course.deadline_ms) for of in course.driven]
    player, memory = course.stand_in(), _memory(runs, course.seconds)
    faults = [
        outputs(runs),
        *find_faults(trials_of(course, player), player.play_at_once, course.report),
        _attributes(course.model.copy()),
        _leak(memory),
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


def _memory(runs: Sequence[Run], seconds: float) -> Memory:
    worst = max(runs, key=lambda run: growth_mb(run.memory_mb))
    growth = growth_mb(worst.memory_mb)
    # From the middle of the second quarter to the middle of the last: half of the run.
    per_minute = growth / (seconds / 2) * 60 if growth > LEAK_MB else 0.0
    return Memory(worst.times.name, worst.memory_mb, round(growth, 3), round(per_minute, 2))


def _leak(memory: Memory) -> Finding:
    if memory.growth_mb > LEAK_MB:
        text = f"{memory.method} keeps {memory.growth_mb_per_minute:.1f} MB more every minute."
        return Finding("memory", False, text)
    return Finding("memory", True, "It takes no more memory the longer it plays.")
