"""The queue's commands, over a real Dagster instance."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from morphene_core.errors import InputError
from morphene_core.home import Home
from morphene_core.instruments import get_instrument
from morphene_core.profiles import load_profile
from morphene_core.training import Checkpoint, TrainingFolder, current_training
from morphene_core.training.live import Live, is_running, write_live
from morphene_core.training.requests import Request, pending
from morphene_core.training.schedule import Schedule, Speed
from morphene_dagster.backfills import PRIORITIES, eligible, launch
from morphene_dagster.cli import main
from morphene_dagster.queue import Entry, Queue
from morphene_dagster.standing import (
    instrument_of,
    priority,
    queued_trainings,
    waiting,
)
from morphene_dagster.submit import submit
from tests.conftest import tiny
from tests.queues import at_work, begun, collect, launched, read, trained

Run = Callable[..., subprocess.CompletedProcess[str]]

TEN, ELEVEN, TWELVE = (get_instrument(number) for number in (10, 11, 12))
STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def queue(instance: dg.DagsterInstance, home: Home) -> Queue:
    return Queue(instance, home)


@pytest.fixture
def command(instance: dg.DagsterInstance) -> Run:
    """Run `morphene` in this process, and fail where a user would get a traceback."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(main, arguments, prog_name="morphene", catch_exceptions=False)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@contextmanager
def trainer_at_work(folder: TrainingFolder, live: Live) -> Iterator[None]:
    """Hold a training's lock from another process, as its trainer does."""
    write_live(folder, live)
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, folder.lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def entry(queue: Queue, instrument: object = TEN) -> Entry:
    (found,) = queue.entries([instrument])  # type: ignore[list-item]
    return found


# Adding.


def test_what_is_ready_is_queued_from_its_sources_on(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10, 11)
    queue.add([TEN, ELEVEN])
    assert set(waiting(instance)) == {TEN.slug, ELEVEN.slug}
    assert entry(queue).state == "waiting for preparation"


