"""What happens to a run that is stopped, killed or cancelled, and to the next one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import torch

from morphene_core.home import Home
from morphene_core.training import TrainingFolder, current_training
from morphene_core.training.states import state_path
from tests.killing import prepared

pytestmark = pytest.mark.slow


@pytest.fixture
def long_home(tiny_home: Home) -> Home:
    """Return a project folder whose training is long enough to be caught in the middle."""
    profile = tiny_home.profiles / "tiny.toml"
    text = profile.read_text()
    text = text.replace("phase_1_steps = 60", "phase_1_steps = 200")
    profile.write_text(text.replace("total_steps = 80", "total_steps = 300"))
    prepared(tiny_home, "tiny")
    return tiny_home


@pytest.fixture
def started(long_home: Home, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `morphene run` as a user would, and end it with the test."""
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("morphene"), "run", "pyroviolin", "--json"],
            env=os.environ | {"MORPHENE_HOME": str(long_home.path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            # As in a terminal, even where the tests run in the background, with SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        yield process
        process.kill()
        process.wait()


def training(home: Home) -> TrainingFolder | None:
    paths = home.instrument("pyroviolin")
    return current_training(paths) if paths.checkpoints.exists() else None


def has_checkpoint(home: Home) -> bool:
    folder = training(home)
    return folder is not None and len(folder.read().checkpoints) > 0


def workers(home: Home) -> list[int]:
    """Return the ids of the worker processes of a project folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except (OSError, NotADirectoryError):
            continue
        if b"morphene_core.worker" in command and str(home.path).encode() in environment:
            found.append(int(process.name))
    return found


def training_runs(home: Home) -> list[dg.DagsterRun]:
    """Return the runs of the job `train`, the newest first."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name="train")))


def unfinished(home: Home) -> list[Path]:
    return [path for path in home.path.rglob("*.partial*") if "dagster" not in path.parts]


def stopped_run(home: Home) -> TrainingFolder:
    """Return the training of a run that was stopped, after a look at what it left."""
    assert workers(home) == []
    assert training_runs(home)[0].status is dg.DagsterRunStatus.CANCELED
    folder = training(home)
    assert folder is not None
    assert 0 < folder.read().step < 300
    assert not folder.read().finished
    assert unfinished(home) == []
    assert not home.instrument("pyroviolin").final.exists()
    return folder


def test_ctrl_c_stops_within_seconds_and_the_next_run_goes_on(
    long_home: Home,
    started: subprocess.Popen[bytes],
    wait_until: Callable[..., None],
    morphene: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    wait_until(lambda: has_checkpoint(long_home), 120)
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 1
    folder = stopped_run(long_home)
    stopped_at = folder.read().step

    done = morphene("run", "pyroviolin", "--json", home=long_home.path)
    assert json.loads(done.stdout)["status"] == "SUCCESS", done.stderr
    assert f"resuming from step {stopped_at:,}" in done.stderr
    record = folder.read()
    assert (record.step, record.attempts) == (300, 2)
    assert [c.step for c in record.checkpoints] == list(range(20, 301, 20))
    # The schedule went on as if nothing had happened: it counts every batch once.
    state = torch.load(state_path(folder, 300), map_location="cpu", weights_only=True)
    assert state["scheduler"]["last_epoch"] == 300
    assert state["optimizers"][0]["param_groups"][0]["lr"] == pytest.approx(3e-4)
    rows = [int(line.split(",")[0]) for line in folder.losses.read_text().splitlines()[1:]]
    assert rows == sorted(rows)


def test_a_cancel_in_the_ui_reaches_a_run_that_was_started_in_the_terminal(
    long_home: Home, started: subprocess.Popen[bytes], wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: has_checkpoint(long_home), 120)
    run = training_runs(long_home)[0]
    with dg.DagsterInstance.from_config(str(long_home.dagster)) as instance:
        instance.run_coordinator.cancel_run(run.run_id)
    assert started.wait(60) == 1
    stopped_run(long_home)


def test_a_killed_trainer_is_retried_in_its_run_and_a_killed_run_by_another_one(
    long_home: Home, started: subprocess.Popen[bytes], wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: has_checkpoint(long_home), 120)
    (trainer,) = workers(long_home)
    os.kill(trainer, signal.SIGKILL)
    wait_until(lambda: workers(long_home) not in ([], [trainer]), 60)
    (trainer,) = workers(long_home)
    folder = training(long_home)
    assert folder is not None
    wait_until(lambda: "resuming from step" in log(folder), 60)
    stat = Path(f"/proc/{trainer}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the run's own process
    assert started.wait(240) == 0

    first, second = reversed(training_runs(long_home))
    assert (first.status.value, second.status.value) == ("FAILURE", "SUCCESS")
    assert second.parent_run_id == first.run_id
    record = folder.read()
    assert (record.step, record.attempts) == (300, 3)
    assert record.runs == (first.run_id, second.run_id)
    with dg.DagsterInstance.from_config(str(long_home.dagster)) as instance:
        logs = instance.all_logs(first.run_id)
    kinds = [entry.dagster_event.event_type for entry in logs if entry.dagster_event]
    assert kinds.count(dg.DagsterEventType.STEP_UP_FOR_RETRY) == 1


def test_killing_the_command_takes_the_training_with_it(
    long_home: Home, started: subprocess.Popen[bytes], wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: has_checkpoint(long_home), 120)
    assert len(workers(long_home)) == 1
    started.kill()
    wait_until(lambda: workers(long_home) == [], 60)
    assert unfinished(long_home) == []


def log(folder: TrainingFolder) -> str:
    record = folder.read()
    home = Home(folder.path.parents[3])
    return home.instrument("pyroviolin").training_log(record.id).read_text()
