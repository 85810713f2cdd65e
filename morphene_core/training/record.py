"""What is recorded of a training, and where its files lie.

Each training has a folder and an id of its own. The id follows from what is trained (dataset and
profile), so that the same training asked for twice is the same folder: what is complete is not done
again, and what was interrupted goes on from where it stopped.
"""

import platform
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from morphene_core.dataset import DatasetRecord
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, write_json
from morphene_core.home import InstrumentPaths
from morphene_core.profiles import Profile
from morphene_core.training.schedule import Schedule, planned

_RECORD = "training.json"
_FORMAT = 2
"""Of the record and the states. 1 were Lightning's states, which did not resume exactly."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint file.

    Attributes:
        step: training batches done (RAVE's ``global_step``).
        phase: 1 (representation learning) or 2 (adversarial).
        file: name in the training's ``checkpoints`` folder.
        sha256: hash of its contents.
    """

    step: int
    phase: int
    file: str
    sha256: str


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of a training.

    Attributes:
        id: name of its folder.
        instrument: slug.
        profile: the profile it was begun with, whole.
        dataset: the dataset's own record: version, seconds, sources.
        started: UTC time of the first attempt.
        finished: UTC time of its end, or None.
        seconds: time spent so far, over all attempts.
        attempts: how often a trainer was started for it, whatever became of it.
        fruitless: how many of the latest attempts ended without a newer state.
        runs: ids of the Dagster runs that trained it, in their order.
        first_run: the latest run that a person or a schedule asked for; its retries follow it.
        step: training batches done, as of the newest state.
        device: what it runs on.
        schedule: length of the phases; None until it is known (a budget in hours is measured).
        rollbacks: what watchdogs changed: watchdog, reason, step gone back to, change, time.
        warnings: what watchdogs said without going back: watchdog, reason, time.
        versions: of the software that matters to the result.
        checkpoints: written so far, by step.
        failure: why the last attempt failed; None while it runs and when it was stopped.
        format: of the record and the states.
    """

    id: str
    instrument: str
    profile: dict[str, Any]
    dataset: dict[str, Any]
    started: str
    finished: str | None = None
    seconds: float = 0.0
    attempts: int = 0
    fruitless: int = 0
    runs: tuple[str, ...] = ()
    first_run: str = ""
    step: int = 0
    device: str = ""
    schedule: Schedule | None = None
    rollbacks: tuple[dict[str, Any], ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    checkpoints: tuple[Checkpoint, ...] = ()
    failure: str | None = None
    format: int = _FORMAT

    @property
    def training_profile(self) -> Profile:
        """The profile that it was begun with.

        Raises:
            InputError: it was begun by another version of Morphene, whose profiles differ.
        """
        try:
            return Profile(**self.profile)
        except (ValidationError, TypeError) as error:
            raise InputError(
                f"Training {self.id} of {self.instrument} has a profile that this version does not"
                " know. Its checkpoints can be used; to train, start anew."
            ) from error

    def checkpoint(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step.

        Raises:
            InputError: there is none; the message lists those that there are.
        """
        for checkpoint in self.checkpoints:
            if checkpoint.step == step:
                return checkpoint
        steps = ", ".join(str(c.step) for c in self.checkpoints) or "none yet"
        raise InputError(f"Training {self.id} has no checkpoint of step {step}. It has: {steps}.")

    def with_attempt(self, run: str, first_run: str, profile: Profile) -> "TrainingRecord":
        """Return the record with a Dagster run noted, and the watchdogs' limits as they are now.

        What a person asks for anew begins with a clean count of fruitless attempts.
        """
        return replace(
            self,
            runs=self.runs if run in ("", *self.runs) else (*self.runs, run),
            first_run=first_run,
            fruitless=self.fruitless if first_run == self.first_run else 0,
            profile={**self.profile, "watchdogs": profile.watchdogs.model_dump(mode="json")},
        )

    def with_warning(self, watchdog: str, reason: str) -> "TrainingRecord":
        """Return the record with a watchdog's warning added."""
        warning = {"watchdog": watchdog, "reason": reason, "at": now()}
        return replace(self, warnings=(*self.warnings, warning))

    def with_checkpoint(self, new: Checkpoint) -> "TrainingRecord":
        """Return the record with a checkpoint added, or replaced where it had that step."""
        others = [c for c in self.checkpoints if c.step != new.step]
        return replace(self, checkpoints=tuple(sorted([*others, new], key=lambda c: c.step)))


