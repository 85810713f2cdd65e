"""Checks of what came out: the audits and the delivery."""

import dagster as dg

from morphene_core import stages
from morphene_core.audit import audit_rows, read_audits
from morphene_core.dataset import source_list
from morphene_core.delivery import verify_delivery
from morphene_core.errors import InputError
from morphene_core.home import ROLES
from morphene_core.training import current_training
from morphene_dagster.metadata import table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, user_errors


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


@dg.asset_check(asset="delivery", partitions_def=instruments)
def made_from_the_present_sources(
    context: dg.AssetCheckExecutionContext, project: Project
) -> dg.AssetCheckResult:
    """What was trained on is what the sources are now; otherwise train and deliver again."""
    paths = project.paths(context)
    with user_errors():
        metadata = verify_delivery(paths.final)
        present = source_list({role: stages.read_register(paths, role) for role in ROLES})
    delivered, now = (
        {(source["role"], source["sha256"]) for source in sources}
        for sources in (metadata["lineage"]["sources"], present)
    )
    gone, new = len(delivered - now), len(now - delivered)
    return dg.AssetCheckResult(
        passed=not gone and not new,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{gone} files are no longer used, {new} are new"
        if gone or new
        else "the same",
    )


ALL = [learned_both_sources, delivery_is_intact, made_from_the_present_sources]
