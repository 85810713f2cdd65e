"""Training."""

import dagster as dg

from morphene_core.training import TrainingFolder
from morphene_dagster.metadata import duration, loss_curves, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, Workers


@dg.asset(
    deps=["preprocessed_db"],
    partitions_def=instruments,
    group_name="train",
    kinds={"pytorch"},
)
def checkpoints(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """RAVE trained on the dataset: a checkpoint every so many steps, as the profile says."""
    training = workers.run(context, project, "train")
    folder = TrainingFolder(project.paths(context).training(training["id"]))
    profile = training["profile"]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(
            f"{training['id']}-{training['checkpoints'][-1]['sha256'][:8]}"
        ),
        metadata={
            "profile": profile["name"],
            "shippable": profile["shippable"],
            "training": training["id"],
            "steps": training["step"],
            "seconds": duration(training["seconds"]),
            "attempts": training["attempts"],
            "device": training["device"],
            "checkpoints": table(training["checkpoints"]),
            **loss_curves(folder.losses, profile["training"]["phase_1_steps"]),
            "folder": dg.MetadataValue.path(str(folder.path)),
            "versions": dg.MetadataValue.json(training["versions"]),
        },
    )
