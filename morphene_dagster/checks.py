"""Asset checks, per instrument."""

import warnings

import dagster as dg

from morphene_core.audit import audit_rows, read_audits
from morphene_core.delivery import verify_delivery
from morphene_core.errors import InputError
from morphene_core.home import ROLES
from morphene_core.training import current_training
from morphene_dagster.metadata import table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project

# Checks per partition are in preview in Dagster 1.13, which would say so at every start.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.asset_check(asset="audit_renders", partitions_def=instruments)
def learned_both_sources(
    context: dg.AssetCheckExecutionContext, project: Project
) -> dg.AssetCheckResult:
    """The last checkpoint is closer to the held-out audio of both sources than the first one."""
    audits = read_audits(current_training(project.paths(context)))
    first, last = audits[0].spectral_distance, audits[-1].spectral_distance
    return dg.AssetCheckResult(
        passed=all(last[role] < first[role] for role in ROLES),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"audits": table(audit_rows(audits))},
    )


@dg.asset_check(asset="delivery", partitions_def=instruments)
def delivery_is_intact(
    context: dg.AssetCheckExecutionContext, project: Project
) -> dg.AssetCheckResult:
    """Every delivered file is the one that its checksum in metadata.json names."""
    folder = project.paths(context).final
    try:
        metadata = verify_delivery(folder)
    except InputError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(passed=True, metadata={"files": len(metadata["files"])})


ALL = [learned_both_sources, delivery_is_intact]
