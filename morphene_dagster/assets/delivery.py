"""The exported model, and the delivery."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from morphene_core.delivery.versions import archive_name
from morphene_core.instruments import get_instrument
from morphene_dagster.metadata import overview, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, Workers


@dg.asset(
    deps=["selected_checkpoint"],
    partitions_def=instruments,
    group_name="export",
    kinds={"pytorch"},
)
def final_model(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """The selected checkpoint as an instrument for nn~ and RAVE VST, proven in real time."""
    model = workers.run(context, project, "export")
    path = project.paths(context).exports / model["file"]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(model["sha256"]),
        metadata={
            "file": dg.MetadataValue.path(str(path)),
            "size in MB": round(model["bytes"] / 1e6, 1),
            "name": model["name"],
            "version": model["version"],
            "profile": model["profile"],
            "shippable": model["shippable"],
            "step": model["step"],
            "ratio": model["ratio"],
            "latency in ms": round(1000 * model["latency_samples"] / model["sample_rate"], 1),
            "methods": table(model["methods"]),
            "attributes": ", ".join(attribute["name"] for attribute in model["attributes"]),
            "latents": table(model["latents"]),
            "real time": model["realtime"]["text"],
        },
    )


@dg.asset(
    # Dagster marks only what depends directly on a change as stale: a delivery lists its sources.
    deps=["final_model", "musical_source", "nonmusical_source"],
    partitions_def=instruments,
    group_name="deliver",
)
def delivery(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """What ships, published in one step: the instrument, a demo, patches, terms, a model card.

    It is made only if all five criteria pass for this very checkpoint; otherwise the run fails with
    the list of what is missing. What a profile makes for trying things out is stamped as such.
    """
    metadata = workers.run(context, project, "deliver")
    folder = project.paths(context).final
    archive = folder / archive_name(metadata)
    criteria = [
        {"criterion": criterion["title"], "holds": criterion["passed"], "why": criterion["text"]}
        for criterion in metadata["criteria"]
    ]
    sources = [
        {key: source[key] for key in ("role", "source", "licence", "path", "sha256")}
        for source in metadata["lineage"]["sources"]
    ]
    name = get_instrument(context.partition_key).name
    notice = {"notice": metadata["notice"]} if metadata["notice"] else {}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{metadata['model']['sha256']} v{_version(metadata)}"),
        metadata=notice
        | {
            "version": _version(metadata),
            "shippable": metadata["shippable"],
            "licence": metadata["terms"]["licence"],
            "commercial use, by the sources": metadata["terms"]["commercial"],
            "folder": dg.MetadataValue.path(str(folder.resolve())),
            "zip": dg.MetadataValue.path(str(folder.resolve() / archive.name)),
            "size of the zip in MB": round(archive.stat().st_size / 1e6, 1),
            "files": dg.MetadataValue.json(metadata["files"]),
            "what changed": dg.MetadataValue.md((folder / "CHANGES.md").read_text("utf-8")),
            "step": metadata["checkpoint"]["step"],
            "why this checkpoint": metadata["checkpoint"]["reason"],
            "criteria": table(criteria),
            "approval": metadata["approval"]["state"],
            "sources": table(sources),
            "demo": overview([folder / "demo.wav"], f"{name}: demo.wav"),
            "metadata.json": dg.MetadataValue.json(metadata),
        },
    )


def _version(metadata: Mapping[str, Any]) -> int:
    return int(metadata["delivery"]["version"])
