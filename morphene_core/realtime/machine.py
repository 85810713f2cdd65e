"""The machine that a proof is made on."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Where a model was played.

    Attributes:
        cpu: name of the processor.
        cores: how many this process may use.
        load: how many processes wanted one, on average over the last minute, before the proof.
        threads: how many torch used.
        torch: its version.
        host: what played the model: the stand-in of nn~, or Pure Data and its version.
    """

    cpu: str
    cores: int
    load: float
    threads: int
    torch: str
    host: str


def this_machine(threads: int, torch_version: str, host: str) -> Machine:
    """Describe the machine this runs on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = round(os.getloadavg()[0], 2)
    return Machine(_cpu(), cores or 1, load, threads, torch_version, host)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.M) if info.exists() else None
    return found.group(1).strip() if found else platform.processor() or platform.machine()
