"""Small recordings, and the facts of a source, for the tests of the register."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 48_000

OWN = {"name": "Ours", "origin": "recorded", "licence": "own"}


def audio(seed: int = 0, seconds: float = 0.5) -> np.ndarray:
    """Return noise that sounds like that of no other seed."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * RATE))


def record(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    """Write a recording, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio(seed, seconds), RATE, format="WAV", subtype="PCM_16")
    return path


def facts(name: str = "Ours", **more: Any) -> dict[str, Any]:
    """Return what is known of a source of one's own, and more."""
    return OWN | {"name": name} | more


def files(folder: Path) -> set[str]:
    """Return every file below a folder, the hidden ones too."""
    found = {path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    return {path.relative_to(folder).as_posix() for path in found}


def opened(folder: Path) -> Path:
    """Let everybody into a temporary folder, and return it: pytest lets in its owner only."""
    for path in (folder, *folder.parents):
        mode = path.stat().st_mode
        if not mode & 0o001:
            path.chmod(mode | 0o055)
    return folder


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as `nobody` where the tests run as root, whom permissions do not stop."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)
