"""Leases: what one process on this host has, no other one takes, and nobody has to give back.

All leases are locks on single bytes of one file. They are POSIX record locks: the kernel drops them
with the process that took them, and children that it forked (data loaders) do not hold them on, as
they would hold on a `flock`. The price: closing any descriptor of the file in a process drops all
its leases, so `open_leases` is entered once per process.
"""

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from morphene_core.errors import MorpheneError

# Not below TMPDIR, which often is one user's or one session's: leases are the whole host's.
LEASES = Path("/tmp/morphene.leases")
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, process id


class Leases:
    """The host's leases, as an open file.

    Args:
        descriptor: of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def take(self, name: str) -> bool:
        """Take a lease, to the end of `open_leases`; return whether it was free."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True

    def holder(self, name: str) -> int | None:
        """Return the id of the other process that has a lease, None if none has.

        It is 0 if the process cannot be seen from here (it is outside this container).
        """
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _place(name), 1, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))
        return None if answer[0] == fcntl.F_UNLCK else max(0, int(answer[4]))


@contextmanager
def open_leases() -> Iterator[Leases]:
    """Give the host's leases; those that are taken end with the block.

    Raises:
        MorpheneError: the file cannot be opened.
    """
    try:
        descriptor = _open_shared(LEASES)
    except OSError as error:
        raise MorpheneError(
            f"{LEASES}, where the host's GPU leases are, cannot be opened ({error.strerror}): it is"
            " to be a plain file that everybody may write. Remove what has the name."
        ) from error
    try:
        os.utime(descriptor)  # those who clean up temporary folders leave recent files alone
        yield Leases(descriptor)
    finally:
        os.close(descriptor)


def _place(name: str) -> int:
    """Return the byte of the file that stands for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")


def _open_shared(path: Path) -> int:
    """Open a file that all users share, in a folder where any of them may put anything.

    No link is followed, and nothing is changed that was there: the kernel even refuses O_CREAT on
    another user's file there (fs.protected_regular).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:  # somebody was faster
        return os.open(path, flags)
    os.fchmod(descriptor, 0o666)  # whatever the umask says
    return descriptor