@dataclass(frozen=True)
class TrainingFolder:
    """The files of one training."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of ``checkpoint_*.pt``, each with its ``.json``, and ``config.gin``."""
        return self.path / "checkpoints"

    @property
    def audit(self) -> Path:
        """Folder of the audits, one folder per step."""
        return self.path / "audit"

    @property
    def audit_lock(self) -> Path:
        """Lock file, held while checkpoints are audited."""
        return self.path / "audit.lock"

    @property
    def states(self) -> Path:
        """Folder of the full training states that a resumed training goes on from."""
        return self.path / "states"

    @property
    def lock(self) -> Path:
        """Lock file, held while the training runs."""
        return self.path / "lock"

    @property
    def losses(self) -> Path:
        """Table of the losses over steps."""
        return self.path / "losses.csv"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def live(self) -> Path:
        """How far a running training is, renewed every few seconds."""
        return self.path / "live.json"

    @property
    def request(self) -> Path:
        """What an operator asks of the training: finish early, or go on longer."""
        return self.path / "request.json"

    @property
    def selection(self) -> Path:
        """Record of the selected checkpoint."""
        return self.path / "selected_checkpoint.json"

    @property
    def exists(self) -> bool:
        """Whether the training was ever begun."""
        return (self.path / _RECORD).exists()

    def read(self) -> TrainingRecord:
        """Return the training's record.

        Raises:
            InputError: the record is of another version of Morphene.
        """
        try:
            data = read_json(self.path / _RECORD)
        except ValueError as error:
            raise InputError(
                f"{self.path / _RECORD} is damaged ({error}). Move the folder away to train anew."
            ) from error
        data.setdefault("format", 1)
        try:
            data["checkpoints"] = tuple(Checkpoint(**c) for c in data["checkpoints"])
            for name in ("runs", "rollbacks", "warnings"):
                data[name] = tuple(data.get(name, ()))
            if data.get("schedule"):
                data["schedule"] = Schedule.from_json(data["schedule"])
            return TrainingRecord(**data)
        except (TypeError, KeyError) as error:
            raise InputError(
                f"{self.path / _RECORD} is not of this version of Morphene ({error}). Move the"
                " folder away to train anew."
            ) from error

    def write(self, record: TrainingRecord) -> None:
        """Write the training's record."""
        write_json(self.path / _RECORD, asdict(record))

    def checkpoint_path(self, checkpoint: Checkpoint) -> Path:
        """Return where a checkpoint lies."""
        return self.checkpoints / checkpoint.file

    def audit_path(self, step: int) -> Path:
        """Return the folder of a checkpoint's audit."""
        return self.audit / f"{step:06d}"


def checkpoint_name(step: int) -> str:
    """Return the file name of a checkpoint, such as ``checkpoint_050000.pt``."""
    return f"checkpoint_{step:06d}.pt"


def training_id(profile: Profile, dataset_version: str) -> str:
    """Return the id of the training of a dataset with a profile."""
    return f"{profile.name}-{combined_hash([profile.version, dataset_version])[:8]}"


def open_training(
    paths: InstrumentPaths, profile: Profile, dataset: DatasetRecord
) -> TrainingFolder:
    """Return the folder of a training, with a record in it; an existing one is left as it is.

    Raises:
        InputError: it was begun by an older version of Morphene, which trained otherwise.
    """
    identifier = training_id(profile, dataset.version)
    folder = TrainingFolder(paths.training(identifier))
    if not folder.exists:
        record = TrainingRecord(
            id=identifier,
            instrument=paths.slug,
            profile=profile.model_dump(mode="json"),
            dataset=asdict(dataset),
            started=now(),
            schedule=planned(profile.training),
        )
        folder.write(record)
    elif folder.read().format != _FORMAT:
        raise InputError(
            f"{folder.path} was begun by an older version of Morphene and cannot be continued"
            " exactly. Its checkpoints can be used; move the folder away to train anew."
        )
    return folder


def trainings(paths: InstrumentPaths) -> list[TrainingFolder]:
    """Return all trainings of an instrument, the oldest first."""
    folders = [TrainingFolder(path) for path in sorted(paths.trainings.glob("*/"))]
    return sorted((f for f in folders if f.exists), key=lambda f: f.read().started)


def current_training(paths: InstrumentPaths) -> TrainingFolder:
    """Return the training that ``checkpoints`` points to.

    Raises:
        InputError: the instrument was never trained.
    """
    if not paths.checkpoints.is_symlink():
        raise InputError(f"{paths.slug} has no training yet: say `morphene run {paths.slug}`.")
    return TrainingFolder(paths.checkpoints.resolve().parent)


def now() -> str:
    """Return the present time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def software_versions() -> dict[str, str]:
    """Return the versions of the software that the result of a training depends on."""
    packages = ("acids-rave", "torch", "pytorch-lightning", "cached-conv", "numpy", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
