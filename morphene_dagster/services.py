"""The services of a project folder: Dagster's daemon, its UI, and the listening room.

A supervisor (``python -m morphene_dagster.services``) holds a lock that the kernel releases with
it, and everything that it started ends with it: trainings save their state, their runs end as
interrupted, and the next start of the services takes them up again.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from morphene_core.errors import MorpheneError
from morphene_core.files import is_locked, locked, read_json, write_json
from morphene_core.home import Home
from morphene_core.processes import die_with_parent, start_as_child
from morphene_core.training import now
from morphene_dagster.instance import instance_environment

_MODULE = "morphene_dagster.definitions"
_STOP_SECONDS = 45.0  # a training saves its state within seconds; then it is killed


@dataclass(frozen=True)
class Services:
    """What runs.

    Attributes:
        pid: process id of the supervisor.
        port: of the UI on 127.0.0.1, or None without one.
        since: UTC time.
    """

    pid: int
    port: int | None
    since: str

    @property
    def address(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self.port}"


def running(home: Home) -> Services | None:
    """Return what runs for a project folder, or None."""
    if not is_locked(_lock(home)):
        return None
    try:
        return Services(**read_json(_record(home)))
    except (OSError, ValueError):  # it is just starting
        return Services(0, None, now())


def log_path(home: Home) -> Path:
    """Return where the services log."""
    return home.dagster / "services.log"


def start(home: Home, port: int | None) -> subprocess.Popen[bytes]:
    """Start the services as a child: with the UI on a port, or the daemon alone.

    They end with this process, and with SIGINT or SIGTERM to the child.

    Raises:
        MorpheneError: they end at once.
    """
    environment = instance_environment(home)
    with log_path(home).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(home.path), str(port or "")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to the parent only, and is passed on once
        )
    while not running(home):
        if process.poll() is not None:
            raise MorpheneError(f"Dagster did not start: see the end of {log_path(home)}.")
        time.sleep(0.05)
    return process


@contextmanager
def services(home: Home, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """See to it that the queue is worked through during the block.

    Nothing is done where services run already; otherwise they are started without a UI, and end
    with the block, once no other command follows a run of its own by them.

    Args:
        home: the project folder.
        say: is told when it has to wait for others.
    """
    home.dagster.mkdir(parents=True, exist_ok=True)
    with (home.dagster / "services.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if running(home):
            yield
            return
        process = start(home, None)
        try:
            yield
        finally:
            try:
                _wait_for_others(users, say)
            finally:
                stop(process)


def _wait_for_others(users: IO[str], say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another command still uses the services that this one started: waiting for its end.")
        fcntl.flock(users, fcntl.LOCK_EX)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End services that `start` started, and see them end."""
    process.terminate()
    process.wait()


def main() -> None:
    """Supervise; the arguments are the project folder and the UI's port, empty for no UI."""
    start_as_child()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home, port = Home(Path(sys.argv[1])), int(sys.argv[2]) if sys.argv[2] else None
    with locked(_lock(home), "The services of this project folder run already.", 2.0):
        write_json(_record(home), asdict(Services(os.getpid(), port, now())))
        process = _child(_command(port))
        if port is not None:
            _child([sys.executable, "-P", "-m", "morphene_core.listening"])
        try:
            status = process.wait()
        except KeyboardInterrupt:
            status = 0
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _end_session()
    sys.exit(status)


def _child(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=os.environ | _QUIET,
        # Without its supervisor it has to end, as by Ctrl-C: the lock is gone then.
        preexec_fn=lambda: die_with_parent(signal.SIGINT),
    )


# `dg dev`, which Dagster recommends at every start, is for projects made by its generator.
_QUIET = {"PYTHONWARNINGS": "ignore:Function `dev_command` is superseded"}


def _command(port: int | None) -> list[str]:
    if port is None:
        return [sys.executable, "-P", "-m", "dagster._daemon", "run", "-m", _MODULE]
    dev = [sys.executable, "-P", "-m", "dagster", "dev", "-m", _MODULE]
    return [*dev, "-h", "127.0.0.1", "-p", str(port)]


def _end_session() -> None:
    """Interrupt every other process of this session, as Ctrl-C does, and see them end."""
    deadline = time.monotonic() + _STOP_SECONDS
    for process in _others():
        _send(process, signal.SIGINT)
    while others := _others():
        if time.monotonic() > deadline:
            for process in others:
                _send(process, signal.SIGKILL)
        time.sleep(0.1)
        _reap()


def _others() -> list[int]:
    """Return the processes of this session but this one, by the kernel's table."""
    session, found = os.getsid(0), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(fields[3]) == session and fields[0] != "Z" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _reap() -> None:
    with suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _lock(home: Home) -> Path:
    return home.dagster / "services.lock"


def _record(home: Home) -> Path:
    return home.dagster / "services.json"


if __name__ == "__main__":
    main()
