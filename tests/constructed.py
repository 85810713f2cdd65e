"""Audits, verdicts and trainings that nobody had to make, for what only reads them."""

from pathlib import Path
from typing import Any

from morphene_core.audits import RENDER_NAMES, Audit
from morphene_core.audits.record import write_audit
from morphene_core.criteria import load_thresholds
from morphene_core.home import ROLES
from morphene_core.metrics import ARTIFACTS, METRICS, METRICS_VERSION
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord
from morphene_core.verdicts import Verdict

BUILT_IN = load_thresholds()
SOUND = dict.fromkeys(ARTIFACTS, 0.0)


def part_of(name: str, badness: float) -> float:
    """Return the value of a metric that lies this far from perfect: 1 is at its threshold."""
    best = METRICS[name].best
    return best + badness * (BUILT_IN.metrics[name].value - best)


def an_audit(step: int = 100, phase: int = 2, badness: float = 0.5, **changes: Any) -> Audit:
    """Return an audit whose metrics are all this far from perfect, but for the changes.

    Args:
        step: of the checkpoint.
        phase: of the training.
        badness: of all metrics; 1 is at the thresholds.
        changes: values of metrics by name, badness of all metrics of a criterion by its name,
            artifacts of a render by its name, or fields of the audit.
    """
    metrics: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        metrics[name] = part_of(name, changes.get(metric.criterion, badness))
    metrics |= {name: value for name, value in changes.items() if name in METRICS}
    fields: dict[str, Any] = {
        "step": step,
        "phase": phase,
        "checkpoint_sha256": f"hash-{step}",
        "references_sha256": dict.fromkeys(ROLES, "reference"),
        "metrics": metrics,
        "artifacts": {render: SOUND | changes.get(render, {}) for render in RENDER_NAMES},
        "loudness_lufs": dict.fromkeys(RENDER_NAMES, -23.0),
        "gain_db": dict.fromkeys(RENDER_NAMES, 0.0),
        "path": {"amount": [], "to_musical": [], "to_nonmusical": [], "step": []},
        "version": METRICS_VERSION,
    }
    return Audit(**fields | {name: value for name, value in changes.items() if name in fields})


def a_training(path: Path, *audits: Audit, unaudited: tuple[int, ...] = ()) -> TrainingFolder:
    """Write a training with these audits' checkpoints, and others that have no audit."""
    folder = TrainingFolder(path)
    checkpoints = [Checkpoint(a.step, a.phase, f"{a.step}.pt", f"hash-{a.step}") for a in audits]
    checkpoints += [Checkpoint(step, 2, f"{step}.pt", f"hash-{step}") for step in unaudited]
    folder.write(
        TrainingRecord("t", "pyroviolin", {}, {}, "2026-01-01", checkpoints=tuple(checkpoints))
    )
    for audit in audits:
        write_audit(folder.audit_path(audit.step), audit)
    return folder


def a_verdict(audit: Audit, **ratings: str) -> Verdict:
    """Return a verdict on an audited checkpoint, with ratings by criterion."""
    decision = "rejected" if "bad" in ratings.values() else "approved"
    return Verdict(
        "pyroviolin", "t", audit.step, audit.checkpoint_sha256, decision, ratings, "", "Ada", "now"
    )  # fmt: skip
