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
from morphene_core.instruments import get_poc_instrument
from morphene_core.training import TrainingFolder
from morphene_core.training.states import state_path
from morphene_dagster.instance import instance_environment
from tests.conftest import tiny
from tests.killing import newest_step, training
from tests.queues import read

pytestmark = pytest.mark.slow

# Long enough to be caught in the middle, and that more than once.
STEPS = 420
LONG = tiny(
    batch_size=1,
    phase_1_steps=400,
    total_steps=STEPS,
    checkpoint_every=140,
    validate_every=140,
    state_minutes=0.01,
)


@pytest.fixture
def home(prepared_home: Home) -> Home:
    """Return a project folder that is prepared for a training that takes a while."""
    (prepared_home.profiles / "tiny.toml").write_text(LONG)
    dagster = instance_environment(prepared_home)["DAGSTER_HOME"]
    with dg.DagsterInstance.from_config(dagster) as instance:
        read(instance, get_poc_instrument())
    return prepared_home


class Command:
    """`morphene run`, started as a user would."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._outcome, self._shown = folder / "outcome.json", folder / "shown"
        folder.mkdir()
        with self._outcome.open("wb") as stdout, self._shown.open("wb") as stderr:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("morphene"), "run", "pyroviolin", "--json"],
                env=os.environ | {"MORPHENE_HOME": str(home.path)},
                stdout=stdout,
                stderr=stderr,
                # As in a terminal, even where the tests run in the background, with SIGINT ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def shown(self) -> str:
        return self._shown.read_text()

    @property
    def status(self) -> str:
        return str(json.loads(self._outcome.read_text())["status"])


@pytest.fixture
def start(
    home: Home, tmp_path: Path, wait_until: Callable[..., None]
) -> Iterator[Callable[[], Command]]:
    """Start the command and wait for it to train; it ends with the test."""
    commands = []

    def run() -> Command:
        before = newest_step(home)
        commands.append(Command(home, tmp_path / f"command {len(commands)}"))
        wait_until(lambda: newest_step(home) > before, 120)
        return commands[-1]

    yield run
    for command in commands:
        command.process.kill()
        command.process.wait()


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
    """Return the runs of the job `train`, the oldest first."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name="train"), ascending=True))


def unfinished(home: Home) -> list[Path]:
    return [path for path in home.path.rglob("*.partial*") if "dagster" not in path.parts]


def stopped_run(home: Home) -> TrainingFolder:
    """Return the training of a run that was stopped, after a look at what it left."""
    assert workers(home) == []
    assert training_runs(home)[-1].status is dg.DagsterRunStatus.CANCELED
    folder = training(home)
    assert folder is not None
    assert 0 < folder.read().step < STEPS
    assert not folder.read().finished
    assert unfinished(home) == []
    assert not home.instrument("pyroviolin").final.exists()
    return folder


def test_after_ctrl_c_the_next_run_goes_on_and_survives_the_death_of_its_trainer_and_its_own(
    home: Home, start: Callable[[], Command], wait_until: Callable[..., None]
) -> None:
    first = start()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 1
    folder = stopped_run(home)
    stopped_at = folder.read().step

    second = start()
    (trainer,) = workers(home)
    os.kill(trainer, signal.SIGKILL)  # is started anew in the same run
    wait_until(lambda: workers(home) not in ([], [trainer]), 60)
    (trainer,) = workers(home)
    wait_until(lambda: log(home, folder).count("resuming from step") == 2, 60)
    stat = Path(f"/proc/{trainer}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the run's own process
    assert second.process.wait(240) == 0
    assert second.status == "SUCCESS"
    assert f"resuming from step {stopped_at:,}" in second.shown

    cancelled, killed, retry = training_runs(home)
    assert (killed.status.value, retry.status.value) == ("FAILURE", "SUCCESS")
    assert retry.parent_run_id == killed.run_id
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        logs = instance.all_logs(killed.run_id)
    kinds = [entry.dagster_event.event_type for entry in logs if entry.dagster_event]
    assert kinds.count(dg.DagsterEventType.STEP_UP_FOR_RETRY) == 1
    record = folder.read()
    assert (record.step, record.attempts) == (STEPS, 4)
    assert record.runs == (cancelled.run_id, killed.run_id, retry.run_id)
    assert [c.step for c in record.checkpoints] == [140, 280, 420]
    # The schedule went on as if nothing had happened: it counts every batch once.
    state = torch.load(state_path(folder, STEPS), map_location="cpu", weights_only=True)
    assert state["scheduler"]["last_epoch"] == STEPS
    assert state["optimizers"][0]["param_groups"][0]["lr"] == pytest.approx(3e-4)
    rows = [int(line.split(",")[0]) for line in folder.losses.read_text().splitlines()[1:]]
    assert rows == sorted(rows)


def test_a_cancel_in_the_ui_reaches_a_run_that_was_started_in_the_terminal(
    home: Home, start: Callable[[], Command]
) -> None:
    command = start()
    (run,) = training_runs(home)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        instance.run_coordinator.cancel_run(run.run_id)
    assert command.process.wait(60) == 1
    stopped_run(home)


def test_killing_the_command_takes_the_training_with_it(
    home: Home, start: Callable[[], Command], wait_until: Callable[..., None]
) -> None:
    command = start()
    assert len(workers(home)) == 1
    command.process.kill()
    wait_until(lambda: workers(home) == [], 60)
    assert unfinished(home) == []


def log(home: Home, folder: TrainingFolder) -> str:
    return home.instrument("pyroviolin").training_log(folder.path.name).read_text()
