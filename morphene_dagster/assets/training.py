"""Training."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from morphene_core.home import Home, InstrumentPaths
from morphene_core.progress import clock
from morphene_core.settings import read_settings
from morphene_core.training import TrainingFolder, TrainingRecord, current_training
from morphene_core.training.schedule import Schedule
from morphene_core.training.watchdogs import POLICIES
from morphene_dagster.instance import GPU_POOL
from morphene_dagster.metadata import duration, loss_curves, table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, Workers, user_errors


@dg.asset(
    # Dagster marks only what depends directly on a change as stale: a training lists its sources.
    deps=["preprocessed_db", "musical_source", "nonmusical_source"],
    partitions_def=instruments,
    group_name="train",
    kinds={"pytorch"},
    pool=GPU_POOL,
)
def checkpoints(
    context: dg.AssetExecutionContext, project: Project, workers: Workers
) -> dg.MaterializeResult:
    """RAVE trained on the dataset: a checkpoint every so many steps, as the profile says."""
    paths = project.paths(context)
    with user_errors():
        wait = read_settings(Home.resolve().settings).queue.gpu_wait_minutes
    run = context.run
    attempt = {
        "run": run.run_id,
        "first_run": run.root_run_id or run.run_id,
        "gpu_wait_minutes": wait,
    }
    result = workers.run(context, project, "train", {"attempt": attempt}, _observer(context, paths))
    record = TrainingFolder(paths.training(result["id"])).read()
    _observe_missed(context, record)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{record.id}-{record.checkpoints[-1].sha256[:8]}"),
        metadata=_metadata(paths, record),
    )


def _observer(
    context: dg.AssetExecutionContext, paths: InstrumentPaths
) -> Callable[[dict[str, Any]], None]:
    """Return what puts each checkpoint, and now and then the progress, into the asset's history.

    As observations: a materialization would say that the training is complete.
    """

    def observe(seen: dict[str, Any]) -> None:
        folder = current_training(paths)
        record = folder.read()
        context.log_event(
            dg.AssetObservation(
                asset_key=context.asset_key,
                partition=context.partition_key,
                description=_headline(seen),
                metadata=_progress(seen)
                | {"watchdogs": table(_watchdogs(record))}
                | _curves(folder, record),
            )
        )

    return observe


def _observe_missed(context: dg.AssetExecutionContext, record: TrainingRecord) -> None:
    """Put the checkpoints into the history whose word was lost with the process that took it."""
    observations = context.instance.fetch_observations(
        dg.AssetRecordsFilter(context.asset_key, [context.partition_key]), limit=1000
    )
    known = set()
    for entry in observations.records:
        if entry.asset_observation and "sha256" in entry.asset_observation.metadata:
            known.add(entry.asset_observation.metadata["sha256"].value)
    for checkpoint in record.checkpoints:
        if checkpoint.sha256 not in known:
            context.log_event(
                dg.AssetObservation(
                    asset_key=context.asset_key,
                    partition=context.partition_key,
                    description=f"Checkpoint: step {checkpoint.step:,}, noted late",
                    metadata=vars(checkpoint),
                )
            )


def _headline(seen: dict[str, Any]) -> str:
    what = "Checkpoint" if seen["kind"] == "checkpoint" else "Progress"
    return f"{what}: step {seen['step']:,} of {seen['total_steps']:,}, phase {seen['phase']}"


def _progress(seen: dict[str, Any]) -> dict[str, Any]:
    """Return how far a training is as metadata; numbers are plotted over time."""
    left, speed = seen["seconds_left"], seen["steps_per_second"]
    found: dict[str, Any] = {
        "step": seen["step"],
        "steps in all": seen["total_steps"],
        "phase": seen["phase"],
        "time left": clock(left) if left is not None else "not known before phase 2",
    }
    if speed:
        found["steps per second"] = round(speed, 3)
    found |= {f"loss: {name}": float(f"{value:.4g}") for name, value in seen["losses"].items()}
    if seen["kind"] == "checkpoint":
        found["sha256"] = seen["sha256"]
    if gpu := seen["gpu"]:
        found |= {
            "GPU": f"{gpu['index']}: {gpu['name']}",
            "GPU memory used in GB": round(gpu["total_gb"] - gpu["free_gb"], 2),
        }
        if gpu["utilization"] is not None:
            found["GPU utilization in percent"] = gpu["utilization"]
        if gpu["temperature"] is not None:
            found["GPU temperature in degrees"] = gpu["temperature"]
    return found


def _metadata(paths: InstrumentPaths, record: TrainingRecord) -> dict[str, Any]:
    profile, folder = record.training_profile, TrainingFolder(paths.training(record.id))
    assert record.schedule is not None
    schedule = record.schedule
    return {
        "profile": profile.name,
        "shippable": profile.shippable,
        "training": record.id,
        "steps": record.step,
        "phase 1 steps": schedule.phase_1_steps,
        "seconds": duration(record.seconds),
        "attempts": record.attempts,
        "device": record.device,
        "checkpoints": table([vars(checkpoint) for checkpoint in record.checkpoints]),
        "watchdogs": table(_watchdogs(record)),
        **_curves(folder, record),
        **({"schedule changes": table(_changes(schedule))} if schedule.changes else {}),
        "folder": dg.MetadataValue.path(str(folder.path)),
        "log": dg.MetadataValue.path(str(paths.training_log(record.id))),
        "versions": dg.MetadataValue.json(record.versions),
    }


def _changes(schedule: Schedule) -> list[dict[str, Any]]:
    def text(value: Any) -> Any:
        return f"{value[0]:,} to {value[1]:,}" if isinstance(value, list) else value

    return [{name: text(value) for name, value in change.items()} for change in schedule.changes]


def _watchdogs(record: TrainingRecord) -> list[dict[str, Any]]:
    barked = {rollback["watchdog"]: rollback["reason"] for rollback in record.rollbacks}
    warned = {warning["watchdog"]: warning["reason"] for warning in record.warnings}
    return [
        {"watchdog": name, "policy": policy, "barked": (barked | warned).get(name, "no")}
        for name, policy in POLICIES.items()
    ]


def _curves(folder: TrainingFolder, record: TrainingRecord) -> dict[str, Any]:
    if record.schedule is None or not folder.losses.exists():
        return {}
    return loss_curves(folder.losses, record.schedule.phase_1_steps)
