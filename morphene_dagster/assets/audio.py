"""Prepared audio: mono, 48 kHz, even loudness, trimmed; a part of it held out."""

import dagster as dg

from morphene_core import stages
from morphene_core.home import Role
from morphene_dagster.instance import PREPARE_POOL
from morphene_dagster.metadata import duration, overview, table
from morphene_dagster.partitions import PREPARATION, instruments
from morphene_dagster.resources import Project, user_errors


def _audio(role: Role) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{role}_audio",
        deps=[f"{role}_source"],
        partitions_def=instruments,
        group_name="prepare",
        kinds={"wav"},
        pool=PREPARE_POOL,
        backfill_policy=PREPARATION,
        description=f"The {role} recordings as mono 48 kHz WAV of even loudness, without silent"
        " ends. Whole stretches are held out for validation and audits.",
    )
    def audio(context: dg.AssetExecutionContext, project: Project) -> dg.MaterializeResult:
        paths = project.paths(context)
        with user_errors():
            prepared = stages.prepare(paths, role, context.log.info)
        sessions = [
            {
                "session": session.folder,
                "seconds": session.original_seconds,
                "kept": session.kept_seconds,
                "gain in dB": session.gain_db,
                "limited by": session.limited_by,
                "LUFS before": session.lufs_before,
                "LUFS after": session.lufs_after,
                "true peak after in dBTP": session.true_peak_after_dbtp,
                "left out": ", ".join(session.left_out),
            }
            for session in prepared.sessions
        ]
        pieces = [
            {
                "file": piece.file,
                "set": piece.set,
                "source": piece.source,
                "from": piece.spans[0][0],
                "to": piece.spans[-1][1],
                "joined parts": len(piece.spans),
            }
            for piece in prepared.pieces
        ]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(prepared.data_version),
            metadata={
                "training seconds": duration(prepared.training_seconds),
                "held-out seconds": duration(prepared.heldout_seconds),
                "sessions": table(sessions),
                "pieces": table(pieces),
                "folder": dg.MetadataValue.path(str(prepared.folder)),
                "training audio": overview(prepared.training, f"{paths.slug}: {role}, training"),
                "held-out audio": overview(prepared.heldout, f"{paths.slug}: {role}, held out"),
            },
        )

    return audio


musical_audio = _audio("musical")
nonmusical_audio = _audio("nonmusical")
