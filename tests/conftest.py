"""What several test files share: a command, a small project folder, and one real demo."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from morphene_core.audio.wav import write_wav
from morphene_core.files import locked
from morphene_core.home import ROLES, Home
from morphene_core.sources.collect import add_source
from morphene_core.synthesis import fire_takes, violin_takes
from tests.real_recordings import fetch

if TYPE_CHECKING:
    import dagster as dg

# The smallest training that has everything: both phases, checkpoints in each, a resumable state.
TINY = """\
description = "For tests: seconds on a CPU."
shippable = false
latent_size = 4
exported_latents = 4
approval_required = false
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
TempPaths = pytest.TempPathFactory


def tiny(**values: object) -> str:
    """Return the profile `tiny` with other values in its training, or with more of them."""
    text = TINY
    for key, value in values.items():
        line = f"{key} = {value}"
        text, known = re.subn(f"^{key} = .*", line, text, flags=re.MULTILINE)
        if not known:
            text = text.replace("[training]", f"[training]\n{line}")
    return text


# How long an example takes says nothing where two workers share the processors. The examples of
# "tests" are the same at every run, so that what a commit was judged by does not depend on chance;
# `make test-properties` draws others.
UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("tests", derandomize=True, **UNTIMED)
hypothesis.settings.register_profile("search", derandomize=False, print_blob=True, **UNTIMED)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Let every process compute with one thread: those of two workers would be in each other's way.

    It is in time for torch, and for the workers altogether.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, which the workers take one by one: those with slow tests first.

    At the end there are only short ones, so that the workers end at about the same time. The first
    file of all makes the demo, which takes minutes; the others that look at it come later.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    with_demo = [item.path for item in items if "demo" in getattr(item, "fixturenames", ())]

    def place(item: pytest.Item) -> int:
        if item.path in with_demo:
            return 0 if item.path == with_demo[0] else 2
        return 1 if item.path in slow else 3

    items.sort(key=place)


def _ports() -> Iterator[int]:
    """Give ports in a random order, each worker others.

    The kernel gives none of them to a connection, which might have it just when it is wanted.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(20_000 + worker, 32_768, workers)
    yield from random.Random().sample(ports, len(ports))


_PORTS = _ports()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens; no other test gets the same."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port was tried")


def copied_home(home: Home, folder: Path) -> Home:
    """Copy a project folder into another folder, under the name `home`."""
    shutil.copytree(home.path, folder / "home", symlinks=True)
    return Home(folder / "home")


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
    tmp_path_factory: TempPaths, make_tiny_home: Callable[[Path], Home]
) -> Home:
    """Return a tiny project folder of which the tests get copies."""
    return make_tiny_home(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny_home(tmp_path: Path, tiny_home_made_once: Home) -> Home:
    """Return a project folder with half a minute of sources, trained with the profile `tiny`."""
    return copied_home(tiny_home_made_once, tmp_path)


@pytest.fixture(scope="session")
def prepared_home_made_once(tiny_home_made_once: Home, tmp_path_factory: TempPaths) -> Home:
    """Return a tiny project folder with its dataset, of which the tests get copies."""
    from tests.killing import prepared  # with torch, whose import takes seconds

    home = copied_home(tiny_home_made_once, tmp_path_factory.mktemp("prepared"))
    prepared(home, "tiny")
    return home


@pytest.fixture
def prepared_home(tmp_path: Path, prepared_home_made_once: Home) -> Home:
    """Return a tiny project folder with its dataset, and no training."""
    return copied_home(prepared_home_made_once, tmp_path)


@pytest.fixture(scope="session")
def trained_home_made_once(prepared_home_made_once: Home, tmp_path_factory: TempPaths) -> Home:
    """Return a tiny project folder with a finished training, which no test may change."""
    from morphene_core import stages
    from morphene_core.profiles import load_profile

    home = copied_home(prepared_home_made_once, tmp_path_factory.mktemp("trained"))
    stages.train(home.instrument("pyroviolin"), load_profile("tiny", home.profiles))
    return home


@pytest.fixture
def trained_home(tmp_path: Path, trained_home_made_once: Home) -> Home:
    """Return a tiny project folder with a finished training."""
    return copied_home(trained_home_made_once, tmp_path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return the project folder in use, whose profile asks for no hours of recordings."""
    from tests.queues import small_home  # with Dagster, whose import takes seconds

    home = small_home(tmp_path)
    monkeypatch.setenv("MORPHENE_HOME", str(home.path))
    return home


@pytest.fixture(scope="session")
def dagster_made_once(tmp_path_factory: TempPaths) -> Path:
    """Return the files of a Dagster instance without runs, which are copied sooner than made."""
    import dagster as dg

    from morphene_dagster.instance import instance_environment

    folder = instance_environment(Home(tmp_path_factory.mktemp("instance")))["DAGSTER_HOME"]
    with dg.DagsterInstance.from_config(folder) as instance:
        instance.get_runs()
        instance.event_log_storage.get_maximum_record_id()
        instance.all_instigator_state()
    return Path(folder)


@pytest.fixture
def instance(
    home: Home, dagster_made_once: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["dg.DagsterInstance"]:
    """Give the Dagster instance of the project folder in use."""
    import dagster as dg

    shutil.copytree(dagster_made_once, home.dagster)
    monkeypatch.setenv("DAGSTER_HOME", str(home.dagster))
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Dagster's daemons that are started look more often for what is to be done."""
    folders = [str(Path(__file__).with_name("hurried")), os.environ.get("PYTHONPATH")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: TempPaths, morphene: Run) -> Home:
    """Return the project folder of a real demo: `morphene demo`, as users run it.

    It is made once, for all workers; each has a copy.
    """
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo-made-once"
    made.mkdir(exist_ok=True)
    with locked(made / "lock", "Another worker has not come to an end of the demo.", 500):
        if not (made / "done").exists():
            done = morphene("demo", cwd=made)
            assert done.returncode == 0, done.stdout + done.stderr
            (made / "done").touch()
    copy = tmp_path_factory.mktemp("demo") / "demo-home"
    shutil.copytree(made / "demo-home", copy, symlinks=True)
    return Home(copy)


@pytest.fixture(scope="session")
def real_recordings(tmp_path_factory: TempPaths) -> Path:
    """Return a folder of recordings from Debian's packages: musical/ and nonmusical/."""
    folder = tmp_path_factory.mktemp("real")
    fetch(folder)
    return folder


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition, and fail when it does not come true in time.

    The seconds are those of a machine that does nothing else. One that is busy with other tests,
    too, gets four times as many.
    """

    def wait(condition: Callable[[], object], seconds: float = 60.0, every: float = 0.1) -> None:
        deadline = time.monotonic() + 4 * seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(every)

    return wait
