"""Processes that end with the one that started them."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent dies (Linux).

    Without it a training whose Dagster worker was killed trains on as an orphan, beside the one
    that the retry starts.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel had been asked
        os.kill(os.getpid(), signal.SIGTERM)
