"""Twelve trainings, two at a time, and everything killed in the middle."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from morphene_core.home import Home
from morphene_core.instruments import ALL_INSTRUMENTS
from morphene_core.training import TrainingFolder, current_training
from morphene_core.training.live import is_running
from morphene_core.training.states import states
from morphene_dagster.backfills import launch
from morphene_dagster.instance import AUDIT_POOL, instance_environment
from morphene_dagster.services import running
from morphene_dagster.submit import submit
from tests.conftest import free_port, tiny
from tests.killing import copied
from tests.queues import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STEPS = 160
CHOSEN = ALL_INSTRUMENTS[:12]

LONGER = tiny(
    batch_size=1,
    phase_1_steps=140,
    total_steps=STEPS,
    checkpoint_every=80,
    validate_every=80,
    state_minutes=0.01,
)


@pytest.fixture
def home(prepared_home: Home) -> Home:
    """A project folder of twelve instruments with the same recordings, two trainings at a time."""
    home = prepared_home
    (home.profiles / "tiny.toml").write_text(LONGER)
    with home.settings.open("a") as settings:
        settings.write(f"\n[queue]\ngpus = 2\n\n[listening]\nport = {free_port()}\n")
    copied(home, [i.slug for i in CHOSEN if i.slug != "pyroviolin"])
    return home


@contextmanager
def up(home: Home, instance: dg.DagsterInstance, wait_until: Callable[..., None]) -> Iterator[None]:
    """Run `morphene up`; what is left of it at the end is killed.

    Audits, which would follow each training by themselves, stay in the queue: they are slow, and
    hold no GPU slot.
    """
    with (home.path / "up.log").open("ab") as log:
        command = [Path(sys.executable).with_name("morphene"), "up", "--port", str(free_port())]
        process = subprocess.Popen(
            command, env=os.environ | {"MORPHENE_HOME": str(home.path)}, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: running(home))
            instance.event_log_storage.set_concurrency_slots(AUDIT_POOL, 0)
            yield
        finally:
            kill_everything(home)
            process.wait()


def processes(home: Home) -> list[int]:
    """Return every process that works for a project folder: services, runs, trainers."""
    found = []
    wanted = f"MORPHENE_HOME={home.path}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def kill_everything(home: Home) -> None:
    while alive := processes(home):
        for process in alive:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.2)


def training(home: Home, slug: str) -> TrainingFolder | None:
    paths = home.instrument(slug)
    return current_training(paths) if paths.checkpoints.is_symlink() else None


class Watch(threading.Thread):
    """Counts from outside how many trainers hold their locks at a time."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self.home, self.most, self.done = home, 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            folders = [training(self.home, i.slug) for i in CHOSEN]
            self.most = max(self.most, sum(is_running(f) for f in folders if f))


def begun(home: Home) -> set[str]:
    """Return the trainings that have a state and are not finished."""
    found = set()
    for i in CHOSEN:
        folder = training(home, i.slug)
        if folder and states(folder) and not folder.read().finished:
            found.add(i.slug)
    return found


def finished(home: Home) -> int:
    folders = [training(home, i.slug) for i in CHOSEN]
    return sum(bool(folder and folder.read().finished) for folder in folders)


def test_twelve_trainings_two_at_a_time_survive_the_death_of_every_process(
    home: Home, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORPHENE_HOME", str(home.path))
    monkeypatch.setenv("DAGSTER_HOME", instance_environment(home)["DAGSTER_HOME"])
    watch = Watch(home)
    with dg.DagsterInstance.get() as instance:
        read(instance, *CHOSEN)
        with up(home, instance, wait_until):
            watch.start()
            launch(instance, CHOSEN[:2], "flagship", backfill_id="first")
            launch(instance, CHOSEN[2:4], "strong", backfill_id="second")
            for instrument in CHOSEN[4:]:
                submit(instance, "train", instrument.slug)
            wait_until(lambda: len(begun(home)) == 2 and finished(home) >= 1, 300)
            caught = begun(home)
            kill_everything(home)
        folders = [folder for slug in caught if (folder := training(home, slug))]
        assert folders
        wait_until(lambda: not any(map(is_running, folders)), 10)
        with up(home, instance, wait_until):
            wait_until(lambda: len(materialized(instance)) == len(CHOSEN), 600, every=1)
            watch.done.set()
        check_all_finished_once(instance, home)
    assert watch.most == 2, f"{watch.most} trained at once"
    for slug in caught:
        log = home.instrument(slug).training_log(training(home, slug).path.name).read_text()  # type: ignore[union-attr]
        resumed = [int(n.replace(",", "")) for n in re.findall(r"resuming from step ([\d,]+)", log)]
        assert resumed and min(resumed) > 0


def materialized(instance: dg.DagsterInstance) -> dict[str, int]:
    """Return how often each partition of `checkpoints` was materialized."""
    records = instance.fetch_materializations(dg.AssetKey("checkpoints"), limit=1000).records
    found: dict[str, int] = {}
    for record in records:
        found[str(record.partition_key)] = found.get(str(record.partition_key), 0) + 1
    return found


def check_all_finished_once(instance: dg.DagsterInstance, home: Home) -> None:
    assert materialized(instance) == {i.slug: 1 for i in CHOSEN}
    for instrument in CHOSEN:
        folder = training(home, instrument.slug)
        assert folder is not None
        record = folder.read()
        assert (record.step, bool(record.finished)) == (STEPS, True)
        assert [c.step for c in record.checkpoints] == [80, 160]
        assert len(list(folder.path.parent.iterdir())) == 1
