"""Dagster's services of a project folder: noticed, stopped, reloaded, killed."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from morphene_core.errors import InputError
from morphene_core.files import locked
from morphene_core.home import Home
from morphene_core.instruments import get_poc_instrument
from morphene_core.training import TrainingRecord, current_training
from morphene_core.training.live import is_running
from morphene_dagster.instance import (
    GPU_POOL,
    instance_environment,
    open_instance,
    set_pool_limits,
)
from morphene_dagster.services import running, services
from morphene_dagster.submit import submit
from tests.conftest import free_port, tiny
from tests.killing import newest_step
from tests.queues import read
from tests.recordings import opened, unprivileged
from tests.test_restart import kill_everything, processes

LONG = tiny(phase_1_steps=4000, total_steps=5000, checkpoint_every=4000)


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_the_instance_sets_itself_up_and_is_renewed_when_it_is_another_versions(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    environment = instance_environment(home)
    config = home.dagster / "dagster.yaml"
    ours = config.read_text()
    config.write_text("telemetry:\n  enabled: true\n")
    instance_environment(home)
    assert config.read_text() == ours
    assert environment["DAGSTER_HOME"] == str(home.dagster)


def test_a_project_folder_of_somebody_else_is_named_and_not_used(tmp_path: Path) -> None:
    home = Home(opened(tmp_path) / "home")
    instance_environment(home)
    home.dagster.chmod(0o555)
    with unprivileged(), pytest.raises(InputError, match="dagster cannot be written to"):
        instance_environment(home)


def test_a_disk_too_full_for_dagsters_records_is_named_with_the_remedy(tmp_path: Path) -> None:
    home = Home(tmp_path)
    instance_environment(home)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 10, limits[1]))
    try:
        with pytest.raises(InputError, match=r"records in .* Free disk space"), open_instance(home):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_pools_have_a_slot_for_each_training_that_is_set_and_a_pause_outlives_a_start(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    home.create()
    instance_environment(home)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        set_pool_limits(instance, home)
        assert limits(instance) == {"gpu": 1, "audit": 1, "prepare": 2}
        home.settings.write_text(home.settings.read_text() + "[queue]\ngpus = 4\naudits = 2\n")
        set_pool_limits(instance, home)
        assert limits(instance) == {"gpu": 4, "audit": 2, "prepare": 2}
        instance.event_log_storage.set_concurrency_slots(GPU_POOL, 0)
        set_pool_limits(instance, home)
        assert limits(instance)["gpu"] == 0


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    assert running(Home(tmp_path)) is None


class Services:
    """`morphene up`, started and ended as often as a test likes."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        return [str(Path(sys.executable).with_name("morphene")), "up", "--port", str(self.port)]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"MORPHENE_HOME": str(self.home.path)}

    def start(self) -> None:
        with (self.home.path / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def interrupt(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(90)

    def reload_definitions(self) -> None:
        query = "mutation { reloadWorkspace { __typename } }"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["data"]["reloadWorkspace"]["__typename"] == "Workspace"


@pytest.fixture
def up(prepared_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    (prepared_home.profiles / "tiny.toml").write_text(LONG)
    with prepared_home.settings.open("a") as settings:
        settings.write(f"\n[listening]\nport = {free_port()}\n")
    monkeypatch.setenv("MORPHENE_HOME", str(prepared_home.path))
    monkeypatch.setenv("DAGSTER_HOME", instance_environment(prepared_home)["DAGSTER_HOME"])
    services = Services(prepared_home)
    yield services
    kill_everything(prepared_home)


def record(home: Home) -> TrainingRecord:
    return current_training(home.instrument("pyroviolin")).read()


@pytest.mark.slow
def test_a_training_outlives_a_reload_goes_on_after_a_restart_and_leaves_no_orphan(
    up: Services, wait_until: Callable[..., None]
) -> None:
    home = up.home
    with dg.DagsterInstance.get() as instance:
        read(instance, get_poc_instrument())
        up.start()
        run_id = submit(instance, "train", "pyroviolin")
        wait_until(lambda: newest_step(home) > 0, 120)

        again = subprocess.run(
            up.command(), env=up.environment, capture_output=True, text=True, check=False
        )
        assert again.returncode == 0
        assert again.stdout.startswith("It runs already, since ")
        assert f"http://127.0.0.1:{up.port}" in again.stdout

        up.reload_definitions()
        time.sleep(12)  # two rounds of Dagster's run monitoring and more
        run = instance.get_run_by_id(run_id)
        assert run and run.status is dg.DagsterRunStatus.STARTED
        assert record(home).attempts == 1

        assert up.interrupt() == 0
        assert processes(home) == []
        stopped_at = record(home).step
        assert stopped_at > 0 and newest_step(home) == stopped_at

        up.start()
        wait_until(lambda: newest_step(home) > stopped_at, 120)
        log = home.instrument("pyroviolin").training_log(record(home).id).read_text()
        assert f"resuming from step {stopped_at:,}" in log
        assert record(home).attempts == 2

    there = running(home)
    assert there
    os.kill(there.pid, signal.SIGKILL)  # what starts and ends everything else
    wait_until(lambda: not is_running(current_training(home.instrument("pyroviolin"))), 60)
    wait_until(lambda: processes(home) == [], 60)


def test_services_that_a_run_has_started_for_itself_are_not_taken_for_the_ui(
    morphene: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.create()
    (home.dagster).mkdir()
    record = {"pid": os.getpid(), "port": None, "since": "now"}
    (home.dagster / "services.json").write_text(json.dumps(record))
    with locked(home.dagster / "services.lock", "busy"):
        done = morphene("up", home=tmp_path)
    assert done.returncode == 1
    assert "Start this when it has ended." in done.stderr


def test_services_that_another_command_uses_go_on_until_it_has_ended(home: Home) -> None:
    entered, leave, said = threading.Event(), threading.Event(), []

    def use() -> None:
        with services(home):
            entered.set()
            leave.wait(60)

    other = threading.Thread(target=use)
    with services(home, said.append):
        other.start()
        assert entered.wait(30)
        # Whoever started them leaves first, and has to stay until the other one has left.
        threading.Timer(2.0, leave.set).start()
    other.join(30)
    assert leave.is_set()
    assert said and "waiting for its end" in said[0]
    assert running(home) is None
