"""Starts trainers as processes of their own, quickly: ``python nursery.py HOME``.

Importing torch and RAVE takes seconds; here it is done once, and each trainer is a fork. A line on
stdin starts one; its process id comes back, and its exit status when it has ended.
"""

import os
import sys
from pathlib import Path

import morphene_core.rave.train  # noqa: F401  what takes seconds
from morphene_core import stages
from morphene_core.home import Home
from morphene_core.profiles import load_profile


def main() -> None:
    home = Home(Path(sys.argv[1]))
    for line in sys.stdin:
        profile = load_profile(line.strip(), home.profiles)
        if (child := os.fork()) == 0:
            stages.train(home.instrument("pyroviolin"), profile)
            os._exit(0)
        _say(child)
        _, status = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
