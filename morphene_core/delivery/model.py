"""The model of a delivery: what the metadata say of it, and its record out of them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from morphene_core.final_model import Attribute, FinalModel, Latent, Method


def described_model(slug: str, model: FinalModel) -> dict[str, Any]:
    """Return what a delivery's metadata say of its model.

    Args:
        slug: of the instrument.
        model: what was exported.
    """
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
