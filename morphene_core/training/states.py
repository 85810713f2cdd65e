"""The full states of a training: which are there, which are whole, which are kept.

A state is ``state_{step}.ckpt``; the ``.json`` beside it is written last and taken away first, so
that a state without one was never finished, or is on its way out.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from morphene_core.errors import InputError
from morphene_core.files import atomic_file, read_json, sha256, sweep, write_json
from morphene_core.progress import Report
from morphene_core.training.record import TrainingFolder, now


@dataclass(frozen=True)
class State:
    """What is known of a state.

    Attributes:
        step: training batches done.
        phase: 1 or 2.
        sha256: of the file.
        validated: whether the training passed its validation at this very step.
        rollbacks: how many rollbacks had been made when it was saved.
        losses: the latest, by name.
        written: UTC time.
    """

    step: int
    phase: int
    sha256: str
    validated: bool
    rollbacks: int
    losses: dict[str, float]
    written: str


def state_path(folder: TrainingFolder, step: int) -> Path:
    """Return where the state of a step lies."""
    return folder.states / f"state_{step:06d}.ckpt"


def states(folder: TrainingFolder) -> list[State]:
    """Return the states that were written to their end, by step."""
    found = map(_read, folder.states.glob("state_*.json"))
    return sorted((state for state in found if state), key=lambda state: state.step)


def _read(manifest: Path) -> State | None:
    """Return what a manifest says, or None if it is damaged: then its state is, too.

    None as well if it went between being listed and being read: the trainer drops states while
    other processes look at them.
    """
    try:
        return State(**read_json(manifest))
    except (ValueError, TypeError, FileNotFoundError):
        return None


def write_state(
    folder: TrainingFolder, save: Callable[[Path], None], step: int, **facts: Any
) -> State:
    """Write a state, and drop those that are no longer kept.

    Args:
        folder: of the training.
        save: writes the state to a path.
        step: training batches done.
        facts: the other fields of `State`.
    """
    path = state_path(folder, step)
    path.with_suffix(".json").unlink(missing_ok=True)
    with atomic_file(path) as temporary:
        save(temporary)
    state = State(step=step, sha256=sha256(path), written=now(), **facts)
    write_json(path.with_suffix(".json"), asdict(state))
    _prune(folder)
    return state


def newest_whole(folder: TrainingFolder, report: Report) -> State | None:
    """Return the newest state whose contents are what was written, or None if there never was one.

    Those that are damaged are said and dropped.

    Raises:
        InputError: there are states, and all of them are damaged.
    """
    sweep(folder.path)
    there = states(folder)
    known = {state_path(folder, state.step) for state in there}
    for path in (
        set(folder.states.glob("state_*")) - known - {p.with_suffix(".json") for p in known}
    ):
        if path.suffix == ".json":
            report(f"Warning: {path.name} is damaged: going on from the state before.")
        path.unlink()
    for state in reversed(there):
        path = state_path(folder, state.step)
        if path.exists() and sha256(path) == state.sha256:
            return state
        report(
            f"Warning: the state of step {state.step:,} is damaged: going on from the one before."
        )
        _drop(path)
    if there:
        raise InputError(
            f"All {len(there)} states in {folder.states} are damaged. The checkpoints can be used;"
            " move the training's folder away to train anew."
        )
    return None


def go_back(folder: TrainingFolder) -> State | None:
    """Drop every state after the last one that passed its validation; return that one, if any."""
    there = states(folder)
    good = max((s.step for s in there if s.validated), default=-1)
    for state in there:
        if state.step > good:
            _drop(state_path(folder, state.step))
    return next((state for state in there if state.step == good), None)


def _prune(folder: TrainingFolder) -> None:
    """Keep the newest state, the one before, and the last that passed its validation."""
    there = states(folder)
    kept = {state.step for state in there[-2:]}
    kept |= {state.step for state in [s for s in there if s.validated][-1:]}
    for state in there:
        if state.step not in kept:
            _drop(state_path(folder, state.step))


def _drop(path: Path) -> None:
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
