"""The five quality criteria of an instrument, each with its number, threshold and picture."""

from typing import Any

import dagster as dg

from morphene_core.approval import Approval
from morphene_core.audits import Audit, read_audit
from morphene_core.criteria import CriterionResult, audible_artifacts, judge, load_thresholds
from morphene_core.errors import InputError
from morphene_core.final_model import export_of
from morphene_core.home import InstrumentPaths
from morphene_core.metrics import METRICS
from morphene_core.selection import read_selection
from morphene_core.stages import approval_of
from morphene_core.training import TrainingFolder, current_training
from morphene_dagster.checks.common import Finding, instrument_check
from morphene_dagster.listening import room_url
from morphene_dagster.metadata import picture, table
from morphene_dagster.resources import Project

_PICTURES = {
    "musical_reconstruction": "musical",
    "nonmusical_reconstruction": "nonmusical",
    "morph_progression": "morph",
}
_LARGEST_FACTOR = 0.7  # of real time: what is left is for the host and its other instruments


def _measured(criterion: str, description: str) -> dg.AssetChecksDefinition:
    """Return the check of a criterion that measurements of the selected checkpoint decide."""

    def judge_selected(project: Project, paths: InstrumentPaths) -> Finding:
        folder, audit = _selected(paths)
        thresholds = load_thresholds(paths.home)
        result = judge(audit, thresholds)[criterion]
        # Of artifacts the criterion says that there are none, and a morph has all renders in it.
        found = audible_artifacts(audit, thresholds) if criterion == "morph_progression" else []
        return Finding(
            result.passed and not found,
            " ".join([result.text, *(f"Artifact: {line}." for line in found)]),
            serious=False,
            metadata=_numbers(result)
            | {
                "step": audit.step,
                "score (1 = at the thresholds)": round(result.score, 4),
                "picture": picture(
                    (folder.audit_path(audit.step) / f"{_PICTURES[criterion]}.png").read_bytes()
                ),
                "listen": dg.MetadataValue.url(room_url(paths, folder, audit.step)),
            },
        )

    return instrument_check("selected_checkpoint", criterion, description, judge_selected)


def _selected(paths: InstrumentPaths) -> tuple[TrainingFolder, Audit]:
    folder = current_training(paths)
    step = read_selection(folder).step
    audit = read_audit(folder, step)
    if audit is None:
        raise InputError(f"Step {step:,} of {paths.slug} is not audited: run the job `audit`.")
    return folder, audit


def _numbers(result: CriterionResult) -> dict[str, Any]:
    rows = [
        {
            "metric": METRICS[number.metric].title,
            "value": None if number.value is None else float(f"{number.value:.4g}"),
            "threshold": number.threshold,
            "unit": METRICS[number.metric].unit,
            "better": number.better,
            "holds": number.passed,
            "threshold is": "provisional" if number.provisional else "calibrated",
        }
        for number in result.numbers
    ]
    return {"numbers": table(rows)}


def _plays(project: Project, paths: InstrumentPaths) -> Finding:
    folder = current_training(paths)
    selection = read_selection(folder)
    model = export_of(paths, folder.path.name, selection.step, selection.checkpoint_sha256)
    if model is None:
        return Finding(False, f"{paths.slug} is not exported: run the job `export`.")
    slowest = max(model.playback, key=lambda play: play["real_time_factor"])
    factor = slowest["real_time_factor"]
    return Finding(
        factor <= _LARGEST_FACTOR,
        f"The slowest: {slowest['method']} in blocks of {slowest['block']}, {factor:.2f} of real"
        f" time on one thread of this machine (at most {_LARGEST_FACTOR}). A first look: mean"
        " speed, no deadline of each block.",
        serious=False,
        metadata={"playback": table(model.playback), "threshold": _LARGEST_FACTOR},
    )


def _musical(project: Project, paths: InstrumentPaths) -> Finding:
    found = approval_of(paths)
    folder, audit = _selected(paths)
    return Finding(
        found.state == "approved",
        found.text,
        serious=found.state == "rejected",
        metadata=_verdict(found)
        | {
            "picture": picture((folder.audit_path(audit.step) / "morph.png").read_bytes()),
            "listen": dg.MetadataValue.url(room_url(paths, folder, audit.step)),
        },
    )


def _verdict(found: Approval) -> dict[str, Any]:
    verdict = found.verdict
    if verdict is None:
        return {"state": found.state}
    return {
        "state": found.state,
        "listener": verdict.listener,
        "given at": verdict.at,
        "step": verdict.step,
        "checkpoint": verdict.checkpoint_sha256,
        "notes": verdict.notes,
        **{f"verdict on {name}": rating for name, rating in verdict.criteria.items()},
    }


ALL = [
    _measured(
        "musical_reconstruction",
        "The selected checkpoint makes the musical source recognizable and faithful.",
    ),
    _measured(
        "nonmusical_reconstruction",
        "The selected checkpoint captures the texture of the non-musical source.",
    ),
    _measured(
        "morph_progression",
        "The way from one source to the other is smooth, and there are no artifacts.",
    ),
    instrument_check(
        "final_model",
        "real_time_playback",
        "The export keeps up with real time, block by block.",
        _plays,
    ),
    instrument_check(
        "delivery",
        "musicality",
        "A person has listened to the selected checkpoint and approved it: it can be used across"
        " the range of the morph. Until then it is a warning; a rejection is an error.",
        _musical,
    ),
]
