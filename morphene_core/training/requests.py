"""What an operator asks of a training: a file beside it, obeyed at the next step or start.

It stays until the trainer has recorded the changed schedule, so that it outlives any crash.
"""

import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from morphene_core.errors import InputError
from morphene_core.files import read_json, write_json
from morphene_core.training.record import TrainingFolder, TrainingRecord, now


@dataclass(frozen=True)
class Request:
    """A change of the schedule.

    Attributes:
        kind: "finish" early, or "extend" by steps.
        share: finish: part of the planned adversarial steps that are trained all the same.
        steps: extend: how many more.
        id: by which a request that was obeyed is known, should its file be left.
    """

    kind: Literal["finish", "extend"]
    share: float = 0.0
    steps: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


def ask(folder: TrainingFolder, request: Request) -> None:
    """Leave a request for the trainer.

    Raises:
        InputError: it makes no sense for this training.
    """
    record = folder.read()
    if request.kind == "finish" and record.finished:
        raise InputError(f"Training {record.id} of {record.instrument} is finished already.")
    if request.kind == "extend" and request.steps < 1:
        raise InputError("An extension takes one step at least.")
    if folder.request.exists():
        waiting = read_json(folder.request)["kind"]
        raise InputError(f"Training {record.id} has a request to {waiting} waiting already.")
    write_json(folder.request, asdict(request))


def pending(folder: TrainingFolder) -> Request | None:
    """Return the request that waits, or None."""
    return Request(**read_json(folder.request)) if folder.request.exists() else None


def obey(folder: TrainingFolder, record: TrainingRecord, step: int) -> TrainingRecord:
    """Change the schedule as asked, record it, and take the request away.

    Without a schedule (not begun) the request waits.
    """
    request = pending(folder)
    if request is None or record.schedule is None:
        return record
    if any(change["request"] == request.id for change in record.schedule.changes):
        folder.request.unlink()
        return record
    if request.kind == "finish":
        schedule = record.schedule.finished_early(step, request.share, now(), request.id)
    else:
        schedule = record.schedule.extended(step, request.steps, now(), request.id)
    record = replace(record, schedule=schedule, finished=None)
    folder.write(record)
    folder.request.unlink()
    return record
