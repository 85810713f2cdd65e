"""Leases GPUs as a trainer does: ``python leaseholder.py KIND NEEDED_GB WAIT_MINUTES ...``.

Says on stdout what it waits for and what it has. `hold` keeps its GPU until stdin ends; `hold-fork`
forks a child first, as a data loader does, which lives on; `rounds N FOLDER` takes one N times, and
marks it in a folder meanwhile, which fails where another process has marked it.
"""

import os
import sys
import time
from pathlib import Path

from morphene_core.errors import MorpheneError
from morphene_core.gpus import leased_gpu


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> None:
    kind, needed, minutes = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    if kind == "rounds":
        for _ in range(int(sys.argv[4])):
            with leased_gpu(needed, minutes, say) as gpu:
                mark = Path(sys.argv[5]) / gpu.uuid
                mark.touch(exist_ok=False)
                time.sleep(0.05)
                mark.unlink()
        return
    with leased_gpu(needed, minutes, say) as gpu:
        if kind == "hold-fork" and (child := os.fork()) == 0:
            time.sleep(60)
        elif kind == "hold-fork":
            say(f"child {child}")
        say(f"has {gpu.index}")
        sys.stdin.read()


if __name__ == "__main__":
    try:
        main()
    except MorpheneError as error:
        say(f"{type(error).__name__}: {error}")
        sys.exit(1)
