"""``metadata.json`` of a delivery, and the schema that it keeps to."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.delivery.candidate import Candidate, complete
from morphene_core.delivery.lineage import SourceFile, distinct
from morphene_core.delivery.papers import attributions
from morphene_core.delivery.tools import tools
from morphene_core.files import read_json
from morphene_core.final_model import Attribute, FinalModel, Latent, Method
from morphene_core.gate import Criterion
from morphene_core.training import TrainingRecord

FORMAT = 1
"""Of the metadata: raised with the schema, which is published as that of this format."""

SCHEMA = Path(__file__).with_name("metadata.schema.json")

_LONGEST_VALUE = 60


def describe(found: Candidate, version: int, previous: int | None) -> dict[str, Any]:
    """Return the metadata of a delivery, all but the checksums of its files.

    The same candidate gives the same: nothing in it says when it was delivered.

    Args:
        found: what is delivered.
        version: of the delivery.
        previous: version of the delivery before it.

    Raises:
        InputError: it is not audited, or not exported.
    """
    audit, model = complete(found)
    instrument, selection = found.instrument, found.selection
    fields = ("number", "slug", "name", "tier", "musical_source", "nonmusical_source")
    described = {
        "format": FORMAT,
        "instrument": {name: getattr(instrument, name) for name in fields},
        "delivery": {"version": version, "previous": previous},
        "shippable": found.profile.shippable,
        "notice": _notice(found),
        "audio": {"sample_rate": SAMPLE_RATE, "channels": 1, "demo": _demo(found)},
        "model": _model(found.paths.slug, model),
        "training": _training(found.training),
        "checkpoint": {
            "step": selection.step,
            "phase": audit.phase,
            "sha256": selection.checkpoint_sha256,
            "reason": selection.reason,
            "chosen_by": selection.by,
            "metrics": audit.metrics,
        },
        "criteria": [_criterion(criterion) for criterion in found.criteria.values()],
        "approval": {
            "state": found.approved.state,
            "text": found.approved.text,
            "verdict": asdict(found.approved.verdict) if found.approved.verdict else None,
        },
        "realtime": model.realtime,
        "lineage": {
            "dataset": found.training.dataset["version"],
            "sources": [_source(file) for file in found.files],
            "checkpoint": selection.checkpoint_sha256,
            "runs": {"training": list(found.training.runs), "export": model.run},
        },
        "terms": _terms(found),
    }
    finite: dict[str, Any] = _finite(described)
    return finite


def model_of(metadata: Mapping[str, Any]) -> FinalModel:
    """Return the record of the model that a delivery's metadata describes."""
    model, training = metadata["model"], metadata["training"]
    return FinalModel(
        file=model["file"],
        sha256=model["sha256"],
        bytes=model["bytes"],
        profile=training["profile"]["name"],
        shippable=metadata["shippable"],
        training=training["id"],
        step=metadata["checkpoint"]["step"],
        checkpoint_sha256=metadata["checkpoint"]["sha256"],
        name=model["name"],
        version=model["version"],
        sample_rate=metadata["audio"]["sample_rate"],
        ratio=model["ratio"],
        latency_samples=model["latency"]["samples"],
        latents=[Latent(**latent) for latent in model["latents"]],
        methods=[Method(**method) for method in model["methods"]],
        attributes=[Attribute(**attribute) for attribute in model["attributes"]],
        realtime=dict(metadata["realtime"]),
        run=metadata["lineage"]["runs"]["export"],
    )


def schema_faults(metadata: Any, most: int = 5) -> list[str]:
    """Return where metadata break the schema, a line for each place; nothing if they keep to it.

    Args:
        metadata: what JSON can hold.
        most: how many places to name.
    """
    errors = _validator().iter_errors(metadata)
    found = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    lines = [f"{_place(error.absolute_path)}: {_shortened(error.message)}" for error in found]
    more = [f"{len(lines) - most} more places"] if len(lines) > most else []
    return lines[:most] + more


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(read_json(SCHEMA))


def _place(path: Iterator[Any]) -> str:
    return ".".join(str(part) for part in path) or "the whole"


def _shortened(text: str) -> str:
    """Return a message without the middle of a value that it quotes whole."""
    if len(text) <= 2 * _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]} … {text[-_LONGEST_VALUE:]}"


def _notice(found: Candidate) -> str | None:
    profile = found.profile
    if profile.shippable:
        return None
    return f"NOT SHIPPABLE: made with the profile {profile.name!r}. {profile.description}"


def _demo(found: Candidate) -> dict[str, Any]:
    audio = found.heldout()
    versions = {role: prepared.data_version for role, prepared in audio.items()}
    return {"audio": versions, "never_heard": found.never_heard(audio)}


def _model(slug: str, model: FinalModel) -> dict[str, Any]:
    latency = model.latency_samples
    return {
        "file": f"{slug}.ts",
        "sha256": model.sha256,
        "bytes": model.bytes,
        "format": "TorchScript, streaming, for nn~ and RAVE VST",
        "name": model.name,
        "version": model.version,
        "ratio": model.ratio,
        "latency": {
            "samples": latency,
            "ms": round(1000 * latency / model.sample_rate, 3),
            "measured_ms": model.realtime.get("latency", {}).get("measured_ms"),
        },
        "methods": [asdict(method) for method in model.methods],
        "attributes": [asdict(attribute) for attribute in model.attributes],
        "latents": [asdict(latent) for latent in model.latents],
    }


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
    terms, rights = found.terms, found.rights
    named = ("who", "at", "release", "decision", "document", "document_sha256", "sources")
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
        "rights": {name: getattr(rights, name) for name in named} if rights else None,
    }


def _finite(data: Any) -> Any:
    """Return data without numbers that JSON does not have, NaN and infinities: None for each."""
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
