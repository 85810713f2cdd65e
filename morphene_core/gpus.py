"""The GPUs of this host, by NVIDIA's management library (NVML): choosing one, and watching it.

Knows no torch: the choice is made before torch is loaded, which then sees the chosen one only.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml

from morphene_core.errors import InputError, MorpheneError
from morphene_core.leases import Leases, open_leases
from morphene_core.progress import Report, clock

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 2.0
_REPORT_SECONDS = 60.0


@dataclass(frozen=True)
class Gpu:
    """A GPU and its present numbers.

    Attributes:
        index: as `nvidia-smi` counts.
        uuid: NVML's name for it, the same after a reboot.
        name: the product.
        total_gb: memory in GB (1e9 bytes).
        free_gb: of that, what no process holds.
        utilization: percent of the time that it computes, or None if it does not tell.
        temperature: in degrees Celsius, or None if it does not tell.
    """

    index: int
    uuid: str
    name: str
    total_gb: float
    free_gb: float
    utilization: int | None
    temperature: int | None

    @property
    def line(self) -> str:
        """What there is to see of it, in a few words."""
        used = self.total_gb - self.free_gb
        parts = [f"GPU {self.index}: {used:.1f} of {self.total_gb:.1f} GB"]
        if self.utilization is not None:
            parts.append(f"{self.utilization} %")
        if self.temperature is not None:
            parts.append(f"{self.temperature} °C")
        return ", ".join(parts)


def list_gpus() -> list[Gpu]:
    """Return the GPUs that may be used: all, or those that CUDA_VISIBLE_DEVICES names.

    Numbers in that variable are taken as `nvidia-smi` counts. A GPU that does not answer (it fell
    off the bus) is left out. Without a driver, or its library, there are none.
    """
    try:
        with _nvml():
            read = [_read_at(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    found = [gpu for gpu in read if gpu]
    given = os.environ.get(_VISIBLE)
    if given is None:
        return found
    names = [name.strip() for name in given.split(",")]
    return [gpu for gpu in found if any(_is_named(gpu, name) for name in names)]


def read_gpu(uuid: str) -> Gpu | None:
    """Return a GPU's present numbers, or None if it does not answer."""
    try:
        with _nvml():
            return _read(pynvml.nvmlDeviceGetHandleByUUID(uuid))
    except pynvml.NVMLError:
        return None


def confine(gpu: Gpu | None) -> None:
    """Make this process, which has not used a GPU yet, see this GPU only, or none."""
    os.environ[_VISIBLE] = gpu.uuid if gpu else ""


@contextmanager
def leased_gpu(needed_gb: float, wait_minutes: float, report: Report) -> Iterator[Gpu]:
    """Have a GPU for the block: of those with enough free memory, the one with the most.

    No other training on this host gets it meanwhile (see `morphene_core.leases`). Where none is
    free, waits for one, and says now and then what it waits for.

    Args:
        needed_gb: free memory that it must have, in GB (1e9 bytes).
        wait_minutes: how long to wait.
        report: takes why it waits.

    Raises:
        InputError: there is no GPU, or none is large enough.
        MorpheneError: none became free in time.
    """
    _refuse_too_small(list_gpus(), needed_gb)
    deadline = time.monotonic() + 60 * wait_minutes
    next_report = time.monotonic()
    with open_leases() as leases:
        while (gpu := _take_freest(gpus := list_gpus(), needed_gb, leases)) is None:
            why = "; ".join(_why_not(gpu, leases) for gpu in gpus) or "no GPU answers any more"
            now = time.monotonic()
            if now >= deadline:
                raise MorpheneError(
                    f"No GPU with {needed_gb:.1f} GB free within {wait_minutes:g} minutes: {why}."
                    " End what holds it, or raise `gpu_wait_minutes` ([queue] in morphene.toml)."
                )
            if now >= next_report:
                next_report = now + _REPORT_SECONDS
                left = clock(deadline - now)
                report(f"Waiting {left} at most for a GPU with {needed_gb:.1f} GB free: {why}")
            time.sleep(_POLL_SECONDS)
        yield gpu


def _refuse_too_small(gpus: Sequence[Gpu], needed_gb: float) -> None:
    if not gpus:
        raise InputError("There is no GPU that NVML finds, or CUDA_VISIBLE_DEVICES allows.")
    largest = max(gpus, key=lambda gpu: gpu.total_gb)
    if largest.total_gb < needed_gb:
        raise InputError(
            f"{needed_gb:.1f} GB of GPU memory are needed, and the largest GPU here,"
            f" {_called(largest)}, has {largest.total_gb:.1f} GB. Train on a larger one, or with a"
            " profile of your own that has a smaller batch_size and gpu_memory_gb."
        )


def _take_freest(gpus: Sequence[Gpu], needed_gb: float, leases: Leases) -> Gpu | None:
    for gpu in sorted(gpus, key=lambda gpu: gpu.free_gb, reverse=True):
        if gpu.free_gb >= needed_gb and leases.take(gpu.uuid):
            return gpu
    return None


def _why_not(gpu: Gpu, leases: Leases) -> str:
    """Say what stands against a GPU."""
    holder = leases.holder(gpu.uuid)
    if holder is not None:
        return f"{_called(gpu)} is leased by another training" + (
            f" (process {holder})" if holder else ""
        )
    users = ", ".join(_users(gpu))
    free = f"{_called(gpu)} has {gpu.free_gb:.1f} of {gpu.total_gb:.1f} GB free"
    return f"{free}, the rest is held by {users}" if users else free


def _users(gpu: Gpu) -> list[str]:
    """Return the processes that hold memory of a GPU, as far as NVML tells."""
    try:
        with _nvml():
            handle = pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
            return [_user(p) for p in pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)]
    except pynvml.NVMLError:
        return []


def _user(process: Any) -> str:
    facts = []
    # The name of another user's process, or of one outside this container, may be kept from us.
    with suppress(pynvml.NVMLError, UnicodeDecodeError):
        facts.append(Path(pynvml.nvmlSystemGetProcessName(process.pid)).name)
    if process.usedGpuMemory is not None:
        facts.append(f"{process.usedGpuMemory / 1e9:.1f} GB")
    return f"process {process.pid}" + (f" ({', '.join(facts)})" if facts else "")


def _called(gpu: Gpu) -> str:
    return f"GPU {gpu.index} ({gpu.name})"


def _is_named(gpu: Gpu, name: str) -> bool:
    """Return whether an entry of CUDA_VISIBLE_DEVICES means a GPU: by number, or by its uuid."""
    return name == str(gpu.index) or (name.startswith("GPU-") and gpu.uuid.startswith(name))


@contextmanager
def _nvml() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _read_at(index: int) -> Gpu | None:
    try:
        return _read(pynvml.nvmlDeviceGetHandleByIndex(index))
    except pynvml.NVMLError:
        return None


def _read(handle: Any) -> Gpu:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        index=pynvml.nvmlDeviceGetIndex(handle),
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        name=pynvml.nvmlDeviceGetName(handle),
        total_gb=memory.total / 1e9,
        free_gb=memory.free / 1e9,
        utilization=_if_told(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        temperature=_if_told(
            lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
        ),
    )


def _if_told(read: Callable[[], int]) -> int | None:
    try:
        return read()
    except pynvml.NVMLError:  # not every GPU, driver or virtual machine tells it
        return None
