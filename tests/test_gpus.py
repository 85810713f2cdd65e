"""GPUs are found, read and leased through pynvml's real calls, against a compiled stand-in."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tests.nvml_stand_in import Holder, NvmlStandIn, StandInGpu

LEASEHOLDER = Path(__file__).with_name("leaseholder.py")
SHOW = """
import json
from dataclasses import asdict
from morphene_core.gpus import confine, list_gpus, read_gpu
gpus = list_gpus()
print(json.dumps([asdict(g) | {"line": g.line, "again": read_gpu(g.uuid) == g} for g in gpus]))
"""


@pytest.fixture
def nvml(tmp_path: Path) -> NvmlStandIn:
    return NvmlStandIn(tmp_path / "nvml")


def confined(gpu: str) -> str:
    return SHOW.replace("gpus =", f"confine({gpu}); gpus =")


def environment(nvml: NvmlStandIn) -> dict[str, str]:
    """Return the environment of a process that finds the stand-in, and all of its GPUs."""
    return {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"} | nvml.environment


def python(nvml: NvmlStandIn, code: str, **more: str) -> Any:
    """Run code in a process that finds the stand-in; return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(nvml) | more,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


class Trainer:
    """A process that leases a GPU; see `tests/leaseholder.py`."""

    def __init__(self, nvml: NvmlStandIn, kind: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(LEASEHOLDER), kind, *map(str, arguments)],
            env=environment(nvml),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        """Return its next line, which may take its time, without the end of line."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> None:
        """Let it give its GPU back, and end."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait() == 0


@pytest.fixture
def start(nvml: NvmlStandIn) -> Iterator[Callable[..., Trainer]]:
    """Start a process that leases a GPU."""
    with ExitStack() as stack:

        def begin(kind: str, needed_gb: float, wait_minutes: float, *more: object) -> Trainer:
            trainer = Trainer(nvml, kind, needed_gb, wait_minutes, *more)
            stack.enter_context(trainer.process)
            stack.callback(trainer.process.kill)
            return trainer

        yield begin


def test_the_gpus_of_the_host_are_read_with_their_present_numbers(nvml: NvmlStandIn) -> None:
    first = StandInGpu(total_gb=80, used_gb=12.5, utilization=97, temperature=61, name="H 100")
    nvml.set(first, StandInGpu())
    shown = python(nvml, SHOW)
    assert shown[0] == {
        "index": 0,
        "uuid": first.uuid,
        "name": "H 100",
        "total_gb": 80.0,
        "free_gb": 67.5,
        "utilization": 97,
        "temperature": 61,
        "line": "GPU 0: 12.5 of 80.0 GB, 97 %, 61 °C",
        "again": True,
    }
    assert [gpu["index"] for gpu in shown] == [0, 1]


@pytest.mark.parametrize("lacking", ["answers", "functions"])
def test_readings_that_a_gpu_or_its_driver_does_not_support_are_none(
    tmp_path: Path, lacking: str
) -> None:
    nvml = NvmlStandIn(tmp_path / "old", *(["-DWITHOUT_SENSORS"] if lacking == "functions" else []))
    sensors = ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature")
    nvml.set(StandInGpu(failures=dict.fromkeys(sensors, pynvml.NVML_ERROR_NOT_SUPPORTED)))
    (gpu,) = python(nvml, SHOW)
    assert (gpu["utilization"], gpu["temperature"]) == (None, None)
    assert gpu["line"] == "GPU 0: 0.5 of 24.0 GB"


@pytest.mark.parametrize("without", ["a library", "a driver", "a GPU", "a matching driver"])
def test_without_a_working_driver_there_are_no_gpus(nvml: NvmlStandIn, without: str) -> None:
    if without == "a library":
        library = Path(nvml.environment["LD_LIBRARY_PATH"]) / "libnvidia-ml.so.1"
        library.write_text("no library")
    elif without != "a GPU":
        code = {
            "a driver": pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
            "a matching driver": pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
        }[without]
        nvml.set(StandInGpu(), failures={"nvmlInitWithFlags": code})
    assert python(nvml, SHOW) == []


@pytest.mark.parametrize("call", ["nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetMemoryInfo"])
def test_a_gpu_that_fell_off_the_bus_is_left_out(nvml: NvmlStandIn, call: str) -> None:
    nvml.set(StandInGpu(failures={call: pynvml.NVML_ERROR_GPU_IS_LOST}), StandInGpu())
    assert [gpu["index"] for gpu in python(nvml, SHOW)] == [1]


@pytest.mark.parametrize(
    ("given", "indices"),
    [("1", [1]), ("2, 0", [0, 2]), ("", []), ("-1", []), ("GPU-bb", [1]), ("GPU-cc01,7", [2])],
)
def test_only_the_gpus_that_the_operator_made_visible_count(
    nvml: NvmlStandIn, given: str, indices: list[int]
) -> None:
    nvml.set(*(StandInGpu(uuid=uuid) for uuid in ("GPU-aa01", "GPU-bb01", "GPU-cc01")))
    assert [g["index"] for g in python(nvml, SHOW, CUDA_VISIBLE_DEVICES=given)] == indices


