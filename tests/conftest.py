"""What several test files share: a command, a small project folder, and one real demo."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from morphene_core.audio.wav import write_wav
from morphene_core.home import ROLES, Home
from morphene_core.sources.collect import add_source
from morphene_core.synthesis import fire_takes, violin_takes
from tests.real_recordings import fetch

# The smallest training that has everything: both phases, checkpoints in each, a resumable state.
TINY = """\
description = "For tests: seconds on a CPU."
shippable = false
latent_size = 4
exported_latents = 4
reference_seconds = 1.0
bindings = [
    "CAPACITY = 8",
    "RATIOS = [4, 4, 2, 2]",
    "discriminator.ConvNet.capacity = 2",
    "core.MultiScaleSTFT.scales = [512, 256, 128]",
    "RAVE.valid_signal_crop = False",
]

[training]
batch_size = 2
n_signal = 8192
phase_1_steps = 60
total_steps = 80
checkpoint_every = 20
validate_every = 20
learning_rate = 3e-3
threads = 1

[watchdogs]
min_active_latents = 0 # so few steps teach the encoder nothing
"""

SYNTHESIZED = {"name": "Takes", "origin": "synthesized", "licence": "CC0-1.0", "rating": 3}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def morphene() -> Run:
    """Run the `morphene` command and return how it ended."""

    def run(
        *arguments: str | Path, home: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "MORPHENE_HOME"}
        environment |= {"MORPHENE_HOME": str(home)} if home else {}
        return subprocess.run(
            [Path(sys.executable).with_name("morphene"), *map(str, arguments)],
            env=environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def make_tiny_home() -> Callable[[Path], Home]:
    """Make a project folder with half a minute of sources, trained with the profile `tiny`."""

    def make(folder: Path) -> Home:
        home = Home(folder / "home")
        home.create(profile="tiny")
        home.profiles.mkdir()
        (home.profiles / "tiny.toml").write_text(TINY)
        paths = home.instrument("pyroviolin")
        for role, takes in zip(ROLES, (violin_takes, fire_takes), strict=True):
            for take in takes(24):
                write_wav(paths.sources(role) / f"{take.name}.wav", take.audio)
            add_source(paths, role, SYNTHESIZED, [paths.sources(role)])
        return home

    return make


@pytest.fixture(scope="session")
def tiny_home_made_once(
    tmp_path_factory: pytest.TempPathFactory, make_tiny_home: Callable[[Path], Home]
) -> Home:
    """Return a tiny project folder of which the tests get copies."""
    return make_tiny_home(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny_home(tmp_path: Path, tiny_home_made_once: Home) -> Home:
    """Return a project folder with half a minute of sources, trained with the profile `tiny`."""
    shutil.copytree(tiny_home_made_once.path, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, morphene: Run) -> Home:
    """Return the project folder of a real demo, made once: `morphene demo`, as users run it."""
    folder = tmp_path_factory.mktemp("demo")
    done = morphene("demo", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return Home(folder / "demo-home")


@pytest.fixture(scope="session")
def real_recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of recordings from Debian's packages: musical/ and nonmusical/."""
    folder = tmp_path_factory.mktemp("real")
    fetch(folder)
    return folder


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition, and fail when it does not come true in time."""

    def wait(condition: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)

    return wait
