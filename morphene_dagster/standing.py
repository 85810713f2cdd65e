"""Where each instrument's training stands, by what the Dagster instance knows of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.execution.backfill import (
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
    PRIORITY_TAG,
)

from morphene_dagster.instance import GPU_POOL

State = Literal[
    "being prepared",
    "waiting for preparation",
    "queued",
    "running",
    "stopping",
    "paused",
    "cancelled",
    "failed",
    "trained",
]
CHECKPOINTS = dg.AssetKey("checkpoints")
TIER_TAG = "morphene/tier"
PAUSED_TAG = "morphene/paused"

_DATASET = dg.AssetKey("preprocessed_db")
_UNFINISHED = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]
_STATES: dict[dg.DagsterRunStatus, State] = {
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.CANCELING: "stopping",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.SUCCESS: "failed",  # without a materialization
}
_SUMMARIES: dict[State, str] = {
    "being prepared": "being prepared",
    "trained": "trained",
    "paused": "paused, cancelled or failed",
    "cancelled": "paused, cancelled or failed",
    "failed": "paused, cancelled or failed",
}


@dataclass(frozen=True)
class Standing:
    """Where the training of an instrument stands.

    Attributes:
        state: in words.
        run: the latest run that was to train it; or, before there is one, to prepare it.
        backfill_id: of the unfinished backfill that will launch its training, if one will.
        position: in the queue, from 1 on, if it is queued.
    """

    state: State
    run: dg.DagsterRun | None = None
    backfill_id: str | None = None
    position: int | None = None

    @property
    def summary(self) -> str:
        """The state in fewer classes, to be counted."""
        return _SUMMARIES.get(self.state, "queued or running")

    @property
    def pending(self) -> bool:
        """Whether it is to be trained, or is being trained."""
        return self.summary == "queued or running"


def asset_graph() -> BaseAssetGraph[Any]:
    """Return the graph of all assets."""
    from morphene_dagster.definitions import defs  # which has the schedules, and they this module

    return defs.resolve_asset_graph()


def standings(instance: dg.DagsterInstance) -> dict[str, Standing]:
    """Return the standing of every instrument that was ever queued, trained or prepared to be."""
    storage = instance.event_log_storage
    events: dict[str, tuple[int, Standing]] = {
        slug: (event, Standing("trained"))
        for slug, event in storage.get_latest_storage_id_by_partition(
            CHECKPOINTS, dg.DagsterEventType.ASSET_MATERIALIZATION
        ).items()
    }
    places = {run.run_id: place for place, run in enumerate(queued_trainings(instance), start=1)}
    trainings = _unsuccessful(instance, CHECKPOINTS)
    for slug, (event, run) in trainings.items():
        events[slug] = (event, Standing(_state(run), run, position=places.get(run.run_id)))
    preparations = _unsuccessful(instance, _DATASET)
    for slug, (event, run) in preparations.items():
        # A preparation that the sensor asked for says nothing of a training that there was.
        if slug not in events or (TIER_TAG in run.tags and event > events[slug][0]):
            state = "being prepared" if run.status in NOT_FINISHED_STATUSES else _state(run)
            events[slug] = (event, Standing(state, run))
    found = {slug: standing for slug, (_, standing) in events.items()}
    for slug, backfill in waiting(instance).items():
        _, training = trainings.get(slug, (0, None))
        if training and training.tags.get(BACKFILL_ID_TAG) == backfill.backfill_id:
            continue  # it has been launched just now
        _, preparation = preparations.get(slug, (0, None))
        if preparation and preparation.tags.get(BACKFILL_ID_TAG) != backfill.backfill_id:
            preparation = None
        if preparation and _state(preparation) in ("failed", "cancelled"):
            continue  # which the backfill has yet to notice
        found[slug] = Standing("waiting for preparation", preparation, backfill.backfill_id)
    return found


def waiting(instance: dg.DagsterInstance) -> dict[str, PartitionBackfill]:
    """Return the instruments whose training an unfinished backfill has still to launch."""
    found: dict[str, PartitionBackfill] = {}
    graph = asset_graph()
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=_UNFINISHED)):
        if not backfill.is_asset_backfill or CHECKPOINTS not in (backfill.asset_selection or ()):
            continue
        data = backfill.get_asset_backfill_data(graph)
        left = data.target_subset - data.requested_subset - data.failed_and_downstream_subset
        if CHECKPOINTS in left.asset_keys:
            subset = left.get_partitions_subset(CHECKPOINTS)
            found |= {slug: backfill for slug in subset.get_partition_keys()}
    return found


def queued_trainings(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the runs that wait for a GPU slot, the next one first."""
    waiting_runs = instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), ascending=True
    )
    return sorted(filter(is_training, waiting_runs), key=priority, reverse=True)


def is_training(run: dg.DagsterRun) -> bool:
    """Whether a run takes a GPU slot."""
    pools = run.run_op_concurrency.all_pools if run.run_op_concurrency else None
    return GPU_POOL in (pools or ())


def priority(run: dg.DagsterRun) -> int:
    """Return a run's priority in the queue; the greatest is the first."""
    text = run.tags.get(PRIORITY_TAG, "0")
    return int(text) if text.removeprefix("-").isdigit() else 0


def instrument_of(run: dg.DagsterRun) -> str | None:
    """Return the slug of a run's instrument."""
    # A backfill that asks for one partition a run names it as a range of one.
    return run.tags.get(PARTITION_NAME_TAG) or run.tags.get(ASSET_PARTITION_RANGE_START_TAG)


def why_failed(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return why a run failed, in one line."""
    of_type = {
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        dg.DagsterEventType.RUN_FAILURE,
    }
    records = instance.get_records_for_run(run_id, of_type=of_type).records
    events = [r.event_log_entry.dagster_event for r in records if r.event_log_entry.dagster_event]
    return _one_line(next(filter(None, _reasons(events)), "the run failed without a reason"))


def _reasons(events: list[dg.DagsterEvent]) -> Iterable[str]:
    """Give what may be the reason of a failure, the most telling first."""
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if (
                check.blocking
                and not check.passed
                and check.severity == dg.AssetCheckSeverity.ERROR
            ):
                yield f"{check.check_name.replace('_', ' ')}: {check.description or 'failed'}"
    for event in reversed(events):
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                yield data.user_failure_data.description
            elif data.error:
                cause = data.error.cause or data.error
                yield cause.message
    for event in reversed(events):
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            yield event.message or ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _unsuccessful(
    instance: dg.DagsterInstance, asset: dg.AssetKey
) -> dict[str, tuple[int, dg.DagsterRun]]:
    """Return the latest run of each partition, with its event, where it made nothing (yet)."""
    attempts = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(  # noqa: E501
        asset
    )
    ids = [run_id for run_id, _ in attempts.values()]
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))} if ids else {}
    return {
        slug: (event, runs[run_id]) for slug, (run_id, event) in attempts.items() if run_id in runs
    }


def _state(run: dg.DagsterRun) -> State:
    if run.status is dg.DagsterRunStatus.CANCELED:
        return "paused" if PAUSED_TAG in run.tags else "cancelled"
    if run.is_complete_and_waiting_to_retry:
        return "queued"
    if run.status is dg.DagsterRunStatus.FAILURE and PAUSED_TAG in run.tags:
        return "paused"  # before its retry began
    return _STATES.get(run.status, "running")
