"""The stages of an instrument, from raw recordings to its delivery.

Each stage reads what the one before left in the project folder, does only what is not done yet,
and publishes its result complete or not at all. Any stage may be run again at any time. Those that
need RAVE or torch import them inside: they run in worker processes (`morphene_core.worker`).
"""

from dataclasses import replace
from pathlib import Path

from morphene_core.approval import Approval, approval
from morphene_core.audio.prepare import prepare_audio
from morphene_core.audio.prepared import (
    AudioSettings,
    PreparedAudio,
    Recording,
    load_current,
    load_prepared,
)
from morphene_core.audits import (
    Audit,
    audit_all,
    checkpoints_of,
    read_audits,
    references,
    write_references,
)
from morphene_core.audits.references import read_references
from morphene_core.criteria import load_thresholds
from morphene_core.dataset import DatasetRecord, dataset_version, read_record
from morphene_core.delivery.candidate import candidate
from morphene_core.errors import InputError
from morphene_core.files import (
    atomic_file,
    atomic_folder,
    combined_hash,
    locked,
    point_link,
    sha256,
    sweep,
    sweep_folders,
)
from morphene_core.final_model import (
    FinalModel,
    export_of,
    model_path,
    realtime_picture,
    write_final_model,
)
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import get_instrument
from morphene_core.profiles import Profile
from morphene_core.progress import Report, silent
from morphene_core.realtime import prove
from morphene_core.realtime.picture import realtime_png
from morphene_core.sections import play_sections
from morphene_core.selection import Selection, read_selection, select_checkpoint
from morphene_core.sources.register import (
    SourceFile,
    SourceRegister,
    load_register,
    require_some,
    survey,
)
from morphene_core.training import (
    TrainingFolder,
    TrainingRecord,
    current_training,
    open_training,
)
from morphene_core.training.attempt import BY_HAND, Attempt, Observe
from morphene_core.training.device import training_gpu
from morphene_core.training.log import logged
from morphene_core.training.requests import pending

_HANDOVER_SECONDS = 45.0
"""How long a trainer waits for one that is ending: it hears of its parent's death, and saves."""

_PROOF_SECONDS = 10.0
"""Audio that each method of an export plays for its proof; `morphene realtime` plays a minute."""

_AUDIT_WAIT_SECONDS = 1800.0
"""How long an audit waits for another one of the same training, which does a part of its work."""

_EXPORT_WAIT_SECONDS = 1800.0
"""How long an export waits for another one of the same instrument, which may do all of its work."""


def register(paths: InstrumentPaths, role: Role, report: Report = silent) -> SourceRegister:
    """Read the raw recordings of one role, compare them with the manifest, and record verdicts.

    Raises:
        InputError: the manifest is not valid, or no file can be used.
    """
    found = survey(paths, role, report)
    require_some(found, paths.sources(role))
    return found


def read_register(paths: InstrumentPaths, role: Role) -> SourceRegister:
    """Return what `register` recorded.

    Raises:
        InputError: nothing was recorded.
    """
    found = load_register(paths.register(role))
    if found is None:
        raise InputError(f"{paths.register(role)} is missing: materialize `{role}_source` first.")
    return found


def prepare(paths: InstrumentPaths, role: Role, report: Report = silent) -> PreparedAudio:
    """Prepare the accepted recordings of one role, unless that is done."""
    register, settings = read_register(paths, role), AudioSettings.of(role)
    if prepared := load_current(paths.audio(role), register.data_version, settings):
        report("prepared audio is up to date")
        return prepared
    return prepare_audio(
        paths.sources(role),
        [recording(file) for file in register.accepted],
        register.data_version,
        paths.audio(role),
        settings,
        report,
    )


def recording(file: SourceFile) -> Recording:
    """Return what the preparation needs to know of an accepted file.

    The constant part of a file is removed where the examination found that it matters.
    """
    offset = any(finding.code == "DC offset" for finding in file.findings)
    return Recording(
        file.path,
        file.examination.sha256,
        file.seconds,
        file.examination.dc_offset if offset else 0.0,
    )


def preprocess(paths: InstrumentPaths, profile: Profile, report: Report = silent) -> DatasetRecord:
    """Write the RAVE dataset of the prepared audio, unless it is there."""
    audio = {role: load_prepared(paths.audio(role)) for role in ROLES}
    folder, n_signal = paths.preprocessed_db, profile.training.n_signal
    if folder.exists():
        record = read_record(folder)
        if record.version == dataset_version(audio, n_signal):
            report("the dataset is up to date")
            return record
    from morphene_core.rave.dataset import build_dataset

    registers = {role: read_register(paths, role) for role in ROLES}
    return build_dataset(audio, registers, folder, n_signal, report)


