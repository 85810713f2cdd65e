"""Audits: what each checkpoint makes of the same references, as audio and as numbers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from morphene_core.audio.excerpt import excerpt
from morphene_core.audio.loudness import level_dbfs
from morphene_core.audio.prepared import PreparedAudio
from morphene_core.audio.spectral import spectral_distance
from morphene_core.audio.wav import Mono, read_mono, write_wav
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, read_json, sha256, write_json
from morphene_core.home import ROLES, Role
from morphene_core.profiles import LARGEST_RATIO
from morphene_core.progress import Report, silent
from morphene_core.training import Checkpoint, TrainingFolder

MORPH_AMOUNTS = (0, 25, 50, 75, 100)
"""Percent of the non-musical source in the morphs."""

RENDER_NAMES = ("musical_recon", "nonmusical_recon", *(f"morph_{a:02d}" for a in MORPH_AMOUNTS))
"""File stems of an audit's renders."""

Renders = dict[str, Mono]
Render = Callable[[Path, Mono, Mono], Renders]
"""Makes the renders of a checkpoint from a musical and a non-musical reference."""

_SILENT_DBFS = -80.0


@dataclass(frozen=True)
class Audit:
    """What was measured of one checkpoint.

    Attributes:
        step: of the checkpoint.
        phase: of the training at that step.
        checkpoint_sha256: hash of the checkpoint that was rendered.
        references_sha256: hashes of the reference files by role.
        spectral_distance: between a role's reference and its reconstruction.
        level_dbfs: RMS level of each render.
        finite: whether every sample of every render is a finite number.
    """

    step: int
    phase: int
    checkpoint_sha256: str
    references_sha256: dict[str, str]
    spectral_distance: dict[str, float]
    level_dbfs: dict[str, float]
    finite: bool

    @property
    def sounds(self) -> bool:
        """Whether all renders are finite and none is silent."""
        return self.finite and min(self.level_dbfs.values()) > _SILENT_DBFS


def write_references(
    folder: TrainingFolder, heldout: dict[Role, PreparedAudio], seconds: float
) -> dict[Role, Path]:
    """Write a training's two reference files, excerpts of held-out audio, unless they are there.

    They stay the same for all checkpoints of a training: only so can these be compared. Both have
    one length, a multiple of 2048 samples (RAVE's block).
    """
    paths = {role: folder.audit / "references" / f"{role}.wav" for role in ROLES}
    if not all(path.exists() for path in paths.values()):
        audio = {role: excerpt(heldout[role].heldout, seconds) for role in ROLES}
        length = min(len(a) for a in audio.values()) // LARGEST_RATIO * LARGEST_RATIO
        with atomic_folder(folder.audit / "references") as temporary:
            for role in ROLES:
                write_wav(temporary / f"{role}.wav", audio[role][:length])
    return paths


def audit_checkpoints(
    folder: TrainingFolder, references: dict[Role, Path], render: Render, report: Report = silent
) -> list[Audit]:
    """Audit every checkpoint of a training that was not audited with these references yet.

    Args:
        folder: of the training.
        references: audio file of each role, mono, 48 kHz, of equal length.
        render: makes a checkpoint's renders.
        report: takes progress.

    Returns:
        The audits of all checkpoints, by step.
    """
    audio = {role: read_mono(path) for role, path in references.items()}
    hashes: dict[str, str] = {role: sha256(path) for role, path in references.items()}
    audits = []
    checkpoints = folder.read().checkpoints
    for number, checkpoint in enumerate(checkpoints, start=1):
        audit = read_audit(folder, checkpoint.step)
        if audit is None or (audit.checkpoint_sha256, audit.references_sha256) != (
            checkpoint.sha256,
            hashes,
        ):
            report(f"auditing checkpoint {checkpoint.step:,}: {number} of {len(checkpoints)}")
            renders = render(
                folder.checkpoint_path(checkpoint), audio["musical"], audio["nonmusical"]
            )
            audit = _measure(checkpoint, renders, audio, hashes)
            _publish(folder.audit_path(checkpoint.step), audit, renders)
        audits.append(audit)
    return audits


def read_audit(folder: TrainingFolder, step: int) -> Audit | None:
    """Return the audit of a checkpoint, or None if there is none."""
    path = folder.audit_path(step) / "metrics.json"
    return Audit(**read_json(path)) if path.exists() else None


def read_audits(folder: TrainingFolder) -> list[Audit]:
    """Return the audits of all checkpoints, by step.

    Raises:
        InputError: a checkpoint has not been audited.
    """
    audits = []
    for checkpoint in folder.read().checkpoints:
        audit = read_audit(folder, checkpoint.step)
        if audit is None:
            raise InputError(
                f"{folder.checkpoint_path(checkpoint)} is not audited: materialize `audit_renders`."
            )
        audits.append(audit)
    return audits


def _measure(
    checkpoint: Checkpoint, renders: Renders, references: dict[Role, Mono], hashes: dict[str, str]
) -> Audit:
    return Audit(
        step=checkpoint.step,
        phase=checkpoint.phase,
        checkpoint_sha256=checkpoint.sha256,
        references_sha256=hashes,
        spectral_distance={
            role: round(spectral_distance(references[role], renders[f"{role}_recon"]), 4)
            for role in ROLES
        },
        level_dbfs={
            name: round(level_dbfs(np.nan_to_num(audio, posinf=0, neginf=0)), 2)
            for name, audio in renders.items()
        },
        finite=all(bool(np.isfinite(audio).all()) for audio in renders.values()),
    )


def _publish(path: Path, audit: Audit, renders: Renders) -> None:
    with atomic_folder(path) as temporary:
        for name, audio in renders.items():
            write_wav(temporary / f"{name}.wav", np.nan_to_num(audio))
        write_json(temporary / "metrics.json", asdict(audit))


def audit_rows(audits: list[Audit]) -> list[dict[str, Any]]:
    """Return the audits as rows of a table."""
    return [
        {
            "step": audit.step,
            "phase": audit.phase,
            "musical spectral distance": audit.spectral_distance["musical"],
            "nonmusical spectral distance": audit.spectral_distance["nonmusical"],
            "sounds": audit.sounds,
        }
        for audit in audits
    ]
