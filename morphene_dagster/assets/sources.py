"""The raw recordings of an instrument, probed and registered."""

import dagster as dg

from morphene_core import stages
from morphene_core.home import Role
from morphene_dagster.metadata import duration, overview, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, user_errors


def _source(role: Role) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{role}_source",
        partitions_def=instruments,
        group_name="prepare",
        kinds={"wav"},
        description=f"The raw {role} recordings, each file probed and hashed. Never changed.",
    )
    def source(context: dg.AssetExecutionContext, project: Project) -> dg.MaterializeResult:
        paths = project.paths(context)
        with user_errors():
            register = stages.register(paths, role, context.log.info)
        files = [
            {
                "file": file.path,
                "seconds": round(file.seconds, 3),
                "sample rate": file.sample_rate,
                "channels": file.channels,
                "format": file.format,
                "sha256": file.sha256,
            }
            for file in register.files
        ]
        raw = [register.folder / file.path for file in register.files]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(register.data_version),
            metadata={
                "files": table(files),
                "count": len(files),
                "seconds": duration(register.seconds),
                "folder": dg.MetadataValue.path(str(register.folder)),
                "overview": overview(raw, f"{paths.slug}: {role} source, as recorded"),
            },
        )

    return source


musical_source = _source("musical")
nonmusical_source = _source("nonmusical")
