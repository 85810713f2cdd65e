"""Ends a trainer that hangs, or whose parent is gone and that does not end by itself.

A hung data loader or GPU blocks the main thread, which then hears no signal. This is a thread.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STALLED = 70
"""Exit status of a trainer that made no progress (EX_SOFTWARE)."""

_STOP_SECONDS = 20.0
_STDERR = 2


class Heartbeat:
    """Watches over the main thread while `watching` runs.

    Args:
        stall_seconds: longest time between two beats.
        alarm: is told, in words, before a stalled process ends.
    """

    def __init__(self, stall_seconds: float, alarm: Callable[[str], None]) -> None:
        self.stop_requested = False
        self._stall, self._alarm = stall_seconds, alarm
        self._last = time.monotonic()
        self._asked = 0.0
        self._done = threading.Event()

    def beat(self) -> None:
        """Say that there was progress."""
        self._last = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch, and take SIGINT (a cancel from Dagster) and SIGTERM as requests to stop."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._ask_to_stop) for number in numbers]
        thread = threading.Thread(target=self._watch, args=(os.getppid(),), daemon=True)
        self.beat()
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _ask_to_stop(self, *_: object) -> None:
        self.stop_requested = True
        self._asked = self._asked or time.monotonic()

    def _watch(self, parent: int) -> None:
        while not self._done.wait(min(1.0, self._stall / 4)):
            now = time.monotonic()
            if os.getppid() != parent:
                self._ask_to_stop()
            if self._asked and now - self._asked > _STOP_SECONDS:
                self._end("asked to stop, it did not end by itself: its newest state remains")
            if now - self._last > self._stall:
                self._end(
                    f"no progress: nothing was finished for {self._stall / 60:.3g} minutes"
                    " (a hung data loader or GPU); it starts again from its newest state"
                )

    def _end(self, reason: str) -> None:
        faulthandler.dump_traceback(_STDERR, all_threads=True)
        self._alarm(reason)
        os._exit(STALLED)