def test_a_process_confined_to_a_gpu_sees_no_other_one(nvml: NvmlStandIn) -> None:
    nvml.set(StandInGpu(), StandInGpu())
    assert [g["index"] for g in python(nvml, confined("list_gpus()[1]"))] == [1]
    assert python(nvml, confined("None")) == []


def test_of_the_gpus_with_enough_memory_the_freest_is_chosen(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    nvml.set(StandInGpu(used_gb=8), StandInGpu(used_gb=2), StandInGpu(total_gb=16))
    assert start("hold", 10, 1).says() == "has 1"


def test_each_training_has_a_gpu_of_its_own_and_the_next_one_waits_for_it(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    nvml.set(StandInGpu(used_gb=1), StandInGpu(used_gb=2))
    first = start("hold", 4, 5)
    assert first.says() == "has 0"
    second = start("hold", 4, 5)
    assert second.says() == "has 1"
    third = start("hold", 4, 5)
    line = third.says()
    assert "at most for a GPU with 4.0 GB free: GPU 0 (Stand-in GPU)" in line
    for number, holder in enumerate((first, second)):
        process = holder.process.pid
        assert f"GPU {number} (Stand-in GPU) is leased by another training (process {process})" in (
            line
        )
    second.end()
    assert third.says() == "has 1"


def test_however_many_trainings_take_turns_no_two_have_one_gpu_at_a_time(
    nvml: NvmlStandIn, start: Callable[..., Trainer], tmp_path: Path
) -> None:
    nvml.set(StandInGpu(), StandInGpu())
    trainers = [start("rounds", 1, 5, 3, tmp_path).process for _ in range(5)]
    assert [trainer.wait() for trainer in trainers] == [0] * 5


@pytest.mark.parametrize("kind", ["hold", "hold-fork"])
def test_a_lease_ends_with_its_holder_though_a_forked_child_lives_on(
    nvml: NvmlStandIn, start: Callable[..., Trainer], kind: str
) -> None:
    nvml.set(StandInGpu())
    killed = start(kind, 1, 5)
    child = int(killed.says().removeprefix("child ")) if kind == "hold-fork" else None
    assert killed.says() == "has 0"
    heir = start("hold", 1, 5)
    assert "is leased by another training" in heir.says()
    killed.process.kill()
    assert heir.says() == "has 0"
    if child is not None:
        os.kill(child, signal.SIGKILL)  # which fails if it had ended by itself


def test_a_training_waits_while_foreign_processes_fill_the_gpu_and_says_which(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    gpu = StandInGpu(used_gb=20.5, holders=(Holder(4711, "/usr/bin/blender", 19.25),))
    nvml.set(gpu)
    trainer = start("hold", 12, 90)
    assert re.fullmatch(
        r"Waiting 1:\d\d:\d\d at most for a GPU with 12\.0 GB free: GPU 0 \(Stand-in GPU\) has 3\.5"
        r" of 24\.0 GB free, the rest is held by process 4711 \(blender, 19\.2 GB\)",
        trainer.says(),
    )
    nvml.set(StandInGpu(uuid=gpu.uuid, used_gb=11.5))
    assert trainer.says() == "has 0"


def test_processes_whose_names_are_not_told_are_named_by_their_numbers(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    gpu = StandInGpu(used_gb=20, holders=(Holder(1, gb=18), Holder(22, gb=1)))
    nvml.set(gpu, failures={"nvmlSystemGetProcessName": pynvml.NVML_ERROR_NO_PERMISSION})
    assert start("hold", 12, 1).says().endswith("by process 1 (18.0 GB), process 22 (1.0 GB)")


def test_where_no_gpu_becomes_free_in_time_the_training_fails_and_says_why(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    nvml.set(StandInGpu(used_gb=20))
    trainer = start("hold", 12, 0.05)
    assert trainer.says().startswith("Waiting 0:0")
    assert trainer.says() == (
        "MorpheneError: No GPU with 12.0 GB free within 0.05 minutes: GPU 0 (Stand-in GPU) has 4.0"
        " of 24.0 GB free. End what holds it, or raise `gpu_wait_minutes` ([queue] in"
        " morphene.toml)."
    )


def test_a_host_whose_gpus_are_all_too_small_is_refused_at_once(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    nvml.set(StandInGpu(total_gb=8), StandInGpu(total_gb=12, name="Big"))
    refused = start("hold", 16, 60).says()
    assert refused.startswith("InputError: 16.0 GB of GPU memory are needed, and the largest GPU")
    assert "GPU 1 (Big), has 12.0 GB." in refused


def test_a_gpu_that_is_lost_while_a_training_waits_is_said(
    nvml: NvmlStandIn, start: Callable[..., Trainer]
) -> None:
    nvml.set(StandInGpu(used_gb=23))
    trainer = start("hold", 4, 0.1)
    assert "has 1.0 of 24.0 GB free" in trainer.says()
    nvml.set()
    assert "within 0.1 minutes: no GPU answers any more." in trainer.says()
