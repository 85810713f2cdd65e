"""The same work on many files, several at once."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from morphene_core.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

Advance = Callable[[float], None]
"""Takes how much more is done, in the unit of the progress."""

_THREADS = min(4, os.cpu_count() or 1)  # decoding, filters and numpy run without Python's lock


class _AbandonedError(Exception):
    """Another item failed, or all are to be stopped."""


def in_threads(
    work: Callable[[Item, Advance], Result], items: Sequence[Item], progress: Progress
) -> list[Result]:
    """Work on items at the same time.

    Args:
        work: takes an item, and a function to call now and then with what it did since. This is
            where it is abandoned when another item fails or the user interrupts.
        items: what to work on.
        progress: told about once a second.

    Returns:
        The results in the order of the items.

    Raises:
        Exception: the first that ``work`` raised.
    """
    lock, stop, done = threading.Lock(), threading.Event(), 0.0

    def advance(more: float) -> None:
        nonlocal done
        if stop.is_set():
            raise _AbandonedError
        with lock:
            done += more

    with ThreadPoolExecutor(_THREADS) as pool:
        futures = [pool.submit(work, item, advance) for item in items]
        try:
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, timeout=1, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                if waiting:
                    progress.advance(done)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    progress.advance(progress.total)
    return [future.result() for future in futures]
