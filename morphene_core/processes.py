"""Processes that are started by another one of ours."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def start_as_child() -> None:
    """Make this process end with its parent, and when its parent interrupts it.

    The kernel sends it SIGTERM when the parent dies (Linux): a training whose Dagster worker was
    killed would otherwise train on as an orphan, beside the one that the retry starts. SIGINT is
    heard even if a shell that started the parent in the background had it ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent(signal.SIGTERM)


def die_with_parent(number: signal.Signals) -> None:
    """Let the kernel send this process a signal when the thread that started it ends (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the kernel had been asked
        os.kill(os.getpid(), number)