def test_if_one_is_not_ready_none_is_queued_and_the_remedy_is_named(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10)
    with pytest.raises(InputError, match=r"11 .* is not ready .*`morphene sources status 11`"):
        queue.add([TEN, ELEVEN])
    assert waiting(instance) == {}


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, STARTED])
def test_what_is_queued_or_running_is_not_queued_again(
    home: Home, queue: Queue, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    collect(home, 10)
    launched(instance, TEN, status)
    with pytest.raises(InputError, match="is there already"):
        queue.add([TEN])


def test_what_waits_in_a_backfill_is_not_queued_again(home: Home, queue: Queue) -> None:
    collect(home, 10)
    queue.add([TEN])
    with pytest.raises(InputError, match="waiting for preparation"):
        queue.add([TEN])


def test_instruments_of_two_tiers_are_queued_with_their_own_priorities(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    flagship, experimental = get_instrument(1), get_instrument(50)
    assert (flagship.tier, experimental.tier) == ("flagship", "experimental")
    collect(home, 1, 50)
    queue.add([flagship, experimental])
    found = {
        slug: backfill.tags["dagster/priority"] for slug, backfill in waiting(instance).items()
    }
    assert found == {
        flagship.slug: str(PRIORITIES["flagship"]),
        experimental.slug: str(PRIORITIES["experimental"]),
    }


# What is said of each.


def test_the_state_is_said_in_words(home: Home, queue: Queue, instance: dg.DagsterInstance) -> None:
    assert entry(queue).state == "not ready"
    assert "no recordings" in entry(queue).why
    collect(home, 10)
    assert entry(queue).state == "ready"
    launched(instance, TWELVE, dagster__priority="5")
    run = launched(instance, TEN)
    assert (entry(queue).state, entry(queue).position) == ("queued", 2)
    instance.report_run_canceling(run)
    assert entry(queue).state == "stopping"
    instance.report_run_canceled(run)
    assert entry(queue).state == "cancelled"
    run = launched(instance, TEN, STARTED)
    assert (entry(queue).state, entry(queue).why) == ("running", "starting")
    instance.report_run_failed(run, "the disk\nis full")
    assert (entry(queue).state, entry(queue).why) == ("failed", "the disk is full")
    trained(instance, TEN)
    assert entry(queue).state == "trained"


def test_a_dead_worker_whose_run_is_tried_again_has_not_failed(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    run = launched(instance, TEN, STARTED, dagster__max_retries="1")
    instance.report_run_failed(run)
    assert (entry(queue).state, entry(queue).why) == ("queued", "is tried again")


def test_a_preparation_that_failed_is_said_with_its_reason(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10)
    run = launched(instance, TEN, STARTED, job="prepare", morphene__tier="flagship")
    assert entry(queue).state == "being prepared"
    instance.report_run_failed(run, "nothing is held out")
    assert (entry(queue).state, entry(queue).why) == (
        "failed",
        "preparation: nothing is held out",
    )


def test_what_a_running_training_tells_is_shown_while_its_trainer_lives(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    launched(instance, TEN, STARTED)
    folder = begun(home, TEN)
    record = replace(folder.read(), step=40, attempts=3)
    folder.write(record.with_checkpoint(Checkpoint(40, 1, "checkpoint_000040.pt", "0" * 64)))
    gpu = {"index": 1, "name": "NVIDIA L4"}
    live = Live("training", "now", 61, 80, 2, 5.5, 3.5, gpu=gpu)
    with trainer_at_work(folder, live):
        found = entry(queue)
    assert (found.state, found.step, found.total_steps, found.phase) == ("running", 61, 80, 2)
    assert (found.steps_per_second, found.seconds_left, found.gpu) == (5.5, 3.5, "1 NVIDIA L4")
    assert (found.attempts, found.last_checkpoint) == (3, 40)
    found = entry(queue)
    assert (found.step, found.steps_per_second, found.gpu) == (40, None, None)


def test_a_training_that_waits_for_a_gpu_says_so(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    launched(instance, TEN, STARTED)
    live = Live("waiting for a GPU", "now", note="GPU 0 has 3 of 24 GB free")
    with trainer_at_work(begun(home, TEN), live):
        assert (entry(queue).state, entry(queue).why) == ("waiting for a GPU", live.note)


def test_a_trained_instrument_whose_sources_have_changed_is_stale(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10)
    trained(instance, TEN)
    begun(home, TEN)  # with a record that names no sources
    assert entry(queue).state == "trained: sources changed since"


# Cancelling, pausing, moving.


def test_cancelling_one_that_is_queued_leaves_the_others(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    launched(instance, TEN)
    launched(instance, ELEVEN)
    queue.cancel(TEN)
    assert entry(queue).state == "cancelled"
    assert entry(queue, ELEVEN).state == "queued"
    with pytest.raises(InputError, match=r"not in the queue \(cancelled\)"):
        queue.cancel(TEN)


def test_cancelling_one_that_waits_for_its_preparation_leaves_the_others_of_its_backfill(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10, 11)
    queue.add([TEN, ELEVEN])
    queue.cancel(TEN)
    assert set(waiting(instance)) == {ELEVEN.slug}
    assert entry(queue).state == "ready"


def test_cancelling_one_that_is_being_prepared_cancels_its_preparation(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10, 11)
    launch(instance, [TEN, ELEVEN], "flagship", backfill_id="a")
    tags = {"dagster__backfill": "a", "morphene__tier": "flagship"}
    run = launched(instance, TEN, job="prepare", **tags)
    queue.cancel(TEN)
    now = instance.get_run_by_id(run.run_id)
    assert now
    assert now.status is dg.DagsterRunStatus.CANCELED
    assert entry(queue).state == "cancelled"
    assert entry(queue, ELEVEN).state == "waiting for preparation"


def test_a_run_that_was_killed_with_everything_else_is_cancelled_all_the_same(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    run = launched(instance, TEN, STARTED)  # of which no process is left
    queue.cancel(TEN)
    now = instance.get_run_by_id(run.run_id)
    assert now
    assert now.status is dg.DagsterRunStatus.CANCELED


def test_a_run_that_was_to_be_tried_again_is_not(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    run = launched(instance, TEN, STARTED, dagster__max_retries="1")
    instance.report_run_failed(run)
    queue.cancel(TEN)
    assert entry(queue).state == "failed"


def test_a_paused_training_waits_for_a_person_and_goes_on_as_it_was(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10)
    launched(instance, TEN, dagster__priority="42")
    queue.pause(TEN)
    assert entry(queue).state == "paused"
    assert eligible(instance, home, [TEN]).ready == ()
    with pytest.raises(InputError, match="`morphene queue resume 10`"):
        queue.add([TEN])
    queue.resume(TEN)
    (run,) = queued_trainings(instance)
    assert (instrument_of(run), priority(run)) == (TEN.slug, 42)
    assert (entry(queue).state, entry(queue).position) == ("queued", 1)
    with pytest.raises(InputError, match="is not paused"):
        queue.resume(TEN)


def test_pausing_all_starts_nothing_and_puts_what_runs_to_the_head(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 2)
    launched(instance, TEN, STARTED, dagster__priority="7")
    launched(instance, ELEVEN, dagster__priority="9")
    launched(instance, TWELVE)
    queue.pause(TWELVE)
    assert not queue.paused
    assert queue.pause_all() == [TEN.slug]
    assert queue.paused
    assert order(instance) == [TEN.slug, ELEVEN.slug]
    assert [entry(queue, i).state for i in (TEN, ELEVEN, TWELVE)] == ["queued", "queued", "paused"]
    assert queue.resume_all() == [TWELVE]
    assert not queue.paused


def order(instance: dg.DagsterInstance) -> list[str | None]:
    return [instrument_of(run) for run in queued_trainings(instance)]


def test_a_queued_training_is_moved_to_the_head_and_to_the_end(
    queue: Queue, instance: dg.DagsterInstance
) -> None:
    for instrument, place in ((TEN, 300), (ELEVEN, 300), (TWELVE, 100)):
        launched(instance, instrument, dagster__priority=str(place))
    assert order(instance) == [TEN.slug, ELEVEN.slug, TWELVE.slug]
    queue.move(TWELVE, first=True)
    assert order(instance) == [TWELVE.slug, TEN.slug, ELEVEN.slug]
    queue.move(TEN, first=True)
    assert order(instance) == [TEN.slug, TWELVE.slug, ELEVEN.slug]
    queue.move(TEN, first=False)
    assert order(instance) == [TWELVE.slug, ELEVEN.slug, TEN.slug]


def test_what_has_no_place_in_the_queue_cannot_be_moved(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    collect(home, 10)
    queue.add([TEN])
    with pytest.raises(InputError, match="has no place in the queue"):
        queue.move(TEN, first=True)
    launched(instance, ELEVEN, STARTED)
    with pytest.raises(InputError, match="has no place in the queue"):
        queue.move(ELEVEN, first=False)


# Finishing early, going on longer.


def test_finishing_early_asks_for_the_share_that_the_profile_names(
    home: Home, queue: Queue
) -> None:
    with pytest.raises(InputError, match="has no training yet"):
        queue.finish(TEN)
    folder = begun(home, TEN)
    assert not queue.finish(TEN)
    share = load_profile("tiny", home.profiles).training.finish_share
    assert pending(folder) == Request("finish", share=share)


def finished(home: Home, speed: Speed | None) -> TrainingFolder:
    folder = begun(home, TEN)
    schedule = Schedule(60, 80, 60, speed)
    folder.write(replace(folder.read(), step=80, finished="today", schedule=schedule))
    return folder


def test_a_finished_training_that_is_extended_is_queued_again(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    folder = finished(home, Speed("cpu", 20.0, 2.0, 1.0))
    trained(instance, TEN)
    assert queue.extend(TEN, steps=None, hours=0.5) == 3600
    assert pending(folder) == Request("extend", steps=3600)
    assert entry(queue).state == "queued"
    (run,) = queued_trainings(instance)
    assert run.run_config == {"resources": {"project": {"config": {"profile": "tiny"}}}}


def test_a_training_in_the_queue_is_extended_where_it_stands(
    home: Home, queue: Queue, instance: dg.DagsterInstance
) -> None:
    begun(home, TEN)
    launched(instance, TEN, STARTED)
    assert queue.extend(TEN, steps=100, hours=None) == 100
    assert queued_trainings(instance) == []


def test_hours_need_a_measured_speed(home: Home, queue: Queue) -> None:
    finished(home, None)
    with pytest.raises(InputError, match="say --steps"):
        queue.extend(TEN, steps=None, hours=1.0)


def test_a_training_of_another_profile_or_dataset_is_not_extended(home: Home, queue: Queue) -> None:
    folder = finished(home, None)
    profile = home.profiles / "tiny.toml"
    profile.write_text(profile.read_text().replace("batch_size = 2", "batch_size = 3"))
    with pytest.raises(InputError, match="would begin another"):
        queue.extend(TEN, steps=10, hours=None)
    assert pending(folder) is None


# The commands.


@pytest.mark.parametrize(
    "words",
    [
        *(["queue"], ["trainings"], ["forecast"]),
        *(["queue", name] for name in ("add", "add-tier", "start", "status", "cancel", "pause")),
        *(["queue", name] for name in ("resume", "move", "logs", "finish", "extend")),
    ],
    ids=" ".join,
)
def test_every_command_has_help_with_an_example(words: list[str]) -> None:
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0
    text = " ".join(done.output.split())
    assert "Example: " in text


def test_the_status_is_json_for_programs_and_a_table_for_people(
    home: Home, instance: dg.DagsterInstance, command: Run
) -> None:
    collect(home, 10)
    launched(instance, ELEVEN)
    found = json.loads(command("queue", "status", "--json").stdout)
    states = {row["slug"]: row["state"] for row in found["entries"]}
    assert states == {ELEVEN.slug: "queued", TEN.slug: "ready"}
    assert found["paused"] is False
    shown = command("queue", "status").stdout
    assert "queued (1)" in shown
    assert "48 instruments without complete sources" in shown
    everything = json.loads(command("queue", "status", "--all", "--json").stdout)
    assert len(everything["entries"]) == 50


def test_a_command_says_what_happens_next_and_an_error_is_one_line(
    home: Home, command: Run
) -> None:
    collect(home, 10)
    done = command("queue", "add", "--instrument", "pyroviolin")
    assert done.stdout.startswith("Queued: pyroviolin.")
    assert "morphene queue start" in done.stdout
    done = command("queue", "add", "-i", "10", "-i", "11")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 10 Pyroviolin is there already")
    done = command("queue", "add-tier", "experimental")
    assert done.stdout.startswith("Nothing to queue.")
    assert command("queue", "cancel", "10").returncode == 0


@pytest.mark.parametrize(
    "arguments", [["pause"], ["resume"], ["pause", "10", "--all"], ["move", "10"], ["extend", "10"]]
)
def test_a_command_that_is_not_complete_is_refused(
    home: Home, command: Run, arguments: list[str]
) -> None:
    done = command("queue", *arguments)
    assert done.returncode == 2


def test_a_pause_of_all_lasts_until_it_is_ended(home: Home, morphene: Run, command: Run) -> None:
    assert "Nothing starts until" in morphene("queue", "pause", "--all", home=home.path).stdout
    assert "Everything is paused" in command("queue", "status").stdout
    assert "start again" in command("queue", "resume", "--all").stdout
    assert "Everything is paused" not in command("queue", "status").stdout


def test_a_log_is_printed_and_followed(
    home: Home, command: Run, wait_until: Callable[..., None]
) -> None:
    done = command("queue", "logs", "10")
    assert "has no training yet" in done.stderr
    folder = begun(home, TEN)
    log = home.instrument(TEN.slug).training_log(folder.path.name)
    log.parent.mkdir(parents=True)
    log.write_text("first line\n")
    assert command("queue", "logs", "10").stdout == "first line\n"
    follow = [Path(sys.executable).with_name("morphene"), "queue", "logs", "10", "-f"]
    with subprocess.Popen(
        follow,
        env=os.environ | {"MORPHENE_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        # In a shell's background SIGINT is ignored, and Dagster, run in this process, does the same
        # with SIGTERM: the command would inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"first line\n"
        with log.open("a") as file:
            file.write("second line\n")
        assert process.stdout.readline() == b"second line\n"
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()


def test_all_trainings_of_an_instrument_stand_side_by_side(home: Home, command: Run) -> None:
    assert "was never trained" in command("trainings", "10").stdout
    demo = begun(home, TEN, "demo")
    demo.write(replace(demo.read(), seconds=1800.0, attempts=2, started="2026-01-01"))
    demo.losses.write_text("step,validation\n150,3.5\n151,\n300,1.25\n450,2.5\n")
    tiny = begun(home, TEN)
    rows = json.loads(command("trainings", "10", "--json").stdout)
    assert [(row["id"], row["current"]) for row in rows] == [
        (demo.path.name, False),
        (tiny.path.name, True),
    ]
    first = rows[0]
    distances = [first[f"{which}_distance"] for which in ("first", "last", "best")]
    assert distances == [3.5, 2.5, 1.25]
    assert (first["hours"], first["attempts"], first["state"]) == (0.5, 2, "stopped")
    assert (first["phase_1_steps"], first["total_steps"]) == (750, 1050)
    assert "current" in command("trainings", "10").stdout


# For real.

# Too long to end by itself.
LONG = {"phase_1_steps": 100_000, "total_steps": 200_000, "checkpoint_every": 1000}


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_a_running_training_is_stopped_from_another_process_and_goes_on_where_it_stopped(
    prepared_home: Home, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    (prepared_home.profiles / "tiny.toml").write_text(tiny(**LONG))
    paths = prepared_home.instrument(TEN.slug)
    with at_work(prepared_home, monkeypatch) as instance:
        read(instance, TEN)
        queue = Queue(instance, prepared_home)

        def trains_past(step: int) -> bool:
            found = entry(queue)
            assert found.state != "failed", found.why
            return found.state == "running" and (found.step or 0) > step

        queue.add([TEN])
        wait_until(lambda: trains_past(20), 240, every=0.5)
        assert queue.pause_all() == [TEN.slug]
        folder = current_training(paths)
        assert not is_running(folder)
        stopped = folder.read()
        assert stopped.step > 20
        wait_until(lambda: entry(queue).position == 1, 90, every=0.5)
        assert queue.resume_all() == []
        wait_until(lambda: trains_past(stopped.step), 120, every=0.5)
        assert folder.read().attempts == 2
        queue.pause(TEN)
        assert entry(queue).state == "paused"
        queue.resume(TEN)
        wait_until(lambda: entry(queue).state == "running", 120, every=0.5)
        queue.cancel(TEN)  # while it is starting
        assert entry(queue).state == "cancelled"
        assert paths.training_log(folder.path.name).exists()


@pytest.mark.slow
def test_a_training_is_finished_early_and_when_it_is_extended_it_goes_on_from_its_end(
    prepared_home: Home, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    (prepared_home.profiles / "tiny.toml").write_text(tiny(**LONG, finish_share=0.0002))
    with at_work(prepared_home, monkeypatch) as instance:
        read(instance, TEN)
        queue = Queue(instance, prepared_home)
        submit(instance, "train", TEN.slug)
        wait_until(lambda: (entry(queue).step or 0) > 20, 120, every=0.5)
        assert queue.finish(TEN)
        wait_until(lambda: entry(queue).state == "trained", 120, every=0.5)
        folder = current_training(prepared_home.instrument(TEN.slug))
        first = folder.read()
        assert first.schedule
        assert first.step == first.schedule.total_steps == first.schedule.phase_1_steps + 20
        assert queue.extend(TEN, steps=10, hours=None) == 10
        assert entry(queue).state in ("queued", "running")
        wait_until(lambda: entry(queue).state == "trained", 120, every=0.5)
        second = folder.read()
        assert second.schedule
        assert second.step == second.schedule.total_steps == first.step + 10
        assert [change["kind"] for change in second.schedule.changes] == [
            "finished early",
            "extended",
        ]