def train(
    paths: InstrumentPaths,
    profile: Profile,
    report: Report = silent,
    observe: Observe = lambda _: None,
    attempt: Attempt = BY_HAND,
) -> TrainingRecord:
    """Train the dataset with a profile, from wherever that training stopped.

    Args:
        paths: of the instrument.
        profile: how to train it.
        report: takes progress.
        observe: takes checkpoints and progress as data.
        attempt: which run this is of, and how long it may wait for a GPU.
    """
    dataset = read_record(paths.preprocessed_db)
    if dataset.n_signal != profile.training.n_signal:
        raise InputError(
            f"{paths.preprocessed_db} was cut for examples of {dataset.n_signal} samples, profile"
            f" {profile.name} takes {profile.training.n_signal}: materialize `preprocessed_db`"
            " with the same profile first."
        )
    audio = {role: load_prepared(paths.audio(role)) for role in ROLES}
    if dataset.version != dataset_version(audio, dataset.n_signal):
        # What is held out now may be among what was trained on then.
        raise InputError(
            f"{paths.preprocessed_db} is not made from the audio as it is now prepared:"
            " materialize `preprocessed_db` first."
        )
    folder = open_training(paths, profile, dataset)
    with logged(paths.training_log(folder.path.name), report) as say:
        return _train_alone(paths, folder, profile, attempt, say, observe)


def _train_alone(
    paths: InstrumentPaths,
    folder: TrainingFolder,
    profile: Profile,
    attempt: Attempt,
    report: Report,
    observe: Observe,
) -> TrainingRecord:
    """Train in the folder, as the only one, on a GPU of its own."""
    heldout = [file for role in ROLES for file in load_prepared(paths.audio(role)).heldout]
    busy = f"{folder.path} is being trained already, by another run. Follow that one, or cancel it."

    def show() -> None:
        point_link(paths.checkpoints, folder.checkpoints)
        point_link(paths.audit, folder.audit)

    with locked(folder.lock, busy, _HANDOVER_SECONDS):
        if not paths.checkpoints.is_symlink():
            show()  # nothing is hidden by it, and that it waits for a GPU can be seen
        if folder.read().finished and not pending(folder):
            show()
            return folder.read()
        folder.write(folder.read().with_attempt(attempt.run, attempt.first_run, profile))
        with training_gpu(folder, profile, attempt.gpu_wait_minutes, report) as gpu:
            # From here on, since torch must not be loaded before the GPU is chosen.
            from morphene_core.rave.train import train as train_rave

            return train_rave(folder, paths.preprocessed_db, heldout, report, observe, gpu, show)


def audit(
    paths: InstrumentPaths, report: Report = silent, newest_only: bool = False
) -> list[Audit]:
    """Audit the checkpoints of the current training that were not audited yet.

    Args:
        paths: of the instrument.
        report: takes progress.
        newest_only: whether to leave out all but the newest checkpoint.
    """
    from morphene_core.rave.models import CheckpointModels

    folder = current_training(paths)
    chosen = {role: Home(paths.home).reference(paths.slug, role) for role in ROLES}
    heldout = {
        role: () if chosen[role] else load_prepared(paths.audio(role)).heldout for role in ROLES
    }
    seconds = folder.read().training_profile.reference_seconds
    busy = f"{folder.path} is being audited already."
    with locked(folder.audit_lock, busy, _AUDIT_WAIT_SECONDS):
        sweep_folders(folder.audit)
        files = write_references(folder.audit, chosen, heldout, seconds, report)
        title = get_instrument(paths.slug).name
        audited = checkpoints_of(folder, title)[-1 if newest_only else 0 :]
        audit_all(audited, files, CheckpointModels().open, report)
    return read_audits(folder)


def select(paths: InstrumentPaths) -> Selection:
    """Choose the checkpoint of the current training that is to ship."""
    return select_checkpoint(current_training(paths), load_thresholds(paths.home))


