"""What happens without anybody asking: preparation, audits, notices."""

import os
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import dagster as dg
import pytest

from morphene_core.audits.record import write_audit
from morphene_core.files import write_json
from morphene_core.final_model import model_path
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.instruments import get_instrument
from morphene_core.notices import notices_log
from morphene_core.selection import choose_checkpoint, select_checkpoint, withdraw_choice
from morphene_core.sources.collect import add_source
from morphene_core.training import Checkpoint, TrainingFolder, checkpoint_name, now
from morphene_core.verdicts import Verdict, record_verdict
from morphene_dagster.backfills import launch
from morphene_dagster.definitions import defs
from morphene_dagster.sensors import (
    failed_runs,
    finished_trainings,
    instruments_to_listen_to,
    listeners,
    new_checkpoints,
    new_selections,
    source_changes,
)
from tests.constructed import BUILT_IN, an_audit
from tests.deliverable import a_model
from tests.queues import begun, collect, launched, trained
from tests.recordings import facts, record

TEN = get_instrument(10)
ELEVEN = get_instrument(11)


@pytest.fixture
def paths(home: Home) -> InstrumentPaths:
    return home.instrument(TEN.slug)


def settle(paths: InstrumentPaths) -> None:
    """Let every new file be older than one that is being copied."""
    for role in ROLES:
        files = [paths.manifest(role), *paths.sources(role).rglob("*")]
        for file in (file for file in files if file.is_file()):
            before = file.stat().st_mtime
            if before > time.time() - 60:
                os.utime(file, (before - 90, before - 90))


def complete(home: Home, *numbers: int) -> None:
    for instrument in collect(home, *numbers):
        settle(home.instrument(instrument.slug))
        read(home, instrument.slug)


def read(home: Home, slug: str) -> None:
    from morphene_core.sources.register import survey

    for role in ROLES:
        survey(home.instrument(slug), role)


def tick(
    instance: dg.DagsterInstance, cursor: str | None, sensor: dg.SensorDefinition = source_changes
) -> tuple[list[tuple[str | None, str | None, list[str]]], str | None]:
    """Return what a sensor asks for (instrument, job, assets), and its cursor."""
    context = dg.build_sensor_context(instance, cursor=cursor, definitions=defs)
    result = sensor.evaluate_tick(context)
    requests = [
        (r.partition_key, r.job_name, [key.path[-1] for key in r.asset_selection or ()])
        for r in result.run_requests or ()
    ]
    return requests, result.cursor


PREPARE = (TEN.slug, "prepare", [])
READ = (TEN.slug, "prepare", ["musical_source"])


# New and changed recordings.


