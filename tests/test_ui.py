"""The Dagster UI as `morphene up` opens it: a run launched, followed and cancelled from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from morphene_core.audio.wav import write_wav
from morphene_core.delivery.verify import folder_faults, read_metadata
from morphene_core.files import read_json
from morphene_core.home import Home
from morphene_core.sources.collect import add_source
from morphene_core.sources.manifest import read_manifest
from morphene_core.synthesis import fire_takes
from morphene_core.training import current_training
from morphene_core.training.states import states
from tests.conftest import free_port
from tests.killing import copied, prepared

pytestmark = pytest.mark.slow

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
CANCEL = "mutation ($id: String!) { terminateRun(runId: $id) { __typename } }"
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
STALENESS = """
{ assetNodes { assetKey { path } staleStatus(partition: "pyroviolin") } }
"""
LOGS = """
query ($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on LogMessageEvent { message } } }
  }
}"""
OTHER = "breakwater"
REPOSITORY = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "morphene_dagster.definitions",
}


@dataclass
class Server:
    port: int

    def ask(self, query: str, **variables: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: dict[str, Any] = json.load(answer)
        assert "errors" not in data, data
        return data["data"]

    def is_up(self) -> bool:
        try:
            self.ask("{ version }")
        except OSError:
            return False
        locations = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
        entries = self.ask(locations)["workspaceOrError"]["locationEntries"]
        return [entry["loadStatus"] for entry in entries] == ["LOADED"]

    def launch(self, job: str, *only: str, instrument: str = "pyroviolin") -> str:
        """Launch a job, or of its assets those that are named."""
        tags = [{"key": "dagster/partition", "value": instrument}]
        selection = {"assetSelection": [{"path": [asset]} for asset in only]} if only else {}
        params = {
            "selector": REPOSITORY | {"jobName": job} | selection,
            "mode": "default",
            "executionMetadata": {"tags": tags},
        }
        answer = self.ask(LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        return str(self.ask(STATUS, id=run_id)["runOrError"]["status"])

    def staleness(self) -> dict[str, str]:
        """Return whether the UI shows each asset of Pyroviolin as stale."""
        nodes = self.ask(STALENESS)["assetNodes"]
        return {node["assetKey"]["path"][0]: node["staleStatus"] for node in nodes}


@contextmanager
def served(home: Home, wait_until: Callable[..., None]) -> Iterator[Server]:
    """Run `morphene up` on a project folder."""
    port = free_port()
    if "\n[listening]" not in home.settings.read_text():
        with home.settings.open("a") as settings:
            settings.write(f"\n[listening]\nport = {free_port()}\n")
    with (home.path / "up.log").open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("morphene"), "up", "--port", str(port)],
            env=os.environ | {"MORPHENE_HOME": str(home.path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        server = Server(port)
        try:
            wait_until(server.is_up, 90)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def server(tiny_home: Home, wait_until: Callable[..., None]) -> Iterator[Server]:
    """Serve a project folder whose training is long enough to be cancelled."""
    profile = tiny_home.profiles / "tiny.toml"
    text = profile.read_text().replace("phase_1_steps = 60", "phase_1_steps = 2000")
    profile.write_text(text.replace("total_steps = 80", "total_steps = 3000"))
    prepared(tiny_home, "tiny")
    copied(tiny_home, [OTHER])
    with served(tiny_home, wait_until) as server:
        yield server


def listening_addresses(port: int) -> set[str]:
    """Return the local addresses on which a port is listened on, from the kernel's table."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A" and int(local.split(":")[1], 16) == port:
                found.add(local.split(":")[0])
    return found


def test_a_cancel_in_the_ui_saves_the_state_and_frees_the_slot_for_the_next_training(
    server: Server, tiny_home: Home, wait_until: Callable[..., None]
) -> None:
    assert listening_addresses(server.port) == {"0100007F"}, "not on 127.0.0.1 only"
    run_id, waiting = server.launch("train"), server.launch("train", instrument=OTHER)
    paths = tiny_home.instrument("pyroviolin")

    def trains() -> bool:
        assert server.status(run_id) in ("QUEUED", "STARTING", "STARTED", "NOT_STARTED")
        return paths.checkpoints.exists() and bool(current_training(paths).read().checkpoints)

    wait_until(trains, 120)

    def says_how_long() -> bool:
        events = server.ask(LOGS, id=run_id)["logsForRun"]["events"]
        messages = [event.get("message", "") for event in events]
        return any(m.startswith("training, phase 1 of 2") and "to go" in m for m in messages)

    wait_until(says_how_long, 60)
    assert server.status(waiting) == "QUEUED"
    server.ask(CANCEL, id=run_id)
    # Its slot is free then, and the other one begins.
    wait_until(lambda: server.status(waiting) in ("STARTING", "STARTED"), 30)
    assert server.status(run_id) == "CANCELED"
    training = current_training(paths)
    record = training.read()
    assert record.training_profile.name == "tiny"
    assert 0 < record.step < 3000
    assert states(training)[-1].step == record.step
    assert not record.finished


def test_a_source_that_changes_makes_the_instrument_stale_and_its_delivery_keeps_its_hashes(
    demo: Home, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(demo.path, home.path, symlinks=True)
    paths = home.instrument("pyroviolin")
    delivered = read_json(paths.final / "metadata.json")["lineage"]["sources"]
    before = {f.sha256 for s in read_manifest(paths.manifest("musical")).source for f in s.files}
    assert {s["sha256"] for s in delivered if s["role"] == "musical"} == before
    with served(home, wait_until) as server:
        assert set(server.staleness().values()) == {"FRESH"}
        take = next(fire_takes(12))
        write_wav(tmp_path / "another take.wav", take.audio)
        name = read_manifest(paths.manifest("musical")).source[0].name
        add_source(paths, "musical", {"name": name}, [tmp_path / "another take.wav"])
        run_id = server.launch("prepare", "musical_source")
        wait_until(lambda: server.status(run_id) == "SUCCESS", 60)

        def stale() -> set[str]:
            return {asset for asset, status in server.staleness().items() if status == "STALE"}

        # What lies between is prepared anew by itself; nothing is trained by itself.
        wait_until(lambda: {"checkpoints", "delivery"} <= stale(), 60)
    assert folder_faults(paths.final) == []
    assert read_metadata(paths.final)["lineage"]["sources"] == delivered
    assert {(s["licence"], s["origin"]) for s in delivered} == {("CC0-1.0", "synthesized")}
