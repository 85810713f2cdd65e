"""A training whose GPU is filled by others, through Dagster: it says so, waits, and goes on."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from morphene_core.home import Home
from morphene_core.training import current_training
from morphene_core.training.live import read_live
from tests.conftest import tiny
from tests.nvml_stand_in import Holder, NvmlStandIn, StandInGpu
from tests.test_watchdogs import Run

pytestmark = pytest.mark.slow

NEEDS_GPU = tiny(requires_gpu="true", gpu_memory_gb=24)
FULL = StandInGpu(total_gb=80, used_gb=78, holders=(Holder(4711, gb=77),))


@pytest.fixture
def nvml(tmp_path: Path) -> NvmlStandIn:
    return NvmlStandIn(tmp_path / "nvml")


@pytest.fixture
def started(
    prepared_home: Home, nvml: NvmlStandIn, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start `morphene run` with a profile that needs a GPU, and end it with the test."""
    (prepared_home.profiles / "tiny.toml").write_text(NEEDS_GPU)
    nvml.set(FULL)
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("morphene"), "run", "pyroviolin", "--json"],
            env=environment | nvml.environment | {"MORPHENE_HOME": str(prepared_home.path)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        yield process
        process.kill()
        process.wait()


def waiting_for(home: Home) -> str | None:
    """Return what the training says that it waits for, None if it does not wait."""
    paths = home.instrument("pyroviolin")
    live = read_live(current_training(paths)) if paths.checkpoints.is_symlink() else None
    return live.note if live and live.doing == "waiting for a GPU" else None


def test_it_says_what_it_waits_for_goes_on_and_is_not_retried_where_torch_knows_no_gpu(
    prepared_home: Home,
    nvml: NvmlStandIn,
    started: subprocess.Popen[bytes],
    wait_until: Callable[..., None],
) -> None:
    wait_until(lambda: waiting_for(prepared_home) or started.poll() is not None, 180)
    waiting = waiting_for(prepared_home)
    assert waiting is not None
    assert "2.0 of 80.0 GB free, the rest is held by process 4711" in waiting
    nvml.set(StandInGpu(total_gb=80, used_gb=20, uuid=FULL.uuid))
    assert started.wait(120) == 1

    with dg.DagsterInstance.from_config(str(prepared_home.dagster)) as instance:
        entries = [e for run in instance.get_runs() for e in instance.all_logs(run.run_id)]
    messages = [entry.user_message for entry in entries]
    goes_on = "GPU 0 (Stand-in GPU), 60.0 of 80.0 GB free"
    assert messages.index(waiting) < messages.index(goes_on)
    kinds = [entry.dagster_event.event_type for entry in entries if entry.dagster_event]
    assert kinds.count(dg.DagsterEventType.STEP_FAILURE) == 1
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    record = current_training(prepared_home.instrument("pyroviolin")).read()
    assert record.attempts == 1
    assert record.failure and record.failure.startswith("Profile tiny needs a GPU, and torch ")


def test_no_gpu_in_time_fails_once_and_leaves_the_training_that_there_is_the_current_one(
    trained_home: Home, nvml: NvmlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORPHENE_HOME", str(trained_home.path))
    paths = trained_home.instrument("pyroviolin")
    current = paths.checkpoints.resolve()

    nvml.set(FULL)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in nvml.environment.items():
        monkeypatch.setenv(name, value)
    with trained_home.settings.open("a") as file:
        file.write("\n[queue]\ngpu_wait_minutes = 0.02\n")
    (trained_home.profiles / "tiny.toml").write_text(NEEDS_GPU)
    run = Run(trained_home)
    assert run.failure.startswith("No GPU with 24.0 GB free within 0.02 minutes: GPU 0")
    assert "process 4711" in run.failure and "gpu_wait_minutes" in run.failure
    assert run.retries == 0
    assert paths.checkpoints.resolve() == current
