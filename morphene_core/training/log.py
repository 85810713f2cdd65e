"""The log of a training: what it reported in all its attempts, with times."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from morphene_core.progress import Report
from morphene_core.training.record import now


@contextmanager
def logged(path: Path, report: Report) -> Iterator[Report]:
    """Give a report whose lines also go to the end of a log file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file:

        def say(line: str) -> None:
            file.write(f"{now()}  {line}\n")
            report(line)

        try:
            yield say
        except BaseException as error:
            file.write(f"{now()}  ended: {error or type(error).__name__}\n")
            raise
