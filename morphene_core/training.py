"""One training of an instrument, as it is recorded on disk beside its checkpoints.

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

from morphene_core.dataset import DatasetRecord
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, write_json
from morphene_core.home import InstrumentPaths
from morphene_core.profiles import Profile

_RECORD = "training.json"


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
        attempts: how often it was started.
        step: training batches done.
        device: what it runs on.
        versions: of the software that matters to the result.
        checkpoints: written so far, by step.
    """

    id: str
    instrument: str
    profile: dict[str, Any]
    dataset: dict[str, Any]
    started: str
    finished: str | None = None
    seconds: float = 0.0
    attempts: int = 0
    step: int = 0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def training_profile(self) -> Profile:
        """The profile that it was begun with."""
        return Profile(**self.profile)

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
        """Folder of ``checkpoint_*.pt`` and ``config.gin``."""
        return self.path / "checkpoints"

    @property
    def audit(self) -> Path:
        """Folder of the audits, one folder per step."""
        return self.path / "audit"

    @property
    def state(self) -> Path:
        """The full training state that a resumed training goes on from."""
        return self.path / "last.ckpt"

    @property
    def lock(self) -> Path:
        """Lock file, held while the training runs."""
        return self.path / "lock"

    @property
    def losses(self) -> Path:
        """Table of the losses over steps."""
        return self.path / "losses.csv"

    @property
    def selection(self) -> Path:
        """Record of the selected checkpoint."""
        return self.path / "selected_checkpoint.json"

    @property
    def exists(self) -> bool:
        """Whether the training was ever begun."""
        return (self.path / _RECORD).exists()

    def read(self) -> TrainingRecord:
        """Return the training's record."""
        data = read_json(self.path / _RECORD)
        data["checkpoints"] = tuple(Checkpoint(**c) for c in data["checkpoints"])
        return TrainingRecord(**data)

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
    """Return the folder of a training, with a record in it; an existing one is left as it is."""
    identifier = training_id(profile, dataset.version)
    folder = TrainingFolder(paths.training(identifier))
    if not folder.exists:
        record = TrainingRecord(
            id=identifier,
            instrument=paths.slug,
            profile=profile.model_dump(mode="json"),
            dataset=asdict(dataset),
            started=now(),
        )
        folder.write(record)
    return folder


def current_training(paths: InstrumentPaths) -> TrainingFolder:
    """Return the training that ``checkpoints`` points to.

    Raises:
        InputError: the instrument was never trained.
    """
    if not paths.checkpoints.is_symlink():
        raise InputError(f"{paths.slug} has no training yet: materialize its `checkpoints` first.")
    return TrainingFolder(paths.checkpoints.resolve().parent)


def now() -> str:
    """Return the present time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def software_versions() -> dict[str, str]:
    """Return the versions of the software that the result of a training depends on."""
    packages = ("acids-rave", "torch", "pytorch-lightning", "cached-conv", "numpy", "scipy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
