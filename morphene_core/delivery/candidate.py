"""What is to be delivered: the selected checkpoint, and all that is known of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from morphene_core.approval import Approval, approval
from morphene_core.audio.prepared import PreparedAudio, load_prepared
from morphene_core.audits import Audit, read_audit
from morphene_core.criteria import load_thresholds
from morphene_core.dataset import dataset_version
from morphene_core.delivery.lineage import SourceFile, distinct, source_files, source_titles
from morphene_core.delivery.rights import Decision, standing_decision
from morphene_core.delivery.terms import InstrumentTerms, Obstacle, what_follows
from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.final_model import FinalModel, export_of, model_path
from morphene_core.gate import PLAYBACK, Criterion, evaluate, obstacles
from morphene_core.home import ROLES, Home, InstrumentPaths, Release, Role
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.profiles import Profile
from morphene_core.selection import Selection, read_selection
from morphene_core.training import TrainingFolder, TrainingRecord, current_training


@dataclass(frozen=True)
class Candidate:
    """A checkpoint before its delivery.

    Attributes:
        paths: of the instrument.
        instrument: what the catalogue says of it.
        folder: of the training.
        training: its record.
        selection: the checkpoint.
        audit: of the checkpoint, if there is one.
        model: its export, if there is one.
        approved: what people say of it.
        criteria: the five, by their names.
        files: that it was trained on.
        release: how it is to be released.
        terms: that follow from the files.
        rights: the decision that stands for such a release.
    """

    paths: InstrumentPaths
    instrument: Instrument
    folder: TrainingFolder
    training: TrainingRecord
    selection: Selection
    audit: Audit | None
    model: FinalModel | None
    approved: Approval
    criteria: dict[str, Criterion]
    files: list[SourceFile]
    release: Release
    terms: InstrumentTerms
    rights: Decision | None

    @property
    def profile(self) -> Profile:
        """The profile that it was trained with."""
        return self.training.training_profile

    @property
    def model_file(self) -> Path:
        """Where its export lies."""
        return model_path(self.paths, self.training.id, self.selection.step)

    @property
    def needs_export(self) -> bool:
        """Whether its export is missing or damaged, or has yet to prove itself before it ships."""
        if self.model is None or sha256(self.model_file) != self.model.sha256:
            return True
        return self.profile.shippable and not self.criteria[PLAYBACK].passed

    @property
    def obstacles(self) -> list[Obstacle]:
        """All that stands in the way of its delivery."""
        return obstacles(
            self.paths.slug,
            self.profile.shippable,
            self.release,
            self.criteria,
            self.approved,
            self.terms,
            source_titles(self.files),
            self.rights,
        )

    def heldout(self) -> dict[Role, PreparedAudio]:
        """Return the prepared audio of both roles, whose held-out part the demo plays.

        Raises:
            InputError: there is none.
        """
        return {role: load_prepared(self.paths.audio(role)) for role in ROLES}

    def never_heard(self, audio: dict[Role, PreparedAudio]) -> bool:
        """Whether the training held out the same audio, so that it never heard what it plays."""
        present = dataset_version(audio, self.profile.training.n_signal)
        return bool(present == self.training.dataset["version"])


def candidate(paths: InstrumentPaths) -> Candidate:
    """Return what would be delivered of an instrument now.

    Raises:
        InputError: nothing is trained or selected, or a record is damaged.
    """
    folder = current_training(paths)
    training, selection = folder.read(), read_selection(folder)
    step, digest = selection.step, selection.checkpoint_sha256
    audit, model = read_audit(folder, step), export_of(paths, training.id, step, digest)
    approved = approval(paths, training.training_profile, step, digest)
    thresholds = load_thresholds(paths.home)
    files = source_files(paths, training.dataset["sources"])
    release = Home(paths.home).release(paths.slug)
    return Candidate(
        paths=paths,
        instrument=get_instrument(paths.slug),
        folder=folder,
        training=training,
        selection=selection,
        audit=audit,
        model=model,
        approved=approved,
        criteria=evaluate(paths.slug, selection, audit, thresholds, model, approved),
        files=files,
        release=release,
        terms=what_follows(distinct(files), release, datetime.now(UTC).date()),
        rights=standing_decision(paths, release),
    )


def complete(found: Candidate) -> tuple[Audit, FinalModel]:
    """Return the audit and the export of a candidate.

    Raises:
        InputError: one of them is missing.
    """
    if found.audit is None:
        raise InputError(
            f"Step {found.selection.step:,} of {found.paths.slug} is not audited: run the job"
            " `audit`."
        )
    if found.model is None:
        raise InputError(
            f"{found.model_file} is missing or not the selected checkpoint's: materialize"
            " `final_model` first."
        )
    return found.audit, found.model
