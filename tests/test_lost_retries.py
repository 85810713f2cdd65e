"""Runs whose death Dagster's retries have missed: they read it before the run was marked."""

import time

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from morphene_core.instruments import get_instrument
from morphene_dagster import sensors
from tests.queues import launched

CURSOR = "EVENT_LOG_CONSUMER_CURSOR-PIPELINE_FAILURE"


def died(instance: dg.DagsterInstance, seconds_ago: float) -> dg.DagsterRun:
    """Return a run that has failed, as run monitoring fails one whose process is gone."""
    run = launched(
        instance, get_instrument(10), dg.DagsterRunStatus.STARTED, dagster__max_retries="3"
    )
    now = time.time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now() - seconds_ago)
        instance.report_run_failed(run, "its process is gone")
    # What Dagster's retries do with an event that they have seen, whatever came of it.
    newest = instance.event_log_storage.get_maximum_record_id()
    instance.daemon_cursor_storage.set_cursor_values({CURSOR: str(newest)})
    reloaded = instance.get_run_by_id(run.run_id)
    assert reloaded and reloaded.tags[WILL_RETRY_TAG] == "true"
    return reloaded


def place(instance: dg.DagsterInstance) -> int:
    return int(instance.daemon_cursor_storage.get_cursor_values({CURSOR})[CURSOR])


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    result = sensors.lost_retries(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_run_that_was_missed_is_read_again_by_dagsters_retries(
    instance: dg.DagsterInstance,
) -> None:
    run = died(instance, seconds_ago=60)
    seen = place(instance)
    result = tick(instance)
    assert result.skip_reason and run.run_id in str(result.skip_reason)
    assert place(instance) == seen - 1
    events = instance.event_log_storage.get_logs_for_all_runs_by_log_id(
        after_cursor=place(instance), dagster_event_type={dg.DagsterEventType.RUN_FAILURE}
    )
    assert [event.run_id for event in events.values()] == [run.run_id]


def test_one_that_failed_just_now_or_was_retried_is_left_to_dagster(
    instance: dg.DagsterInstance,
) -> None:
    retried = died(instance, seconds_ago=60)
    instance.add_run_tags(retried.run_id, {AUTO_RETRY_RUN_ID_TAG: "another"})
    died(instance, seconds_ago=0)
    seen = place(instance)
    tick(instance)
    assert place(instance) == seen


def test_what_dagster_refuses_is_not_handed_to_it_for_ever(instance: dg.DagsterInstance) -> None:
    died(instance, seconds_ago=60)
    seen, cursor = place(instance), None
    for _ in range(3):
        cursor = tick(instance, cursor).cursor
        assert place(instance) == seen - 1
        instance.daemon_cursor_storage.set_cursor_values({CURSOR: str(seen)})
    tick(instance, cursor)
    assert place(instance) == seen
