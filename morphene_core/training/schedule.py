"""The schedule of a training: how many steps each phase takes.

A profile either names the steps or a budget in hours. A budget becomes steps once both phases were
timed on the very device (a step of the adversarial phase takes several times as long). The schedule
is fixed when the training begins, since RAVE's learning rate decays over phase 1, and only an
operator changes it: by finishing early, or by an extension.
"""

from dataclasses import dataclass, replace
from typing import Any

from morphene_core.errors import InputError
from morphene_core.profiles import Training


@dataclass(frozen=True)
class Speed:
    """What was measured before the first step.

    Attributes:
        device: on what.
        phase_1: steps per second.
        phase_2: steps per second.
        validation_seconds: time that one validation takes.
    """

    device: str
    phase_1: float
    phase_2: float
    validation_seconds: float


@dataclass(frozen=True)
class Schedule:
    """Length of the phases, in steps.

    Attributes:
        phase_1_steps: length of phase 1.
        total_steps: both phases.
        decay_steps: the learning rate decays over these; phase 1 as first planned.
        speed: what was measured to fit it to a budget, or None if the profile names the steps.
        changes: what operators changed: kind, step, time, request, steps before and after.
    """

    phase_1_steps: int
    total_steps: int
    decay_steps: int
    speed: Speed | None = None
    changes: tuple[dict[str, Any], ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Schedule":
        """Return a schedule from what `dataclasses.asdict` and JSON made of it."""
        speed = Speed(**data["speed"]) if data.get("speed") else None
        return cls(**{**data, "speed": speed, "changes": tuple(data.get("changes", ()))})

    def phase(self, step: int) -> int:
        """Return the phase whose batch brought the training to ``step``."""
        return 1 if step <= self.phase_1_steps else 2

    def finished_early(self, step: int, share: float, at: str, request: str = "") -> "Schedule":
        """Return the schedule that ends soon: phase 2 begins now, or has begun, and is shortened.

        Args:
            step: steps done.
            share: part of the planned adversarial steps that are trained all the same.
            at: time, for the record.
            request: id of what asked for it.
        """
        adversarial = max(1, round(share * (self.total_steps - self.phase_1_steps)))
        phase_1 = min(self.phase_1_steps, max(1, step))
        total = max(step, phase_1 + adversarial)
        return self._changed(
            "finished early", step, phase_1, min(total, self.total_steps), at, request
        )

    def extended(self, step: int, more: int, at: str, request: str = "") -> "Schedule":
        """Return the schedule with ``more`` adversarial steps at its end."""
        return self._changed(
            "extended", step, self.phase_1_steps, self.total_steps + more, at, request
        )

    def _changed(
        self, kind: str, step: int, phase_1: int, total: int, at: str, request: str
    ) -> "Schedule":
        change = {
            "kind": kind,
            "step": step,
            "at": at,
            "request": request,
            "phase_1_steps": [self.phase_1_steps, phase_1],
            "total_steps": [self.total_steps, total],
        }
        return replace(
            self, phase_1_steps=phase_1, total_steps=total, changes=(*self.changes, change)
        )


def planned(training: Training) -> Schedule | None:
    """Return the schedule that a profile names, or None if it names hours."""
    if training.phase_1_steps is None or training.total_steps is None:
        return None
    return Schedule(training.phase_1_steps, training.total_steps, training.phase_1_steps)


def fitted(training: Training, speed: Speed) -> Schedule:
    """Return the schedule that fills a profile's budget in hours at a measured speed.

    Phase 1 gets its share of the time, the adversarial phase the rest. Validations are counted in;
    phase 1 ends at one.

    Raises:
        InputError: at this speed the budget does not give each phase one round of validation.
    """
    if training.hours is None:
        raise InputError("The profile names no budget in hours.")
    every = training.validate_every
    seconds = training.hours * 3600
    steps = [
        int(seconds * share / (1 / rate + speed.validation_seconds / every))
        for share, rate in (
            (training.phase_1_share, speed.phase_1),
            (1 - training.phase_1_share, speed.phase_2),
        )
    ]
    phase_1, phase_2 = steps[0] // every * every, steps[1]
    if phase_1 < every or phase_2 < every:
        raise InputError(
            f"{training.hours:g} hours on {speed.device} give {steps[0]:,} steps of phase 1 and"
            f" {steps[1]:,} of the adversarial phase; each needs {every:,} at least"
            " (validate_every). Raise `hours` in a profile of your own, or use a faster GPU."
        )
    return Schedule(phase_1, phase_1 + phase_2, phase_1, speed)
