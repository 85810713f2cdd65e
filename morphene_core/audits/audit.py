"""Audits: what each checkpoint makes of the same references, as audio, pictures and numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from morphene_core.audio.wav import write_wav
from morphene_core.audits.levels import loudness, matched
from morphene_core.audits.model import AuditedModel
from morphene_core.audits.pictures import PICTURES, draw_pictures
from morphene_core.audits.record import (
    RENDER_NAMES,
    Audit,
    read_audit_folder,
    write_audit,
)
from morphene_core.audits.renders import Measured, References
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, sha256
from morphene_core.home import ROLES, Role
from morphene_core.metrics import METRICS_VERSION
from morphene_core.progress import Progress, Report, silent
from morphene_core.training import TrainingFolder

_FILES = (*(f"{name}.wav" for name in RENDER_NAMES), *(f"{name}.png" for name in PICTURES))

OpenModel = Callable[[Path], AuditedModel]


@dataclass(frozen=True)
class Audited:
    """A model file that is to be audited.

    Attributes:
        file: the checkpoint.
        folder: of its audit.
        step: of the training; 0 if it is not known.
        phase: of the training at that step.
        title: of its pictures.
        sha256: that the file should have; None if that is not on record.
    """

    file: Path
    folder: Path
    step: int
    phase: int
    title: str
    sha256: str | None = None


def checkpoints_of(folder: TrainingFolder, title: str) -> list[Audited]:
    """Return the checkpoints of a training as what is to be audited."""
    return [
        Audited(
            folder.checkpoint_path(checkpoint),
            folder.audit_path(checkpoint.step),
            checkpoint.step,
            checkpoint.phase,
            f"{title}, step {checkpoint.step:,}",
            checkpoint.sha256,
        )
        for checkpoint in folder.read().checkpoints
    ]


def audit_all(
    audited: Sequence[Audited],
    paths: dict[Role, Path],
    open_model: OpenModel,
    report: Report = silent,
) -> list[Audit]:
    """Audit every model that was not audited with these references yet.

    One that cannot be opened is said and left out; the others are audited.

    Args:
        audited: the models.
        paths: audio file of each role: mono, 48 kHz, of equal length.
        open_model: opens a model's file.
        report: takes progress.

    Returns:
        The audits that there are then, in the same order.

    Raises:
        InputError: not one of them can be audited; the reason is the first one's.
    """
    hashes: dict[Role, str] = {role: sha256(path) for role, path in paths.items()}
    there = {one.folder: _present(one, hashes) for one in audited}
    missing = [one for one in audited if there[one.folder] is None]
    progress = Progress("auditing checkpoints", len(missing), report)
    references = References(paths) if missing else None
    failures: list[InputError] = []
    for number, one in enumerate(missing):
        assert references is not None
        progress.advance(number, one.file.name)
        try:
            there[one.folder] = _audit(one, references, open_model)
        except InputError as error:
            report(f"Warning: not audited: {error}")
            failures.append(error)
    audits = [audit for one in audited if (audit := there[one.folder])]
    if failures and not audits:
        raise failures[0]
    return audits


def _present(one: Audited, hashes: dict[Role, str]) -> Audit | None:
    """Return the audit of a model if it is there and up to date."""
    if not all((one.folder / name).is_file() for name in _FILES):
        return None
    audit = read_audit_folder(one.folder)
    expected = one.sha256 or (audit and one.file.exists() and sha256(one.file))
    return audit if audit and expected and audit.is_of(expected, hashes) else None


def _audit(one: Audited, references: References, open_model: OpenModel) -> Audit:
    if not one.file.exists():
        raise InputError(f"{one.file} is missing.")
    digest = sha256(one.file)
    if one.sha256 and digest != one.sha256:
        raise InputError(f"{one.file} is damaged: it is not what the training wrote.")
    measured = references.measure(open_model(one.file))
    return _publish(one, digest, references, measured)


def _publish(one: Audited, digest: str, references: References, measured: Measured) -> Audit:
    """Write an audit's folder, complete or not at all."""
    levelled = {name: matched(measured.renders[name]) for name in RENDER_NAMES}
    loudnesses = {name: loud for name, (_, _, loud) in levelled.items()}
    pair = (references.musical, references.nonmusical)
    audit = Audit(
        step=one.step,
        phase=one.phase,
        checkpoint_sha256=digest,
        references_sha256=references.hashes,
        metrics={
            name: None if value is None else _six(value) for name, value in measured.metrics.items()
        },
        artifacts={
            name: {kind: _six(v) for kind, v in measured.artifacts[name].items()}
            for name in RENDER_NAMES
        },
        loudness_lufs=loudnesses
        | {f"{role}_reference": loudness(audio) for role, audio in zip(ROLES, pair, strict=True)},
        gain_db={name: gain for name, (_, gain, _) in levelled.items()},
        path={name: [_six(v) for v in line] for name, line in measured.path.items()},
        version=METRICS_VERSION,
    )
    renders = {name: audio for name, (audio, _, _) in levelled.items()}
    with atomic_folder(one.folder) as temporary:
        for name, audio in renders.items():
            write_wav(temporary / f"{name}.wav", audio)
        draw_pictures(temporary, one.title, pair, renders, measured.metrics, measured.path)
        write_audit(temporary, audit)
    return audit


def _six(value: float) -> float:
    """Return the first six digits: those after depend on how many threads computed them."""
    return float(f"{value:.6g}")