def export(paths: InstrumentPaths, report: Report = silent, run: str = "") -> FinalModel:
    """Export the selected checkpoint and prove that it plays in real time, unless that is done.

    It is done where the file is whole, and made with the references as they are now. A proof that
    failed is tried again: the machine may have been busy.

    Args:
        paths: of the instrument.
        report: takes progress.
        run: id of the Dagster run that this is done for.
    """
    folder = current_training(paths)
    busy = f"{paths.slug} is being exported already, by another process. Wait for that."
    with locked(paths.models / ".exports.lock", busy, _EXPORT_WAIT_SECONDS):
        sweep(paths.exports)
        sweep_folders(paths.exports)
        return _export_alone(paths, folder, report, run)


def _export_alone(
    paths: InstrumentPaths, folder: TrainingFolder, report: Report, run: str
) -> FinalModel:
    """Export and prove as the only one."""
    training, selection = folder.read(), read_selection(folder)
    path, files = model_path(paths, training.id, selection.step), references(folder)
    model = export_of(paths, training.id, selection.step, selection.checkpoint_sha256)
    if model and not _stands(model, path, files):
        model = None
    if model and model.proof.passed:
        report("the export is up to date")
        return model
    if model is None:
        model = _exported(path, folder, training, selection, run, report)
        _write_sections(path, files, report)
    report("proving that it plays in real time, as nn~ plays it")
    proof = prove(path, seconds=_PROOF_SECONDS, audio=read_references(files), report=report)
    with atomic_file(realtime_picture(path)) as picture:
        picture.write_bytes(realtime_png(proof))
    model = replace(model, realtime=proof.to_dict())
    write_final_model(path, model)
    return model


def _stands(model: FinalModel, path: Path, files: dict[Role, Path]) -> bool:
    """Whether an export is what was recorded, and its latents are turned by these references."""
    if sha256(path) != model.sha256:
        return False
    comparable = model.references_sha256 and all(file.is_file() for file in files.values())
    return not comparable or model.references_sha256 == _hash_of(files)


def _hash_of(files: dict[Role, Path]) -> str:
    return combined_hash([sha256(files[role]) for role in ROLES])


def _exported(
    path: Path,
    folder: TrainingFolder,
    training: TrainingRecord,
    selection: Selection,
    run: str,
    report: Report,
) -> FinalModel:
    """Export the selected checkpoint; return its record, without the real-time proof."""
    from morphene_core.rave.export import export as export_rave

    checkpoint = folder.checkpoint_path(training.checkpoint(selection.step))
    if not checkpoint.is_file() or sha256(checkpoint) != selection.checkpoint_sha256:
        raise InputError(
            f"{checkpoint} is not what was audited and selected: it is gone, damaged, or another"
            f" file. Put it back, or choose another step: `morphene select {training.instrument}`."
        )
    profile = training.training_profile
    name, version = get_instrument(training.instrument).name, f"{training.id}@{selection.step}"
    report(f"exporting {checkpoint.name}")
    exported = export_rave(
        checkpoint,
        path,
        read_references(references(folder)),
        profile.exported_latents,
        name,
        version,
        profile.watchdogs.min_active_latents,
    )
    return FinalModel(
        file=path.name,
        sha256=sha256(path),
        bytes=path.stat().st_size,
        profile=profile.name,
        shippable=profile.shippable,
        training=training.id,
        step=selection.step,
        checkpoint_sha256=selection.checkpoint_sha256,
        name=name,
        version=version,
        realtime={},
        run=run,
        references_sha256=_hash_of(references(folder)),
        **vars(exported),
    )


def _write_sections(path: Path, files: dict[Role, Path], report: Report) -> None:
    """Let the export be heard before anybody approves it: what it makes of the references."""
    from morphene_core.audio.wav import write_wav
    from morphene_core.audits.levels import matched

    report("playing the references through the export")
    with atomic_folder(path.with_suffix("")) as temporary:
        for name, audio in play_sections(path, *read_references(files)).items():
            write_wav(temporary / f"{name}.wav", matched(audio)[0])


def approval_of(paths: InstrumentPaths) -> Approval:
    """Return what people say of the selected checkpoint of the current training."""
    folder = current_training(paths)
    profile, selection = folder.read().training_profile, read_selection(folder)
    return approval(paths, profile, selection.step, selection.checkpoint_sha256)


def deliver(paths: InstrumentPaths, report: Report = silent) -> dict[str, object]:
    """Publish the delivery of the selected checkpoint; return the metadata of what is delivered.

    Raises:
        InputError: something is missing, all of which is listed, or it cannot be published.
    """
    from morphene_core.delivery.publish import publish

    return publish(candidate(paths), report)
