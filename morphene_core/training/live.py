"""How far a running training is: a small file that the trainer renews every few seconds.

What it says holds only while the trainer lives: `is_running` asks the kernel who holds the lock.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from morphene_core.files import is_locked, read_json, write_json
from morphene_core.training.record import TrainingFolder


@dataclass(frozen=True)
class Live:
    """The state of a trainer.

    Attributes:
        doing: "waiting for a GPU", "measuring", "training", "validating" or "stopped".
        at: UTC time of this.
        step: training batches done.
        total_steps: of the schedule, or None until it is known.
        phase: 1 or 2.
        steps_per_second: since the attempt or the phase began, or None before it is known.
        seconds_left: to the end of the training, or None before it is known.
        losses: the latest, by name.
        gpu: what NVML says of it (see `morphene_core.gpus.Gpu`), or None on a CPU.
        note: anything else worth a line.
    """

    doing: str
    at: str
    step: int = 0
    total_steps: int | None = None
    phase: int = 1
    steps_per_second: float | None = None
    seconds_left: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    gpu: dict[str, Any] | None = None
    note: str = ""


def write_live(folder: TrainingFolder, live: Live) -> None:
    """Renew the file."""
    write_json(folder.live, asdict(live))


def read_live(folder: TrainingFolder) -> Live | None:
    """Return what a trainer last said, or None if none ever ran."""
    return Live(**read_json(folder.live)) if folder.live.exists() else None


def is_running(folder: TrainingFolder) -> bool:
    """Return whether a trainer works in the folder at this moment."""
    return is_locked(folder.lock)
