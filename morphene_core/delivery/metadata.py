"""``metadata.json`` of a delivery: all that is known of it, for programs."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from morphene_core.approval import Approval
from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.audits import Audit
from morphene_core.delivery.candidate import Candidate, complete
from morphene_core.delivery.lineage import SourceFile, distinct, source_titles
from morphene_core.delivery.model import described_model
from morphene_core.delivery.papers import attributions
from morphene_core.delivery.rendering import made_with
from morphene_core.delivery.rights import Decision
from morphene_core.delivery.schema import FORMAT
from morphene_core.delivery.tools import tools
from morphene_core.final_model import FinalModel
from morphene_core.gate import Criterion
from morphene_core.selection import Selection
from morphene_core.training import TrainingRecord

_OF_THE_CATALOGUE = ("number", "slug", "name", "tier", "musical_source", "nonmusical_source")


def describe(found: Candidate, version: int, previous: int | None) -> dict[str, Any]:
    """Return the metadata of a delivery, all but the checksums of its files.

    The same candidate gives the same from the same Morphene: nothing in it says when it was
    delivered.

    Args:
        found: what is delivered.
        version: of the delivery.
        previous: version of the delivery before it.

    Raises:
        InputError: it is not audited, or not exported.
    """
    audit, model = complete(found)
    described = _finite(
        {
            "format": FORMAT,
            "instrument": {name: getattr(found.instrument, name) for name in _OF_THE_CATALOGUE},
            "delivery": {"version": version, "previous": previous},
            "shippable": found.profile.shippable,
            "notice": _notice(found),
            "audio": {"sample_rate": SAMPLE_RATE, "channels": 1, "demo": _demo(found)},
            "model": described_model(found.paths.slug, model),
            "training": _training(found.training),
            "checkpoint": _checkpoint(found.selection, audit),
            "criteria": [_criterion(criterion) for criterion in found.criteria.values()],
            "approval": _approval(found.approved),
            "realtime": model.realtime,
            "lineage": _lineage(found, model),
            "terms": _terms(found),
        }
    )
    return {**described, "made_with": made_with(described)}


def _notice(found: Candidate) -> str | None:
    profile = found.profile
    if profile.shippable:
        return None
    return f"NOT SHIPPABLE: made with the profile {profile.name!r}. {profile.description}"


def _demo(found: Candidate) -> dict[str, Any]:
    audio = found.heldout()
    versions = {role: prepared.data_version for role, prepared in audio.items()}
    return {"audio": versions, "never_heard": found.never_heard(audio)}


def _training(training: TrainingRecord) -> dict[str, Any]:
    schedule = training.schedule
    phase_1 = min(schedule.phase_1_steps, training.step) if schedule else training.step
    return {
        "id": training.id,
        "profile": training.profile,
        "steps": training.step,
        "phase_1_steps": phase_1,
        "phase_2_steps": training.step - phase_1,
        "hours": round(training.seconds / 3600, 3),
        "attempts": training.attempts,
        "hardware": training.device,
        "seed": training.training_profile.training.seed,
        "started": training.started,
        "finished": training.finished,
        "versions": training.versions,
    }


def _checkpoint(selection: Selection, audit: Audit) -> dict[str, Any]:
    return {
        "step": selection.step,
        "phase": audit.phase,
        "sha256": selection.checkpoint_sha256,
        "reason": selection.reason,
        "chosen_by": selection.by,
        "metrics": audit.metrics,
    }


def _approval(approved: Approval) -> dict[str, Any]:
    return {
        "state": approved.state,
        "text": approved.text,
        "verdict": asdict(approved.verdict) if approved.verdict else None,
    }


def _lineage(found: Candidate, model: FinalModel) -> dict[str, Any]:
    return {
        "dataset": found.training.dataset["version"],
        "sources": [_source(file) for file in found.files],
        "checkpoint": found.selection.checkpoint_sha256,
        "runs": {"training": list(found.training.runs), "export": model.run},
    }


def _criterion(criterion: Criterion) -> dict[str, Any]:
    return {
        "name": criterion.name,
        "title": criterion.title,
        "passed": criterion.passed,
        "text": criterion.text,
        "numbers": [asdict(number) for number in criterion.numbers],
    }


def _source(file: SourceFile) -> dict[str, Any]:
    source = file.source
    return {
        "role": file.role,
        "source": source.name,
        "licence": source.licence,
        "origin": source.origin,
        "attribution": source.attribution,
        "document_sha256": source.document_sha256,
        "path": file.path,
        "sha256": file.sha256,
    }


def _terms(found: Candidate) -> dict[str, Any]:
    terms = found.terms
    return {
        "release": found.release,
        "licence": terms.licence,
        "commercial": terms.commercial,
        "share_alike": terms.share_alike,
        "conditions": terms.conditions,
        "unclear": terms.unclear,
        "obstacles": [obstacle.text for obstacle in terms.obstacles],
        "attributions": attributions(distinct(found.files)),
        "tools": [asdict(tool) for tool in tools(found.training.versions)],
        "rights": _rights(found.rights, source_titles(found.files)) if found.rights else None,
    }


def _rights(rights: Decision, sources: list[str]) -> dict[str, Any]:
    named = ("who", "at", "release", "decision", "document", "document_sha256", "sources")
    said = {name: getattr(rights, name) for name in named}
    return {**said, "not_covered": rights.missing(sources)}


def _finite(data: Any) -> Any:
    """Return data without numbers that JSON does not have, NaN and infinities: None for each."""
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
