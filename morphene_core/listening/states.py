"""How far each instrument is, by the files that are there."""

from dataclasses import dataclass
from typing import Any, Literal

from morphene_core.errors import DAMAGED
from morphene_core.files import read_json
from morphene_core.final_model import export_of
from morphene_core.home import ROLES, InstrumentPaths
from morphene_core.selection import Selection, read_selection
from morphene_core.training import TrainingFolder
from morphene_core.training.live import is_running, read_live
from morphene_core.verdicts import Verdict, verdict_on

State = Literal[
    "empty", "sources", "prepared", "training", "trained", "audited", "selected", "exported",
    "approved", "rejected", "delivered",
]  # fmt: skip
"""From nothing to a delivery; "training" while a trainer runs."""


@dataclass(frozen=True)
class Standing:
    """How far an instrument is.

    Attributes:
        state: in one word.
        training: id of the current training, "" if there is none.
        checkpoints: of it.
        audited: how many of them have an audit.
        running: what a trainer is doing, see `morphene_core.training.live.Live`.
        selection: the selected checkpoint of the current training.
        verdict: the newest on the selected checkpoint.
        exported: whether the selected checkpoint is exported.
        problem: what could not be read, in words.
    """

    state: State
    training: str = ""
    checkpoints: int = 0
    audited: int = 0
    running: dict[str, Any] | None = None
    selection: Selection | None = None
    verdict: Verdict | None = None
    exported: bool = False
    problem: str = ""

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody to listen and decide."""
        return self.state in ("selected", "exported")


def standing(paths: InstrumentPaths) -> Standing:
    """Return how far an instrument is. Never raises for damaged files: it says what is wrong."""
    try:
        return _standing(paths)
    except DAMAGED as error:
        return Standing(_before_training(paths), problem=str(error))


def current(paths: InstrumentPaths) -> TrainingFolder | None:
    """Return the training that ships, or None: the one that the links point to."""
    if not paths.checkpoints.is_symlink():
        return None
    folder = TrainingFolder(paths.training(paths.checkpoints.resolve().parent.name))
    return folder if folder.exists else None


def all_trainings(paths: InstrumentPaths) -> list[TrainingFolder]:
    """Return all trainings of an instrument, the newest first; last those that cannot be read."""

    def started(folder: TrainingFolder) -> str:
        try:
            return folder.read().started
        except DAMAGED:
            return ""

    folders = [TrainingFolder(path) for path in paths.trainings.glob("*/")]
    return sorted((f for f in folders if f.exists), key=started, reverse=True)


def selection_of(folder: TrainingFolder) -> Selection | None:
    """Return the selected checkpoint of a training, or None if none is selected."""
    return read_selection(folder) if folder.selection.exists() else None


def running(folder: TrainingFolder) -> dict[str, Any] | None:
    """Return what a trainer does in a folder at this moment, or None."""
    if not is_running(folder):
        return None
    live = read_live(folder)
    if live is None:
        return {"doing": "starting", "step": 0, "total_steps": None, "seconds_left": None}
    return {
        "doing": live.doing,
        "step": live.step,
        "total_steps": live.total_steps,
        "phase": live.phase,
        "seconds_left": live.seconds_left,
    }


def _standing(paths: InstrumentPaths) -> Standing:
    folder = current(paths)
    if folder is None:
        return Standing(_before_training(paths))
    record = folder.read()
    audited = sum((folder.audit_path(c.step) / "metrics.json").exists() for c in record.checkpoints)
    live, selection = running(folder), selection_of(folder)
    verdict = verdict_on(paths, selection.checkpoint_sha256) if selection else None
    exported = selection is not None and bool(
        export_of(paths, record.id, selection.step, selection.checkpoint_sha256)
    )
    state: State = "audited" if audited else "trained"
    if live:
        state = "training"
    elif selection:
        state = _selected(paths, selection, verdict, exported)
    elif not record.checkpoints:
        state = _before_training(paths)
    return Standing(
        state, record.id, len(record.checkpoints), audited, live, selection, verdict, exported
    )


def _selected(
    paths: InstrumentPaths, selection: Selection, verdict: Verdict | None, exported: bool
) -> State:
    if verdict and verdict.decision == "rejected":
        return "rejected"
    if _is_delivered(paths, selection):
        return "delivered"
    if verdict:
        return "approved"
    return "exported" if exported else "selected"


def _is_delivered(paths: InstrumentPaths, selection: Selection) -> bool:
    path = paths.final / "metadata.json"
    if not path.exists():
        return False
    return bool(read_json(path)["checkpoint"]["sha256"] == selection.checkpoint_sha256)


def _before_training(paths: InstrumentPaths) -> State:
    if (paths.preprocessed_db / "dataset.json").exists():
        return "prepared"
    recorded = any(paths.register(role).exists() for role in ROLES)
    return "sources" if recorded else "empty"
