"""The selected checkpoint of a training, on record."""

from dataclasses import asdict, dataclass, fields, replace

from morphene_core.audits import read_audits
from morphene_core.criteria import Thresholds
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import locked, read_json, write_json
from morphene_core.selection.choices import RANKING, Choice, standing_choice
from morphene_core.selection.ranking import Ranking, rank
from morphene_core.training import Checkpoint, TrainingFolder, now

_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Selection:
    """The checkpoint that ships.

    Attributes:
        step: of the checkpoint.
        checkpoint_sha256: its hash: a selection holds for this very file.
        reason: why it was chosen, in words.
        chosen_at: UTC time since when it is chosen.
        by: "ranking", or the name of the person who chose it.
        ranking_version: of the ranking that decided; empty if a person did.
    """

    step: int
    checkpoint_sha256: str
    reason: str
    chosen_at: str
    by: str = RANKING
    ranking_version: str = ""


def select_checkpoint(folder: TrainingFolder, thresholds: Thresholds) -> Selection:
    """Select the checkpoint that ships, and record it.

    The newest choice of a person wins, as long as the checkpoint is the file that was chosen; else
    the ranking's first. The record is left as it is if nothing has changed.

    Raises:
        InputError: no person chose, and no checkpoint is audited.
        MorpheneError: no person chose, all audited checkpoints have faults, and the profile makes
            instruments that ship.
    """
    busy = f"The checkpoint of {folder.path.name} is being selected by another process. Try again."
    with locked(folder.path / ".selected_checkpoint.lock", busy, _WAIT_SECONDS):
        selection = _decide(folder, thresholds)
        if folder.selection.exists():
            before = read_selection(folder)
            if _same_choice(selection, before):
                selection = replace(selection, chosen_at=before.chosen_at)
            if selection == before:
                return before
        write_json(folder.selection, asdict(selection))
    return selection


def read_selection(folder: TrainingFolder) -> Selection:
    """Return a training's recorded selection.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    names = {field.name for field in fields(Selection)}
    try:
        data = read_json(folder.selection)
        return Selection(**{name: data[name] for name in names & data.keys()})
    except FileNotFoundError as error:
        raise InputError(
            f"No checkpoint of {folder.path} is selected: materialize `selected_checkpoint` first."
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder.selection} is damaged ({error}). Delete it and select again."
        ) from error


def rank_checkpoints(folder: TrainingFolder, thresholds: Thresholds) -> Ranking:
    """Rank a training's audited checkpoints; audits of files that were replaced since are left.

    Raises:
        InputError: no checkpoint is audited.
    """
    hashes = {checkpoint.step: checkpoint.sha256 for checkpoint in folder.read().checkpoints}
    audits = [a for a in read_audits(folder) if a.checkpoint_sha256 == hashes.get(a.step)]
    if not audits:
        raise InputError(
            f"No checkpoint of {folder.path} is audited as it is now: materialize `audit_renders`."
        )
    return rank(audits, thresholds)


def _decide(folder: TrainingFolder, thresholds: Thresholds) -> Selection:
    choice = standing_choice(folder)
    checkpoints = folder.read().checkpoints
    if choice and _is_there(choice, checkpoints):
        return Selection(
            choice.step, choice.checkpoint_sha256, choice.reason, choice.at, by=choice.who
        )
    ranking = rank_checkpoints(folder, thresholds)
    first, reason = ranking.first, ranking.reason
    if first is None and folder.read().profile.get("shippable", True):
        raise MorpheneError(_all_faulty(ranking, folder))
    if first is None:  # a trial is to show the whole path, however it sounds
        first = ranking.places[0]
        reason = _least_faulty(ranking)
    if waiting := len(checkpoints) - len(ranking.places):
        reason += f" Not audited yet: {waiting}."
    if choice:
        reason += f" {choice.who}'s choice of step {choice.step:,} is void: that file was replaced."
    return Selection(
        first.step, first.audit.checkpoint_sha256, reason, now(), ranking_version=ranking.version
    )


def _all_faulty(ranking: Ranking, folder: TrainingFolder) -> str:
    latest = max(ranking.places, key=lambda place: place.step)
    return (
        f"All {len(ranking.places)} audited checkpoints of {folder.path.name} have faults (step"
        f" {latest.step:,}: {latest.faults[0]}). Train anew, or listen and choose one all the same:"
        " `morphene select`."
    )


def _least_faulty(ranking: Ranking) -> str:
    first = ranking.places[0]
    return (
        f"All {len(ranking.places)} audited checkpoints have faults; the profile makes no"
        f" instruments that ship, so step {first.step:,}, with the least distance"
        f" ({first.distance:.2f}), is taken all the same. Its faults: {'; '.join(first.faults)}."
    )


def _is_there(choice: Choice, checkpoints: tuple[Checkpoint, ...]) -> bool:
    return (choice.step, choice.checkpoint_sha256) in {(c.step, c.sha256) for c in checkpoints}


def _same_choice(a: Selection, b: Selection) -> bool:
    return a.by == b.by == RANKING and a.checkpoint_sha256 == b.checkpoint_sha256
