"""The RAVE dataset."""

import dagster as dg

from morphene_dagster.instance import PREPARE_POOL
from morphene_dagster.metadata import duration
from morphene_dagster.partitions import PREPARATION, instruments
from morphene_dagster.resources import Project, Workers


@dg.asset(
    deps=["musical_audio", "nonmusical_audio"],
    partitions_def=instruments,
    group_name="prepare",
    kinds={"lmdb"},
    pool=PREPARE_POOL,
    backfill_policy=PREPARATION,
)
def preprocessed_db(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """The training audio of both sources as a RAVE dataset, in the format of `rave preprocess`."""
    record = workers.run(context, project, "preprocess")
    folder = project.paths(context).preprocessed_db
    return dg.MaterializeResult(
        data_version=dg.DataVersion(record["version"]),
        metadata={
            "musical seconds": duration(record["seconds"]["musical"]),
            "nonmusical seconds": duration(record["seconds"]["nonmusical"]),
            "entries": record["entries"],
            "samples per entry": 2 * record["n_signal"],
            "size in MB": round((folder / "data.mdb").stat().st_size / 1e6, 1),
            "folder": dg.MetadataValue.path(str(folder)),
        },
    )
