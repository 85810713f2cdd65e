"""All trainings of an instrument, side by side."""

import csv
from typing import Any

from morphene_core.errors import MorpheneError
from morphene_core.home import InstrumentPaths
from morphene_core.training.live import is_running
from morphene_core.training.record import (
    TrainingFolder,
    TrainingRecord,
    current_training,
    trainings,
)


def compare(paths: InstrumentPaths) -> list[dict[str, Any]]:
    """Return a row for each training of an instrument, the oldest first.

    The distances are those of RAVE's validation on the held-out audio: smaller is closer. In the
    adversarial phase they rise although the sound gets better.
    """
    try:
        current = current_training(paths).path
    except MorpheneError:
        current = None
    return [_row(folder, folder.path == current) for folder in trainings(paths)]


def _row(folder: TrainingFolder, current: bool) -> dict[str, Any]:
    record = folder.read()
    schedule = record.schedule
    distances = validation_distances(folder)
    return {
        "id": record.id,
        "current": current,
        "profile": record.profile["name"],
        "dataset": record.dataset["version"],
        "started": record.started,
        "finished": record.finished,
        "state": _state(folder, record),
        "step": record.step,
        "total_steps": schedule.total_steps if schedule else None,
        "phase_1_steps": schedule.phase_1_steps if schedule else None,
        "changes": list(schedule.changes) if schedule else [],
        "first_distance": distances[0] if distances else None,
        "last_distance": distances[-1] if distances else None,
        "best_distance": min(distances) if distances else None,
        "hours": record.seconds / 3600,
        "attempts": record.attempts,
        "device": record.device,
        "checkpoints": len(record.checkpoints),
    }


def validation_distances(folder: TrainingFolder) -> list[float]:
    """Return the distances to the held-out audio in the order in which they were measured."""
    if not folder.losses.exists():
        return []
    with folder.losses.open(newline="", encoding="utf-8") as file:
        return [float(row["validation"]) for row in csv.DictReader(file) if row.get("validation")]


def _state(folder: TrainingFolder, record: TrainingRecord) -> str:
    if is_running(folder):
        return "running"
    if record.finished:
        return "finished"
    return f"failed: {record.failure}" if record.failure else "stopped"
