"""Interruptions at every change to the file system: an error, or the death of the process."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHANGES = {
    "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod",
    "os.truncate",
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class _Watch:
    """Calls something at the n-th change below a folder. There is one: hooks cannot be removed."""

    def __init__(self) -> None:
        self.folder, self.number, self.count = "", 0, 0
        self.act: Callable[[], None] | None = None
        self.installed = False

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        if self.act is None or not self._changes(name, arguments):
            return
        self.count += 1
        if self.count == self.number:
            act, self.act = self.act, None  # what cleans up is not interrupted again
            act()

    def _changes(self, name: str, arguments: tuple[Any, ...]) -> bool:
        if name == "open":
            path, _, flags = arguments
            return bool(flags & _WRITING) and self._is_below(path)
        return name in _CHANGES and any(self._is_below(path) for path in arguments[:2])

    def _is_below(self, path: object) -> bool:
        # What is named relative to an open folder (rmtree does that) counts as well.
        named = isinstance(path, str | os.PathLike) and os.fspath(path)
        return bool(named) and (str(named).startswith(self.folder) or "/" not in str(named))


_WATCH = _Watch()


@contextmanager
def interrupted(folder: Path, number: int, act: Callable[[], None]) -> Iterator[_Watch]:
    """Call something just before the n-th change to what is below a folder, from 1 on."""
    if not _WATCH.installed:
        sys.addaudithook(_WATCH.event)
        _WATCH.installed = True
    fsync = os.fsync

    def watched(descriptor: int) -> None:  # Python tells no hook of it
        _WATCH.event("os.truncate", (f"{_WATCH.folder}/", ""))
        fsync(descriptor)

    _WATCH.folder, _WATCH.number, _WATCH.count, _WATCH.act = str(folder), number, 0, act
    os.fsync = watched
    try:
        yield _WATCH
    finally:
        os.fsync, _WATCH.act = fsync, None


def fail() -> None:
    """Fail as a disk does."""
    raise OSError(5, "Input/output error")


def killed_at(folder: Path, number: int, work: Callable[[], object]) -> bool:
    """Do something in a process that is killed just before its n-th change.

    Returns:
        Whether it was killed; False where it had ended before.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with interrupted(folder, number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "what was to be interrupted failed by itself"
    return False
