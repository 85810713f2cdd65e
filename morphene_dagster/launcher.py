"""Launches each run in a process of its own, which is known by a lock and not by a server.

Dagster's default launcher starts runs inside its code server and cannot tell whether they live:
after a reboot they would stay STARTED for ever and hold their slots. Asking the code server is no
answer either: after a reload of the definitions it is another one, which knows none of the runs
that go on. Here the kernel knows: a run's process holds a lock file for as long as it lives. With
this, Dagster's run monitoring fails the dead ones, and its run retries queue them again.
"""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from morphene_core.files import is_locked
from morphene_core.processes import start_as_child


class LocalRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Starts runs as children of the daemon and asks the kernel about them."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._children: list[subprocess.Popen[bytes]] = []
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What Dagster made it from."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return what can be configured: nothing."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> Self:
        """Make it from the instance's configuration."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run, which holds the run's lock from its first moment on."""
        run = context.dagster_run
        assert run.job_code_origin
        self._clear_up()
        arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref())
        self._folder.mkdir(exist_ok=True)
        with self._lock(run.run_id).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, serialize_value(arguments)],
                stdin=subprocess.DEVNULL,
                pass_fds=[lock.fileno()],
            )
            lock.write(str(child.pid))
        self._children.append(child)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; it ends when its training has saved its state."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if self._lives(run_id):
            with suppress(ProcessLookupError):
                os.kill(int(self._lock(run_id).read_text()), signal.SIGINT)
        else:
            self._instance.report_run_canceled(run, "Its process had ended already.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a run lives."""
        self._children = [child for child in self._children if child.poll() is None]
        if self._lives(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its process is gone (a reboot, or it was killed)"
        )

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory) / "workers"

    def _lock(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"

    def _lives(self, run_id: str) -> bool:
        return is_locked(self._lock(run_id))

    def _clear_up(self) -> None:
        for lock in self._folder.glob("*.lock"):
            if not is_locked(lock):
                lock.unlink(missing_ok=True)


def main() -> None:
    """Execute the run that the argument names; it ends with the daemon."""
    start_as_child()
    from dagster._cli.api import execute_run_command

    execute_run_command([sys.argv[1]])


if __name__ == "__main__":
    main()
