"""The course of a real-time proof in Pure Data, with the real nn~."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from morphene_core.audio.loudness import level_dbfs
from morphene_core.errors import InputError
from morphene_core.final_model import Method
from morphene_core.realtime.course import (
    Course,
    latency_of,
    narrow_methods,
    outputs,
    trials_of,
)
from morphene_core.realtime.faults import (
    LEVEL_DB,
    TOLERANCE,
    Trial,
    find_faults,
    relative_difference,
)
from morphene_core.realtime.host import SINGLE_BUFFER
from morphene_core.realtime.machine import this_machine
from morphene_core.realtime.pd import PdFiles, PureData, most_seconds
from morphene_core.realtime.player import StandIn
from morphene_core.realtime.report import Finding, RealtimeReport
from morphene_core.realtime.signals import repeated
from morphene_core.realtime.timing import (
    Run,
    block_count,
    least_disturbed,
    method_times,
    wrong_with,
)


def run_in_pure_data(course: Course, files: PdFiles) -> RealtimeReport:
    """Prove a model in Pure Data, and compare what it plays with the stand-in, sample by sample.

    Raises:
        InputError: nn~ would crash, for the block is too large for one of the methods; or a
            method has too many channels for so many seconds.
        MorpheneError: Pure Data does not play it.
    """
    machine = this_machine(course.threads, "", "")  # before anything is played: its load
    _require_playable(course)
    runs = [
        least_disturbed(partial(_timed, course, files, of), course.deadline_ms)
        for of in course.driven
    ]
    player = _player(course, files, quiet=True)
    trials = trials_of(course, player)
    stand_in = course.stand_in()
    faults = [
        outputs(runs),
        _as_the_stand_in(trials, stand_in),
        *find_faults(trials, stand_in.play_at_once, course.report),
    ]
    latency = latency_of(course, player)
    host = f"Pure Data with nn~ {player.nn_version}"
    machine = replace(machine, torch=player.torch_version, host=host)
    return course.conclude(machine, runs, faults, latency)


def _require_playable(course: Course) -> None:
    narrow = {of.name for of in course.driven} & set(narrow_methods(course.model))
    if course.block > SINGLE_BUFFER and narrow:
        raise InputError(
            f"nn~ crashes with a buffer of more than {SINGLE_BUFFER:,} samples for"
            f" {', '.join(sorted(narrow))}: give a --block up to that, or another --method."
        )
    for of in course.driven:
        most = most_seconds(of, course.block, course.rate)
        if course.seconds > most:
            raise InputError(
                f"{of.name} has {max(of.in_channels, of.out_channels)} channels, and Pure Data"
                f" plays files up to 4 GiB: give --seconds {most} or less, or another --method."
            )


def _player(course: Course, files: PdFiles, quiet: bool) -> PureData:
    attributes = course.model.quiet if quiet else {}
    path = course.model.path
    return PureData(files, path, course.block, course.rate, attributes, course.threads)


def _timed(course: Course, files: PdFiles, of: Method) -> Run:
    """Play a method for a while."""
    blocks = block_count(course.seconds, course.rate, course.block)
    frames = blocks * course.block // of.in_ratio
    given = repeated(course.given[of.name], frames)
    course.report(f"playing {of.name} in Pure Data for {course.seconds:g} s")
    player = _player(course, files, quiet=False)
    heard = player.play(of, given)
    times = player.block_times()
    finite = bool(np.isfinite(heard).all())
    level = level_dbfs(heard) if finite else 0.0
    summary = method_times(of.name, times, course.deadline_ms / 1e3, level)
    failure = f"fails in Pure Data ({player.errors[0]})" if player.errors else ""
    wrong = failure or wrong_with(float(np.abs(heard).max(initial=0.0)), finite)
    return Run(summary, [1e3 * block.wall for block in times], [], wrong)


def _as_the_stand_in(trials: Sequence[Trial], stand_in: StandIn) -> Finding:
    wrong, apart = [], 0.0
    for trial in trials:
        expected = stand_in.play(trial.method, trial.passage)
        if trial.noisy:
            decibels = abs(level_dbfs(trial.expected) - level_dbfs(expected))
            if not decibels < LEVEL_DB:
                wrong.append(f"{trial.method.name} is {decibels:.0f} dB from the stand-in's.")
            continue
        difference = relative_difference(trial.expected, expected)
        apart = max(apart, difference)
        if difference > TOLERANCE:
            wrong.append(f"{trial.method.name} differs by {difference:.2g} of the peak.")
    fine = f"Pure Data plays what the stand-in plays, to {apart:.0e} of the peak."
    return Finding("stand-in", not wrong, " ".join(wrong) or fine)
