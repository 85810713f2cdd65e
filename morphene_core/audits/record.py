"""What was measured of a checkpoint, and where it lies."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from morphene_core.errors import InputError
from morphene_core.files import read_json, write_json
from morphene_core.home import ROLES, Role
from morphene_core.metrics import METRICS, METRICS_VERSION
from morphene_core.training import TrainingFolder

MORPH_AMOUNTS = (0, 25, 50, 75, 100)
"""Percent of the non-musical source in the morphs."""

RENDER_NAMES = ("musical_recon", "nonmusical_recon", *(f"morph_{a:02d}" for a in MORPH_AMOUNTS))
"""File stems of an audit's renders."""

_FILE = "metrics.json"


@dataclass(frozen=True)
class Audit:
    """What was measured of one checkpoint.

    Attributes:
        step: of the checkpoint.
        phase: of the training at that step.
        checkpoint_sha256: hash of the checkpoint that was rendered.
        references_sha256: hashes of the reference files by role.
        metrics: by the names of `morphene_core.metrics.METRICS`; None where nothing could be
            measured, such as the pitch of what has none.
        artifacts: by render, then by the names of `morphene_core.metrics.ARTIFACTS`.
        loudness_lufs: of each render and reference as written.
        gain_db: what was added to each render's level to match it.
        path: of the morph over 21 points: ``amount``, the distances ``to_musical`` and
            ``to_nonmusical``, and the 20 ``step`` lengths between them.
        version: of the measurements.
    """

    step: int
    phase: int
    checkpoint_sha256: str
    references_sha256: dict[Role, str]
    metrics: dict[str, float | None]
    artifacts: dict[str, dict[str, float]]
    loudness_lufs: dict[str, float]
    gain_db: dict[str, float]
    path: dict[str, list[float]]
    version: str

    def is_of(self, checkpoint_sha256: str, references_sha256: dict[Role, str]) -> bool:
        """Whether it measured these files as they would be measured today."""
        return (self.checkpoint_sha256, self.references_sha256, self.version) == (
            checkpoint_sha256,
            references_sha256,
            METRICS_VERSION,
        )


def read_audit(folder: TrainingFolder, step: int) -> Audit | None:
    """Return the audit of a checkpoint of a training, or None if there is none that can be read."""
    return read_audit_folder(folder.audit_path(step))


def read_audit_folder(path: Path) -> Audit | None:
    """Return the audit that lies in a folder, or None if there is none that can be read.

    An audit of an older version of Morphene is none: it is made anew.
    """
    try:
        return Audit(**read_json(path / _FILE))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def read_audits(folder: TrainingFolder) -> list[Audit]:
    """Return the audits that there are of a training's checkpoints, by step.

    Raises:
        InputError: there is none.
    """
    found = (read_audit(folder, checkpoint.step) for checkpoint in folder.read().checkpoints)
    audits = [audit for audit in found if audit]
    if not audits:
        raise InputError(
            f"No checkpoint of {folder.path} is audited: materialize `audit_renders` first."
        )
    return audits


def unaudited_steps(folder: TrainingFolder) -> list[int]:
    """Return the steps of the checkpoints of a training that have no audit of today's kind."""
    found = []
    for checkpoint in folder.read().checkpoints:
        audit = read_audit(folder, checkpoint.step)
        if audit is None or (audit.checkpoint_sha256, audit.version) != (
            checkpoint.sha256,
            METRICS_VERSION,
        ):
            found.append(checkpoint.step)
    return found


def write_audit(path: Path, audit: Audit) -> None:
    """Write an audit's measurements into its folder."""
    write_json(path / _FILE, asdict(audit))


def references(folder: TrainingFolder) -> dict[Role, Path]:
    """Return where the reference files of a training's audits lie."""
    return {role: folder.audit / "references" / f"{role}.wav" for role in ROLES}


def audit_rows(audits: list[Audit]) -> list[dict[str, Any]]:
    """Return the audits as rows of a table, a column for each metric."""
    return [
        {"step": audit.step, "phase": audit.phase}
        | {name.replace("_", " "): _short(audit.metrics.get(name)) for name in METRICS}
        for audit in audits
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
