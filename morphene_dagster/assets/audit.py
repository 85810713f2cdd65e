"""Audits of the checkpoints, and the choice of the one that ships."""

import dagster as dg

from morphene_core import stages
from morphene_core.audit import RENDER_NAMES, Audit, audit_rows
from morphene_core.training import current_training
from morphene_dagster.instance import AUDIT_POOL
from morphene_dagster.metadata import overview, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, Workers, user_errors


@dg.asset(
    deps=["checkpoints", "musical_audio", "nonmusical_audio"],
    partitions_def=instruments,
    group_name="audit",
    kinds={"wav"},
    pool=AUDIT_POOL,
)
def audit_renders(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """Two reconstructions and five morphs from every checkpoint, of the same references."""
    audits = [Audit(**audit) for audit in workers.run(context, project, "audit")]
    paths = project.paths(context)
    last = paths.audit / f"{audits[-1].step:06d}"
    names = {path.stem: path for path in sorted((paths.audit / "references").glob("*.wav"))}
    names = {f"{role} reference": path for role, path in names.items()}
    names |= {name: last / f"{name}.wav" for name in RENDER_NAMES}
    return dg.MaterializeResult(
        data_version=dg.DataVersion("-".join(a.checkpoint_sha256[:8] for a in audits)),
        metadata={
            "audits": table(audit_rows(audits)),
            "count": len(audits),
            "folder": dg.MetadataValue.path(str(paths.audit)),
            **{
                name: overview([path], f"{paths.slug}, step {audits[-1].step:,}: {name}")
                for name, path in names.items()
            },
        },
    )


@dg.asset(deps=["audit_renders"], partitions_def=instruments, group_name="audit")
def selected_checkpoint(
    context: dg.AssetExecutionContext, project: Project
) -> dg.MaterializeResult:
    """Which checkpoint is to ship, and why."""
    paths = project.paths(context)
    with user_errors():
        selection = stages.select(paths)
        folder = current_training(paths)
        checkpoint = folder.read().checkpoint(selection.step)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(selection.checkpoint_sha256),
        metadata={
            "step": selection.step,
            "phase": checkpoint.phase,
            "reason": dg.MetadataValue.text(selection.reason),
            "checkpoint": dg.MetadataValue.path(str(folder.checkpoint_path(checkpoint))),
            "chosen at": selection.chosen_at,
        },
    )
