"""Files that are there complete or not at all, and what they contain."""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from morphene_core.errors import InputError

_BLOCK = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TEMPORARY = re.compile(r"\..*\.\d+\.partial(\.[^.]*)?", re.DOTALL)

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors that say that a disk, or what one may have of it, is full."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's contents as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def combined_hash(parts: list[str]) -> str:
    """Return one hash for a list of strings, in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its name once the block ends well.

    The temporary name keeps the suffix, because many writers choose a format by it.

    Raises:
        InputError: there is no space left for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        with _room_for(path):
            yield temporary
            sync(temporary)
        temporary.replace(path)
        sync(path.parent)  # the name, too, outlives a loss of power
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what a killed process left of files that `atomic_file` was to publish below."""
    for path in folder.rglob(".*.partial*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def sweep_folders(folder: Path) -> None:
    """Delete what a killed process left of folders that `atomic_folder` was to publish in one.

    Nobody else may be publishing there.
    """
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path`` that replaces it in one step once the block ends well.

    What stood under ``path`` before is removed only after the new folder has taken its place.

    Raises:
        InputError: there is no space left for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    temporary.chmod(0o755)  # mkdtemp's 0700 would stay with the published folder
    try:
        with _room_for(path):
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    sync(file)
        take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, complete or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON, complete or not at all."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def point_link(link: Path, target: Path) -> None:
    """Make the symbolic link ``link`` point to ``target`` (relative), replacing it in one step.

    An empty folder under its name (a place that was set up for it) gives way.

    Raises:
        InputError: a file, or a folder with something in it, has the name.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}.partial")
    if link.exists() and not link.is_symlink():
        if not link.is_dir() or any(link.iterdir()):
            what = "folder with files" if link.is_dir() else "file"
            raise InputError(f"{link} is to be a link, and is a {what}: move it away.")
        link.rmdir()
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(target, link.parent))
    temporary.replace(link)


@contextmanager
def locked(path: Path, busy: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock file. The kernel releases it with the process, so that it is never stale.

    Args:
        path: the lock file.
        busy: text of the error where another process holds it.
        wait_seconds: how long to wait for a holder that is about to end.

    Raises:
        InputError: another process holds it.
    """
    deadline = time.monotonic() + wait_seconds
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise InputError(busy) from error
                time.sleep(0.2)
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


# A fork holds its parent's locks, too, and would hold them on when the parent is gone.
_held: set[IO[str]] = set()


def _let_go() -> None:
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock file at this moment."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise InputError(
            f"No space left to write {path} ({error.strerror}). Free disk space and start again."
        ) from error


def sync(path: Path) -> None:
    """Have a file's contents, or the names in a folder, on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_place(new: Path, final: Path) -> None:
    """Put ``new`` under the name ``final`` in one step; what was there goes to the name ``new``."""
    if not os.path.lexists(final):
        new.rename(final)
        return
    try:
        _exchange(new, final)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise
        # A file system without an exchange (NFS): `final` is missing for an instant, never mixed.
        aside = new.with_name(new.name + ".old")
        final.rename(aside)
        new.rename(final)
        aside.rename(new)


def _exchange(a: Path, b: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, "no renameat2")
    if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(b))
