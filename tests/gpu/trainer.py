"""Trains Pyroviolin as a worker does: ``python trainer.py HOME PROFILE WAIT_MINUTES``."""

import sys
from pathlib import Path

from morphene_core import stages
from morphene_core.home import Home
from morphene_core.profiles import load_profile
from morphene_core.training.attempt import Attempt


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    home = Home(Path(sys.argv[1]))
    stages.train(
        home.instrument("pyroviolin"),
        load_profile(sys.argv[2], home.profiles),
        say,
        attempt=Attempt(gpu_wait_minutes=float(sys.argv[3])),
    )
