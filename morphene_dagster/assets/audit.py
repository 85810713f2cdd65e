"""Audits of the checkpoints, and the choice of the one that ships."""

from typing import Any

import dagster as dg

from morphene_core import stages
from morphene_core.audits import PICTURES, Audit, audit_rows, references
from morphene_core.criteria import load_thresholds
from morphene_core.home import InstrumentPaths
from morphene_core.selection import Ranking, rank_checkpoints
from morphene_core.training import TrainingFolder, current_training
from morphene_dagster.instance import AUDIT_POOL
from morphene_dagster.listening import room_url
from morphene_dagster.metadata import overview, picture, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, Workers, user_errors


class AuditConfig(dg.Config):
    """What is to be audited.

    Attributes:
        newest_only: whether to leave out all but the newest checkpoint.
    """

    newest_only: bool = False


@dg.asset(
    deps=["checkpoints", "musical_audio", "nonmusical_audio"],
    partitions_def=instruments,
    group_name="audit",
    kinds={"wav"},
    pool=AUDIT_POOL,
)
def audit_renders(
    context: dg.AssetExecutionContext, project: Project, workers: Workers, config: AuditConfig
) -> dg.MaterializeResult:
    """Two reconstructions, five morphs and their measurements of every checkpoint so far."""
    found = workers.run(context, project, "audit", {"newest_only": config.newest_only})
    audits = [Audit(**audit) for audit in found]
    paths = project.paths(context)
    return dg.MaterializeResult(
        data_version=dg.DataVersion("-".join(a.checkpoint_sha256[:8] for a in audits)),
        metadata=_audits(paths, current_training(paths), audits),
    )


def _audits(paths: InstrumentPaths, folder: TrainingFolder, audits: list[Audit]) -> dict[str, Any]:
    newest = audits[-1]
    heard = {f"{role} reference": path for role, path in references(folder).items()}
    left = len(folder.read().checkpoints) - len(audits)
    return {
        "audits": table(audit_rows(audits)),
        "count": len(audits),
        **({"not audited": left} if left else {}),
        "listen": dg.MetadataValue.url(room_url(paths, folder, newest.step)),
        "folder": dg.MetadataValue.path(str(paths.audit)),
        "newest step": newest.step,
        **{name: value for name, value in newest.metrics.items() if value is not None},
        **{name: _picture_of(folder, newest.step, name) for name in PICTURES},
        **{name: overview([path], f"{paths.slug}: {name}") for name, path in heard.items()},
    }


def _picture_of(folder: TrainingFolder, step: int, name: str) -> dg.MarkdownMetadataValue:
    return picture((folder.audit_path(step) / f"{name}.png").read_bytes())


@dg.asset(deps=["audit_renders"], partitions_def=instruments, group_name="audit")
def selected_checkpoint(
    context: dg.AssetExecutionContext, project: Project
) -> dg.MaterializeResult:
    """Which checkpoint is to ship, and why: the ranking's first, or a person's choice."""
    paths = project.paths(context)
    with user_errors():
        selection = stages.select(paths)
        folder = current_training(paths)
        checkpoint = folder.read().checkpoint(selection.step)
        ranking = rank_checkpoints(folder, load_thresholds(paths.home))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(selection.checkpoint_sha256),
        metadata={
            "step": selection.step,
            "phase": checkpoint.phase,
            "chosen by": selection.by,
            "reason": dg.MetadataValue.text(selection.reason),
            "does more training help": ranking.plateau.text,
            "ranking": table(_places(ranking)),
            "listen": dg.MetadataValue.url(room_url(paths, folder, selection.step)),
            "checkpoint": dg.MetadataValue.path(str(folder.checkpoint_path(checkpoint))),
            "chosen at": selection.chosen_at,
        },
    )


def _places(ranking: Ranking) -> list[dict[str, Any]]:
    champions = {place.step: phase for phase, place in ranking.champions.items()}
    return [
        {
            "place": place.number,
            "step": place.step,
            "phase": place.phase,
            "Pareto front": place.front,
            **{name.replace("_", " "): round(of.score, 3) for name, of in place.results.items()},
            "distance": round(place.distance, 3),
            "champion of phase": champions.get(place.step),
            "left out because": "; ".join(place.faults),
        }
        for place in ranking.places
    ]
