"""The five quality criteria of an instrument, each with its number, threshold and picture."""

from typing import Any

import dagster as dg

from morphene_core.approval import Approval
from morphene_core.final_model import model_path, realtime_picture
from morphene_core.gate import Criterion, criteria_of
from morphene_core.home import InstrumentPaths
from morphene_core.selection import read_selection
from morphene_core.stages import approval_of
from morphene_core.training import current_training
from morphene_dagster.checks.common import Finding, instrument_check
from morphene_dagster.listening import room_url
from morphene_dagster.metadata import picture, table
from morphene_dagster.resources import Project

_PICTURES = {
    "musical_reconstruction": "musical",
    "nonmusical_reconstruction": "nonmusical",
    "morph_progression": "morph",
    "musicality": "morph",
}


def _measured(criterion: str, description: str) -> dg.AssetChecksDefinition:
    """Return the check of a criterion that measurements of the selected checkpoint decide."""

    def judge_selected(project: Project, paths: InstrumentPaths) -> Finding:
        found = criteria_of(paths)[criterion]
        score = (
            {} if found.score is None else {"score (1 = at the thresholds)": round(found.score, 4)}
        )
        return Finding(
            found.passed,
            found.text,
            serious=False,
            metadata=_numbers(found) | score | _look_and_listen(paths, criterion),
        )

    return instrument_check("selected_checkpoint", criterion, description, judge_selected)


def _plays(project: Project, paths: InstrumentPaths) -> Finding:
    found = criteria_of(paths)["real_time_playback"]
    text = found.text if found.passed else f"{found.text} {found.remedy}"
    folder = current_training(paths)
    png = realtime_picture(model_path(paths, folder.path.name, read_selection(folder).step))
    shown = {"picture": picture(png.read_bytes())} if png.exists() else {}
    return Finding(found.passed, text, serious=False, metadata=_numbers(found) | shown)


def _musical(project: Project, paths: InstrumentPaths) -> Finding:
    found, approved = criteria_of(paths)["musicality"], approval_of(paths)
    return Finding(
        found.passed,
        found.text,
        serious=approved.state == "rejected",
        metadata=_verdict(approved) | _look_and_listen(paths, "musicality"),
    )


def _look_and_listen(paths: InstrumentPaths, criterion: str) -> dict[str, Any]:
    """Return the step that was judged, its picture, and the link to where it can be heard."""
    folder = current_training(paths)
    step = read_selection(folder).step
    png = folder.audit_path(step) / f"{_PICTURES[criterion]}.png"
    return {
        "step": step,
        **({"picture": picture(png.read_bytes())} if png.exists() else {}),
        "listen": dg.MetadataValue.url(room_url(paths, folder, step)),
    }


def _numbers(found: Criterion) -> dict[str, Any]:
    settled = "fixed" if found.score is None else "calibrated"
    rows = [
        {
            "metric": number.title,
            "value": None if number.value is None else float(f"{number.value:.4g}"),
            "threshold": number.threshold,
            "unit": number.unit,
            "better": number.better,
            "holds": number.passed,
            "threshold is": "provisional" if number.provisional else settled,
        }
        for number in found.numbers
    ]
    return {"numbers": table(rows)} if rows else {}


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
