"""People's choices of checkpoints: they win over the ranking and stay on record."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from morphene_core import journal
from morphene_core.errors import InputError
from morphene_core.training import TrainingFolder, now

RANKING = "ranking"
"""In place of a person's name: nobody chose."""


@dataclass(frozen=True)
class Choice:
    """A line of a training's ``choices.jsonl``.

    Attributes:
        action: "choose" a checkpoint, or "withdraw" the choice of it: back to the ranking.
        step: of the checkpoint.
        checkpoint_sha256: its hash: a choice holds for this very file.
        reason: in the person's words.
        who: the person's name.
        at: UTC time, ISO 8601.
    """

    action: Literal["choose", "withdraw"]
    step: int
    checkpoint_sha256: str
    reason: str
    who: str
    at: str


def choose_checkpoint(folder: TrainingFolder, step: int, reason: str, who: str) -> Choice:
    """Record that a person wants this checkpoint. The newest choice counts.

    Raises:
        InputError: there is no checkpoint of that step, or no reason or name is given.
        MorpheneError: it cannot be written.
    """
    checkpoint = folder.read().checkpoint(step)
    return _record(folder, Choice("choose", step, checkpoint.sha256, reason, who, now()))


def withdraw_choice(folder: TrainingFolder, reason: str, who: str) -> Choice:
    """Record that the choice that stands is withdrawn: the ranking decides again.

    A choice of another checkpoint that somebody makes at the same moment stands.

    Raises:
        InputError: no choice stands, or no reason or name is given.
        MorpheneError: it cannot be written.
    """
    standing = standing_choice(folder)
    if standing is None:
        raise InputError(
            f"Nobody chose a checkpoint of {folder.path.name}: the ranking decides already."
        )
    step, sha256 = standing.step, standing.checkpoint_sha256
    return _record(folder, Choice("withdraw", step, sha256, reason, who, now()))


def read_choices(folder: TrainingFolder) -> list[Choice]:
    """Return all choices and withdrawals of a training, the oldest first."""
    records = journal.read(_path(folder))
    return [choice for choice in map(_choice, records) if choice]


def standing_choice(folder: TrainingFolder) -> Choice | None:
    """Return the newest choice that was not withdrawn since, or None.

    Its checkpoint may have been replaced: compare the hash.
    """
    standing = None
    for choice in read_choices(folder):
        if choice.action == "choose":
            standing = choice
        elif standing and choice.checkpoint_sha256 == standing.checkpoint_sha256:
            standing = None
    return standing


def _path(folder: TrainingFolder) -> Path:
    return folder.path / "choices.jsonl"


def _record(folder: TrainingFolder, choice: Choice) -> Choice:
    choice = replace(choice, reason=choice.reason.strip(), who=choice.who.strip())
    if not choice.reason:
        raise InputError("A choice needs a reason: say in a few words what was heard.")
    if choice.who.casefold() in ("", RANKING):
        raise InputError(f"A choice needs the name of a person, and {choice.who!r} is none.")
    journal.append(_path(folder), asdict(choice))
    return choice


def _choice(record: dict[str, Any]) -> Choice | None:
    names = {field.name for field in fields(Choice)}
    return Choice(**{name: record[name] for name in names}) if names <= record.keys() else None
