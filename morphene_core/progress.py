"""How far a piece of work has come, and how long it will still take."""

import math
import time
from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line of text for a person: what is being done, how far it is, how long to go."""


def silent(_: str) -> None:
    """Report nothing."""


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress:
    """Reports how far a loop has come, often at first and then once a minute.

    A line every two seconds suits a demo of two minutes; over a day it would be 40,000 lines in
    the event log. The interval therefore grows with the time spent: a thirtieth of it, between
    2 and 60 seconds.

    Args:
        what: what is done, for the line's beginning.
        total: amount of work, in ``unit``.
        report: where the lines go.
        unit: what is counted.
        done: what had been done before (a resumed training), which says nothing about the speed.
    """

    def __init__(
        self, what: str, total: float, report: Report, unit: str = "", done: float = 0
    ) -> None:
        self.what, self.total, self.unit = what, total, unit
        self._report = report
        self._first = self.done = done
        self._start = time.monotonic()
        self._last = float("-inf")

    @property
    def rate(self) -> float:
        """Work done per second since the beginning."""
        elapsed = time.monotonic() - self._start
        return (self.done - self._first) / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end, or None before anything to speak of was done."""
        left = (self.total - self.done) / self.rate if self.rate > 0 else math.inf
        return left if math.isfinite(left) else None

    def advance(self, done: float, note: str = "") -> None:
        """Say that ``done`` of the total is done by now."""
        self.done = done
        now = time.monotonic()
        interval = min(60.0, max(2.0, (now - self._start) / 30))
        if now - self._last < interval and done < self.total:
            return
        self._last = now
        parts = [f"{self.what}: {done:,.0f} of {self.total:,.0f} {self.unit}".rstrip()]
        if note:
            parts.append(note)
        if (left := self.seconds_left) is not None:
            parts.append(f"{clock(left)} to go")
        self._report(" · ".join(parts))
