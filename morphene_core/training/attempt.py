"""What a trainer is told beside what to train."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Observe = Callable[[dict[str, Any]], None]
"""Takes what is to be seen of a training while it runs: a checkpoint, or its progress."""


@dataclass(frozen=True)
class Attempt:
    """On whose behalf a trainer works.

    Attributes:
        run: id of the Dagster run, empty without one.
        first_run: id of the run that this one retries, else of itself.
        gpu_wait_minutes: how long to wait for a GPU that foreign processes fill.
    """

    run: str = ""
    first_run: str = ""
    gpu_wait_minutes: float = 60.0


BY_HAND = Attempt()
"""Without a Dagster run."""
