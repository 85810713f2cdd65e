"""The exported model, and the delivery."""

import dagster as dg

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
    """The selected checkpoint as a streaming TorchScript model for nn~."""
    model = workers.run(context, project, "export")
    path = project.paths(context).exports / model["file"]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(model["sha256"]),
        metadata={
            "file": dg.MetadataValue.path(str(path)),
            "size in MB": round(path.stat().st_size / 1e6, 1),
            "profile": model["profile"],
            "shippable": model["shippable"],
            "training": model["training"],
            "step": model["step"],
            "latents": model["latents"],
            "ratio": model["ratio"],
            "methods": ", ".join(model["methods"]),
            "playback": table(model["playback"]),
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
    """What ships: the instrument, its metadata and a demo, published in one step."""
    metadata = workers.run(context, project, "deliver")
    folder = project.paths(context).final
    sources = [
        {key: source[key] for key in ("role", "source", "licence", "path", "sha256")}
        for source in metadata["lineage"]["sources"]
    ]
    name = get_instrument(context.partition_key).name
    notice = {"notice": metadata["notice"]} if metadata["notice"] else {}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(metadata["model"]["sha256"]),
        metadata=notice
        | {
            "shippable": metadata["shippable"],
            "folder": dg.MetadataValue.path(str(folder)),
            "files": dg.MetadataValue.json(metadata["files"]),
            "step": metadata["checkpoint"]["step"],
            "why this checkpoint": metadata["checkpoint"]["reason"],
            "approval": metadata["approval"]["state"],
            "sources": table(sources),
            "demo": overview([folder / "demo.wav"], f"{name}: demo.wav"),
            "metadata.json": dg.MetadataValue.json(metadata),
        },
    )
