"""Trainings that are killed again and again, and what they leave."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from morphene_core import stages
from morphene_core.home import ROLES, Home
from morphene_core.profiles import load_profile
from morphene_core.training import TrainingFolder, current_training
from morphene_core.training.states import state_path, states

ROOT = Path(__file__).parent.parent


def prepared(home: Home, name: str) -> None:
    """Prepare everything up to the dataset."""
    paths = home.instrument("pyroviolin")
    for role in ROLES:
        stages.register(paths, role)
        stages.prepare(paths, role)
    stages.preprocess(paths, load_profile(name, home.profiles))


def copied(home: Home, slugs: Iterable[str]) -> None:
    """Give what Pyroviolin has to other instruments, up to the dataset."""
    for slug in slugs:
        for what in ("sources", "audio", "datasets"):
            source = home.path / what / "pyroviolin"
            shutil.copytree(source, source.with_name(slug))


class Nursery:
    """Starts trainers of a project folder; see `tests/nursery.py`."""

    def __init__(self, home: Home, profile: str) -> None:
        self._profile = profile
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests" / "nursery.py"), str(home.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()

    def start(self) -> int:
        """Start a trainer; return its process id."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{self._profile}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def ended(self) -> int:
        """Wait for the trainer's end; return its exit status."""
        assert self._process.stdout
        return int(self._process.stdout.readline())


def train_with_kills(home: Home, profile: str, kills: int, seed: int) -> int:
    """Train to the end, killed at random moments; return how often that was within a save.

    Every other kill waits for a file that is being written; the rest for some steps more.
    """
    chance, within = random.Random(seed), 0
    with Nursery(home, profile) as nursery:
        for number in range(kills):
            trainer = nursery.start()
            before = newest_step(home)
            steps = before + chance.randint(1, 3)
            if number % 2:
                until(lambda: newest_step(home) > before and partials(home), trainer)  # noqa: B023
            else:
                until(lambda: newest_step(home) >= steps, trainer)  # noqa: B023
                time.sleep(chance.uniform(0, 0.1))
            os.kill(trainer, signal.SIGKILL)
            assert nursery.ended() == -signal.SIGKILL, "it ended before it could be killed"
            within += bool(partials(home) or unfinished_states(home))
        nursery.start()
        assert nursery.ended() == 0
    return within


def until(condition: Callable[[], Any], trainer: int, seconds: float = 60.0) -> None:
    """Wait for a condition without a pause: what is looked for lasts milliseconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        os.kill(trainer, 0)


def newest_step(home: Home) -> int:
    """Return the step of the newest whole state, 0 without one."""
    folder = training(home)
    names = [p.stem for p in folder.states.glob("state_*.json")] if folder else []
    return max((int(name.removeprefix("state_")) for name in names), default=0)


def training(home: Home) -> TrainingFolder | None:
    paths = home.instrument("pyroviolin")
    return current_training(paths) if paths.checkpoints.is_symlink() else None


def partials(home: Home) -> list[Path]:
    """Return the files that are being written, or were when their writer died."""
    folder = training(home)
    return list(folder.path.rglob("*.partial*")) if folder else []


def unfinished_states(home: Home) -> list[Path]:
    folder = training(home)
    found = folder.states.glob("state_*.ckpt") if folder else []
    return [path for path in found if not path.with_suffix(".json").exists()]


def final_state(home: Home) -> dict[str, Any]:
    folder = training(home)
    assert folder is not None
    return dict(torch.load(state_path(folder, states(folder)[-1].step), weights_only=True))


def assert_same(a: Any, b: Any, where: str = "state") -> None:
    """Hold two nested structures against each other, tensors bit for bit."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for number, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, where=f"{where}[{number}]")
    else:
        assert a == b, where


def files(home: Home) -> set[str]:
    """Return what lies in the training's folder, but for event files: one for each attempt."""
    folder = training(home)
    assert folder is not None
    return {
        path.relative_to(folder.path).as_posix()
        for path in folder.path.rglob("*")
        if "tensorboard" not in path.parts
    }
