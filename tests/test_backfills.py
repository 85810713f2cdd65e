"""Which instruments are trained without anybody asking, and the backfills that do it."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG

from morphene_core.home import Home
from morphene_core.instruments import ALL_INSTRUMENTS, get_instrument
from morphene_core.notices import notices_log
from morphene_dagster.backfills import eligible, launch, take_out, what_is_missing
from morphene_dagster.definitions import defs
from morphene_dagster.queue import Queue
from morphene_dagster.standing import is_training, standings, waiting
from tests.conftest import tiny
from tests.queues import at_work, collect, launched, trained

NIGHT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
BEFORE_TRAINING = {
    "musical_source",
    "nonmusical_source",
    "musical_audio",
    "nonmusical_audio",
    "preprocessed_db",
}


def tick(instance: dg.DagsterInstance, at: datetime = NIGHT, tier: str = "flagship") -> str:
    context = dg.build_schedule_context(instance, at)
    schedule = defs.resolve_schedule_def(f"{tier}_backfill")
    data = schedule.evaluate_tick(context)
    assert data.run_requests == []
    return str(data.skip_message)


def backfills(instance: dg.DagsterInstance) -> list[str]:
    return sorted(backfill.backfill_id for backfill in instance.get_backfills())


def test_a_backfill_goes_from_both_sources_to_the_checkpoints_and_no_further(
    instance: dg.DagsterInstance,
) -> None:
    launch(instance, [get_instrument(10), get_instrument(11)], "flagship", backfill_id="a")
    (backfill,) = instance.get_backfills()
    assert {key.to_user_string() for key in backfill.asset_selection or ()} == {
        *BEFORE_TRAINING,
        "checkpoints",
    }
    assert set(waiting(instance)) == {get_instrument(10).slug, get_instrument(11).slug}


def test_the_flagships_overtake_the_strong_and_these_the_experimental(
    instance: dg.DagsterInstance,
) -> None:
    for tier in ("experimental", "flagship", "strong"):
        launch(instance, [get_instrument(10)], tier, backfill_id=tier)
    first, second, third = (
        int((backfill.tags or {})["dagster/priority"])
        for tier in ("flagship", "strong", "experimental")
        if (backfill := instance.get_backfill(tier))
    )
    assert first > second > third > 0


def test_only_what_is_ready_and_was_never_trained_is_taken(
    home: Home, instance: dg.DagsterInstance
) -> None:
    names = collect(home, 1, 2, 3, 4, 5, 6, 7)
    ready, done, queued, running, failed, cancelled, planned = names
    collect(home, 8, licence="CC-BY-NC-4.0")
    trained(instance, done)
    launched(instance, queued)
    launched(instance, running, dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(launched(instance, failed, dg.DagsterRunStatus.STARTED))
    instance.report_run_canceled(launched(instance, cancelled, dg.DagsterRunStatus.CANCELING))
    launch(instance, [planned], "flagship", backfill_id="a")
    choice = eligible(instance, home, [*names, get_instrument(8), get_instrument(9)])
    assert choice.ready == (ready,)
    assert choice.others == {
        "trained": 1,
        "queued or running": 3,
        "paused, cancelled or failed": 2,
        "without complete sources": 2,
    }


def test_an_instrument_that_is_trained_stays_so_when_it_is_stale(
    home: Home, instance: dg.DagsterInstance
) -> None:
    (instrument,) = collect(home, 1)
    trained(instance, instrument)
    event = dg.AssetMaterialization("musical_source", partition=instrument.slug)
    instance.report_runless_asset_event(event)
    assert eligible(instance, home, [instrument]).ready == ()


def test_an_instrument_whose_preparation_failed_waits_for_a_person(
    home: Home, instance: dg.DagsterInstance
) -> None:
    (instrument,) = collect(home, 1)
    run = launched(instance, instrument, dg.DagsterRunStatus.STARTED, job="prepare")
    assert eligible(instance, home, [instrument]).why_not == "1 being prepared"
    instance.report_run_failed(run)
    assert eligible(instance, home, [instrument]).why_not == "1 paused, cancelled or failed"


def test_what_is_missing_is_said_whatever_is_wrong(home: Home) -> None:
    (instrument,) = collect(home, 1)
    assert what_is_missing(home, instrument) == ""
    nothing = "musical: no recordings; nonmusical: no recordings"
    assert what_is_missing(home, get_instrument(2)) == nothing
    home.instrument(instrument.slug).manifest("musical").write_text("not = toml = at all")
    assert "musical.toml" in what_is_missing(home, instrument)


def test_a_tick_launches_one_backfill_and_the_same_tick_no_second(
    home: Home, instance: dg.DagsterInstance
) -> None:
    tier = [i.number for i in ALL_INSTRUMENTS if i.tier == "flagship"]
    first, second = collect(home, *tier[:2])
    said = tick(instance)
    assert backfills(instance) == ["flagship-20260301-2000"]
    assert f"{first.slug}, {second.slug}" in said
    assert f"{len(tier) - 2} without complete sources" in said
    assert "earlier try" in tick(instance)
    assert backfills(instance) == ["flagship-20260301-2000"]


def test_a_later_tick_never_queues_what_is_queued_and_says_why(
    home: Home, instance: dg.DagsterInstance
) -> None:
    tier = [i.number for i in ALL_INSTRUMENTS if i.tier == "flagship"]
    collect(home, tier[0])
    tick(instance)
    said = tick(instance, NIGHT + timedelta(days=1))
    rest = f"1 queued or running, {len(tier) - 1} without complete sources"
    assert said == f"Nothing to train: {rest}."
    assert len(backfills(instance)) == 1
    collect(home, tier[1])
    tick(instance, NIGHT + timedelta(days=2))
    assert set(waiting(instance)) == {get_instrument(number).slug for number in tier[:2]}
    assert len(backfills(instance)) == 2


def test_a_tick_leaves_the_other_tiers_alone(home: Home, instance: dg.DagsterInstance) -> None:
    strong = next(i for i in ALL_INSTRUMENTS if i.tier == "strong")
    collect(home, strong.number)
    tick(instance)
    assert backfills(instance) == []
    tick(instance, tier="strong")
    assert set(waiting(instance)) == {strong.slug}


def test_the_schedules_are_off_until_they_are_switched_on() -> None:
    names = [schedule.name for schedule in defs.schedules or ()]
    assert names == ["flagship_backfill", "strong_backfill", "experimental_backfill"]
    for schedule in defs.schedules or ():
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def crons(home: Home) -> subprocess.CompletedProcess[str]:
    code = "from morphene_dagster.schedules import ALL; print([s.cron_schedule for s in ALL])"
    environment = os.environ | {"MORPHENE_HOME": str(home.path)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_settings_say_when_and_a_wrong_time_is_named(home: Home) -> None:
    with home.settings.open("a") as file:
        file.write('\n[schedules]\nstrong = "30 4 * * 6"\n')
    assert crons(home).stdout.strip() == "['0 20 * * *', '30 4 * * 6', '0 22 * * *']"
    home.settings.write_text('[schedules]\nstrong = "at night"\n')
    assert "schedules.strong: 'at night' is no cron expression." in crons(home).stderr


def test_an_instrument_is_taken_out_of_a_backfill_and_the_others_stay(
    instance: dg.DagsterInstance,
) -> None:
    ten, eleven = get_instrument(10), get_instrument(11)
    launch(instance, [ten, eleven], "flagship", backfill_id="a")
    assert take_out(instance, "a", ten.slug)
    assert set(waiting(instance)) == {eleven.slug}
    assert not take_out(instance, "a", ten.slug)
    assert take_out(instance, "a", eleven.slug)
    backfill = instance.get_backfill("a")
    assert backfill
    assert backfill.status is BulkActionStatus.CANCELED
    assert standings(instance) == {}


# For real.


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_a_backfill_prepares_in_one_run_and_trains_in_another_that_alone_takes_a_gpu_slot(
    tiny_home: Home, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    (tiny_home.profiles / "tiny.toml").write_text(tiny(checkpoint_every=80))
    with at_work(tiny_home, monkeypatch) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 0)
        launch(instance, [get_instrument(9), get_instrument(10)], "flagship", backfill_id="a")
        Queue(instance, tiny_home).cancel(get_instrument(9))  # which could not be prepared at all
        wait_until(lambda: standings(instance)["pyroviolin"].position == 1, 180, every=0.5)
        # Beside them a sensor may have had the recordings read.
        training, preparation = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: "a"}))
        assert selected(training) == {"checkpoints"}
        assert is_training(training)
        assert selected(preparation) == BEFORE_TRAINING
        assert preparation.status is dg.DagsterRunStatus.SUCCESS
        assert not is_training(preparation)
        instance.event_log_storage.set_concurrency_slots("gpu", 1)
        wait_until(lambda: standings(instance)["pyroviolin"].state == "trained", 180, every=0.5)
        made = dg.AssetKey("final_model")  # after audit and selection, all by itself
        wait_until(
            lambda: "pyroviolin" in instance.get_materialized_partitions(made), 240, every=0.5
        )
        log = notices_log(tiny_home)
        wait_until(lambda: log.exists() and "ready to be listened to" in log.read_text(), 90)
        wait_until(lambda: all(run.is_finished for run in instance.get_runs()), 60, every=0.5)
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}


def selected(run: dg.DagsterRun) -> set[str]:
    return {key.to_user_string() for key in run.asset_selection or ()}


def test_a_preview_of_a_tick_says_what_it_would_launch_and_launches_nothing(
    home: Home, instance: dg.DagsterInstance
) -> None:
    collect(home, 1)
    schedule = defs.resolve_schedule_def("flagship_backfill")
    context = dg.ScheduleEvaluationContext(
        instance_ref=instance.get_ref(),
        scheduled_execution_time=datetime(2026, 1, 1, 20, tzinfo=UTC),
        repository_name="__repository__",
        schedule_name=schedule.name,
    )
    with context:
        data = schedule.evaluate_tick(context)
    assert data.skip_message == "It would launch a backfill: breakwater."
    assert instance.get_backfills() == []