def test_an_instrument_whose_sources_are_complete_is_prepared_once(
    home: Home, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    requests, cursor = tick(instance, None)
    assert requests == [PREPARE]
    assert tick(instance, cursor)[0] == []


def test_of_an_instrument_that_is_still_collected_what_is_new_is_only_read(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    add_source(paths, "musical", facts(), [record(tmp_path / "a.wav", 1)])
    settle(paths)
    requests, cursor = tick(instance, None)
    assert requests == [READ]
    requests, cursor = tick(instance, cursor)
    assert requests == []
    add_source(paths, "nonmusical", facts(), [record(tmp_path / "b.wav", 2)])
    settle(paths)
    requests, cursor = tick(instance, cursor)
    assert requests == [(TEN.slug, "prepare", ["nonmusical_source"])]  # and not before it is read
    read(home, TEN.slug)
    assert tick(instance, cursor)[0] == [PREPARE]


def test_files_that_nobody_registered_lead_to_no_run(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    record(paths.sources("musical") / "stray.wav", 1)
    settle(paths)
    assert tick(instance, None)[0] == []


def test_an_instrument_without_anything_costs_no_place_in_the_cursor(
    home: Home, instance: dg.DagsterInstance
) -> None:
    assert tick(instance, None) == ([], "{}")


@pytest.mark.parametrize(
    ("change", "asked"),
    [("added", PREPARE), ("manifest", PREPARE), ("changed", READ), ("removed", READ)],
)
def test_files_that_come_change_or_go_and_the_manifest_count_as_changes(
    home: Home,
    paths: InstrumentPaths,
    instance: dg.DagsterInstance,
    change: str,
    asked: tuple[str, str, list[str]],
) -> None:
    complete(home, 10)
    _, cursor = tick(instance, None)
    (file,) = (f for f in paths.sources("musical").rglob("*.wav"))
    if change == "added":
        record(paths.sources("musical") / "more.wav", 9)
    elif change == "changed":
        record(file, 9)
    elif change == "removed":
        file.unlink()
    else:
        manifest = paths.manifest("musical")
        manifest.write_text(manifest.read_text() + "# edited\n")
    settle(paths)
    assert tick(instance, cursor)[0] == [asked]


def test_a_folder_that_is_being_copied_to_is_left_alone_until_it_has_settled(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    record(paths.sources("musical") / "half.wav", 9)
    requests, cursor = tick(instance, None)
    assert requests == []
    settle(paths)
    assert tick(instance, cursor)[0] == [PREPARE]


def test_recordings_that_were_read_before_the_sensor_ever_looked_are_known(
    home: Home, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    for role in ROLES:
        event = dg.AssetMaterialization(f"{role}_source", partition=TEN.slug)
        instance.report_runless_asset_event(event)
    assert tick(instance, None)[0] == []


def test_what_a_training_works_with_is_not_prepared_anew_before_it_is_over(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    run = launched(instance, TEN, dg.DagsterRunStatus.STARTED)
    requests, cursor = tick(instance, None)
    assert requests == [(TEN.slug, "prepare", [f"{role}_source" for role in ROLES])]
    assert tick(instance, cursor)[0] == []
    instance.report_run_failed(run)
    assert tick(instance, cursor)[0] == [PREPARE]


def test_what_a_backfill_prepares_is_not_prepared_twice(
    home: Home, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    launch(instance, [TEN], "flagship", backfill_id="a")
    assert PREPARE not in tick(instance, None)[0]


def test_a_file_name_that_is_no_text_does_not_stop_the_sensor(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    complete(home, 10)
    _, cursor = tick(instance, None)
    (paths.sources("musical") / os.fsdecode(b"\xff.wav")).write_text("new")
    settle(paths)
    assert tick(instance, cursor)[0] == [PREPARE]


def test_a_manifest_that_cannot_be_read_does_not_stop_the_others(
    home: Home, paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    complete(home, 10, 11)
    paths.manifest("musical").write_text("not = toml = at all")
    settle(paths)
    assert (ELEVEN.slug, "prepare", []) in tick(instance, None)[0]


# Audits.


def test_a_finished_training_is_audited_once_in_a_run_of_its_own(
    instance: dg.DagsterInstance,
) -> None:
    trained(instance, TEN)
    trained(instance, ELEVEN)
    requests, cursor = tick(instance, None, finished_trainings)
    assert requests == [(TEN.slug, "audit", []), (ELEVEN.slug, "audit", [])]
    assert tick(instance, cursor, finished_trainings) == ([], cursor)


def test_what_was_audited_by_whoever_trained_it_is_not_audited_again(
    instance: dg.DagsterInstance,
) -> None:
    trained(instance, TEN)
    launched(instance, TEN, job="audit")
    requests, cursor = tick(instance, None, finished_trainings)
    assert requests == []
    trained(instance, TEN)  # longer, for example
    assert tick(instance, cursor, finished_trainings)[0] == [(TEN.slug, "audit", [])]


def begun_with_checkpoints(home: Home, ages: dict[int, float]) -> TrainingFolder:
    """Begin Pyroviolin's training; its checkpoints are that many seconds old."""
    folder = begun(home, TEN)
    checkpoints = []
    for step, age in ages.items():
        file = folder.checkpoints / checkpoint_name(step)
        file.write_bytes(b"weights")
        os.utime(file, (time.time() - age, time.time() - age))
        checkpoints.append(Checkpoint(step, 1, file.name, f"hash-{step}"))
    folder.write(replace(folder.read(), checkpoints=tuple(checkpoints)))
    return folder


def test_checkpoints_of_an_unfinished_training_are_audited_in_a_run_of_their_own(
    home: Home, instance: dg.DagsterInstance
) -> None:
    folder = begun_with_checkpoints(home, {50: 100, 100: 90, 150: 1})
    asked = [(TEN.slug, "audit", ["audit_renders"])]
    assert tick(instance, None, new_checkpoints)[0] == asked
    write_audit(folder.audit_path(50), an_audit(50))
    assert tick(instance, None, new_checkpoints)[0] == asked  # step 100
    write_audit(folder.audit_path(100), an_audit(100))
    assert tick(instance, None, new_checkpoints)[0] == []  # step 150 is too new
    begun_with_checkpoints(home, {50: 200, 100: 190, 150: 180})
    assert tick(instance, None, new_checkpoints)[0] == asked
    folder.write(replace(folder.read(), finished=now()))
    assert tick(instance, None, new_checkpoints)[0] == []  # `finished_trainings` does the rest


def test_checkpoints_that_are_being_audited_are_not_asked_for_again(
    home: Home, instance: dg.DagsterInstance
) -> None:
    begun_with_checkpoints(home, {50: 100})
    launched(instance, TEN, job="audit")
    assert tick(instance, None, new_checkpoints)[0] == []


# What people decide.


@pytest.fixture
def folder(home: Home, paths: InstrumentPaths) -> TrainingFolder:
    """A finished training with two audited checkpoints, of which the ranking prefers step 100."""
    folder = begun_with_checkpoints(home, {50: 100, 100: 90})
    for step, badness in ((50, 0.8), (100, 0.2)):
        write_audit(folder.audit_path(step), an_audit(step, badness=badness))
    select_checkpoint(folder, BUILT_IN)
    return folder


def export(paths: InstrumentPaths, folder: TrainingFolder, step: int) -> None:
    """Pretend that a checkpoint is exported."""
    training = folder.path.name
    a_model(model_path(paths, training, step), f"hash-{step}", step, training=training)


def decide(paths: InstrumentPaths, step: int, decision: str, at: str) -> None:
    """Record a verdict on a checkpoint."""
    verdict = Verdict(TEN.slug, "t", step, f"hash-{step}", decision, {}, "", "Ada", at)
    record_verdict(paths, verdict)


def test_a_selected_checkpoint_is_exported_once_so_that_it_can_be_heard(
    paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    selected(instance, "a")
    requests, cursor = tick(instance, None, new_selections)
    assert requests == [(TEN.slug, "export", [])]
    assert tick(instance, cursor, new_selections) == ([], cursor)
    export(paths, folder, 100)
    selected(instance, "a")
    assert tick(instance, cursor, new_selections)[0] == []


def test_an_export_that_was_asked_for_already_is_not_asked_for_again(
    folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    selected(instance, "a")
    launched(instance, TEN, job="export")
    assert tick(instance, None, new_selections)[0] == []


def test_a_choice_and_its_withdrawal_are_selected(
    folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    _, cursor = tick(instance, None, listeners)
    choose_checkpoint(folder, 50, "warmer", "Ada")
    requests, cursor = tick(instance, cursor, listeners)
    assert requests == [(TEN.slug, "audit", ["selected_checkpoint"])]
    assert tick(instance, cursor, listeners)[0] == []
    withdraw_choice(folder, "no, after all", "Ada")
    assert tick(instance, cursor, listeners)[0] == requests


def test_an_approval_delivers_as_soon_as_there_is_an_export(
    paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    decide(paths, 100, "approved", "2026-01-01T10:00:00+00:00")
    requests, cursor = tick(instance, None, listeners)
    assert requests == []
    export(paths, folder, 100)
    requests, cursor = tick(instance, cursor, listeners)
    assert requests == [(TEN.slug, "deliver", ["delivery"])]
    assert tick(instance, cursor, listeners)[0] == []


def test_a_rejection_becomes_a_check_and_delivers_nothing(
    paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    decide(paths, 100, "rejected", "2026-01-01T10:00:00+00:00")
    requests, cursor = tick(instance, None, listeners)
    assert requests == [(TEN.slug, "deliver", [])]
    export(paths, folder, 100)
    decide(paths, 100, "approved", "2026-01-01T11:00:00+00:00")  # after all
    assert tick(instance, cursor, listeners)[0] == [(TEN.slug, "deliver", ["delivery"])]


def test_an_approved_checkpoint_that_is_selected_again_is_delivered_again(
    paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    deliver = [(TEN.slug, "deliver", ["delivery"])]
    cursor, keys = None, []
    for step in (100, 50):
        export(paths, folder, step)
        decide(paths, step, "approved", f"2026-01-01T10:00:{step:02d}+00:00")
    for step in (50, 100, 50):
        choose_checkpoint(folder, step, "this one", "Ada")
        selection = select_checkpoint(folder, BUILT_IN)
        write_json(folder.selection, asdict(selection) | {"chosen_at": f"{len(keys)}"})
        _, cursor = tick(instance, cursor, listeners)
        context = dg.build_sensor_context(instance, cursor=cursor, definitions=defs)
        (request,) = listeners.evaluate_tick(context).run_requests or ()
        keys.append(request.run_key)
        requests, cursor = tick(instance, cursor, listeners)
        assert requests == deliver
    assert len(set(keys)) == 3  # Dagster passes over a key that it knows


def test_damaged_records_of_an_instrument_stop_no_other(
    home: Home, paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    other = home.instrument(ELEVEN.slug)
    shutil.copytree(paths.models, other.models, symlinks=True)
    decide(paths, 100, "rejected", "2026-01-01T10:00:00+00:00")
    decide(other, 100, "rejected", "2026-01-01T10:00:00+00:00")
    folder.selection.write_text("{")
    assert tick(instance, None, listeners)[0] == [(ELEVEN.slug, "deliver", [])]
    selected(instance, "a")
    assert tick(instance, None, new_selections)[0] == []
    (folder.path / "training.json").write_text("[]")
    shutil.rmtree(other.training(folder.path.name) / "audit" / "000050")
    assert tick(instance, None, new_checkpoints)[0] == [(ELEVEN.slug, "audit", ["audit_renders"])]


def test_a_verdict_on_a_checkpoint_that_is_not_selected_waits(
    paths: InstrumentPaths, folder: TrainingFolder, instance: dg.DagsterInstance
) -> None:
    export(paths, folder, 50)
    decide(paths, 50, "approved", "2026-01-01T10:00:00+00:00")
    _, cursor = tick(instance, None, listeners)
    choose_checkpoint(folder, 50, "warmer", "Ada")
    requests, cursor = tick(instance, cursor, listeners)
    assert requests == [(TEN.slug, "audit", ["selected_checkpoint"])]
    select_checkpoint(folder, BUILT_IN)  # what that run does
    assert tick(instance, cursor, listeners)[0] == [(TEN.slug, "deliver", ["delivery"])]


# Notices.


def selected(instance: dg.DagsterInstance, version: str) -> None:
    event = dg.AssetMaterialization(
        "selected_checkpoint",
        partition=TEN.slug,
        metadata={"step": 50_000, "reason": "the best", "listen": "http://127.0.0.1:3001/x"},
        tags={"dagster/data_version": version},
    )
    instance.report_runless_asset_event(event)


def notices(home: Home) -> list[str]:
    log = notices_log(home)
    return (
        [line.split(" UTC  ")[1] for line in log.read_text().splitlines()] if log.exists() else []
    )


def test_an_instrument_that_can_be_listened_to_is_announced_once(
    home: Home, instance: dg.DagsterInstance
) -> None:
    selected(instance, "a")
    _, cursor = tick(instance, None, instruments_to_listen_to)
    said = (
        "10 Pyroviolin: ready to be listened to: step 50,000 was selected, the best."
        " Listen and decide: `morphene listen pyroviolin`, or http://127.0.0.1:3001/x"
    )
    assert notices(home) == [said]
    selected(instance, "a")
    _, cursor = tick(instance, cursor, instruments_to_listen_to)
    assert notices(home) == [said]
    selected(instance, "b")
    tick(instance, cursor, instruments_to_listen_to)
    assert notices(home) == [said, said]


def fail(instance: dg.DagsterInstance, job: str, **tags: str) -> None:
    run = launched(instance, TEN, dg.DagsterRunStatus.STARTED, job=job, **tags)
    instance.report_run_failed(run, "the power\nwent out")
    run = instance.get_run_by_id(run.run_id) or run
    (record,) = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE
    ).records
    event = record.event_log_entry.dagster_event
    assert event
    context = dg.build_run_status_sensor_context("failed_runs", event, instance, run)
    failed_runs(context.for_run_failure())


def test_a_failed_training_is_announced_with_its_reason_and_what_to_do(
    home: Home, instance: dg.DagsterInstance
) -> None:
    fail(instance, "train")
    (notice,) = notices(home)
    assert notice.startswith("10 Pyroviolin: training failed: the power went out. See `morphene")
    assert "`morphene queue add --instrument pyroviolin` tries again" in notice


@pytest.mark.parametrize(
    ("job", "said"), [("prepare", "preparation failed"), ("audit", "audit failed")]
)
def test_other_failures_are_announced_as_what_they_are(
    home: Home, instance: dg.DagsterInstance, job: str, said: str
) -> None:
    fail(instance, job)
    assert f"10 Pyroviolin: {said}: the power went out." in notices(home)[0]


def test_a_failure_that_is_tried_again_is_not_announced(
    home: Home, instance: dg.DagsterInstance
) -> None:
    fail(instance, "train", dagster__max_retries="1")
    assert notices(home) == []
