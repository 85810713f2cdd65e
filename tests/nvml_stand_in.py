"""GPUs for machines without one: NVML's compiled stand-in, and what it is to say.

    nvml = NvmlStandIn(tmp_path / "nvml")
    nvml.set(StandInGpu(total_gb=24, used_gb=20), StandInGpu())
    subprocess.run(command, env=os.environ | nvml.environment)

Only processes started with that environment see the GPUs: the loader looks for libraries where the
environment said when the process began.
"""

import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True)
class Holder:
    """A process that holds a GPU's memory."""

    pid: int
    name: str = "/usr/bin/python3"
    gb: float = 0.0


@dataclass(frozen=True)
class StandInGpu:
    """A GPU. ``failures`` are NVML's functions that fail for it, with the number of the error."""

    total_gb: float = 24.0
    used_gb: float = 0.5
    utilization: int = 0
    temperature: int = 40
    name: str = "Stand-in GPU"
    holders: tuple[Holder, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    # Leases are the whole machine's: no two tests may mean the same GPU.
    uuid: str = field(default_factory=lambda: f"GPU-{uuid.uuid4()}")


class NvmlStandIn:
    """A library in a folder of its own, and its state.

    Args:
        folder: where both are put.
        flags: for the compiler; ``-DWITHOUT_SENSORS`` leaves two functions out.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        folder.mkdir(parents=True)
        self._state = folder / "state.txt"
        library = folder / "libnvidia-ml.so.1"
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *flags]
        subprocess.run([*command, "-o", library, SOURCE], check=True)
        self.environment = {
            "LD_LIBRARY_PATH": str(folder),
            "NVML_STAND_IN": str(self._state),
        }
        self.set()

    def set(self, *gpus: StandInGpu, failures: Mapping[str, int] | None = None) -> None:
        """Say what the library says from now on, in processes that run already, too.

        Args:
            gpus: in the order of their indices.
            failures: NVML's functions that fail whatever the GPU, with the number of the error.
        """
        lines = [f"fail {name} {code} -1" for name, code in (failures or {}).items()]
        for index, gpu in enumerate(gpus):
            memory = f"{gpu.total_gb * 1e9:.0f} {gpu.used_gb * 1e9:.0f}"
            lines.append(f"gpu {gpu.uuid} {memory} {gpu.utilization} {gpu.temperature} {gpu.name}")
            lines += [
                f"process {index} {holder.pid} {holder.gb * 1e9:.0f} {holder.name}"
                for holder in gpu.holders
            ]
            lines += [f"fail {name} {code} {index}" for name, code in gpu.failures.items()]
        new = self._state.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self._state)  # no reader finds half of it
