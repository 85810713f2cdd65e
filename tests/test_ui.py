"""The Dagster UI as `morphene up` opens it: a run launched, followed and cancelled from there."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from morphene_core.home import Home
from morphene_core.training import current_training

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
LOGS = """
query ($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on LogMessageEvent { message } } }
  }
}"""
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

    def launch(self, job: str) -> str:
        tags = [{"key": "dagster/partition", "value": "pyroviolin"}]
        params = {
            "selector": REPOSITORY | {"jobName": job},
            "mode": "default",
            "executionMetadata": {"tags": tags},
        }
        answer = self.ask(LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        return str(self.ask(STATUS, id=run_id)["runOrError"]["status"])


@pytest.fixture
def server(tiny_home: Home, tmp_path: Path, wait_until: Callable[..., None]) -> Iterator[Server]:
    """Run `morphene up` on a project folder whose training is long enough to be cancelled."""
    profile = tiny_home.profiles / "tiny.toml"
    text = profile.read_text().replace("phase_1_steps = 60", "phase_1_steps = 2000")
    profile.write_text(text.replace("total_steps = 80", "total_steps = 3000"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (tmp_path / "up.log").open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("morphene"), "up", "--port", str(port)],
            env=os.environ | {"MORPHENE_HOME": str(tiny_home.path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        server = Server(port)
        wait_until(server.is_up, 90)
        yield server
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def listening_addresses(port: int) -> set[str]:
    """Return the local addresses on which a port is listened on, from the kernel's table."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A" and int(local.split(":")[1], 16) == port:
                found.add(local.split(":")[0])
    return found


def test_a_run_launched_in_the_ui_takes_the_settings_profile_and_a_cancel_reaches_the_training(
    server: Server, tiny_home: Home, wait_until: Callable[..., None]
) -> None:
    assert listening_addresses(server.port) == {"0100007F"}, "not on 127.0.0.1 only"
    run_id = server.launch("everything")
    paths = tiny_home.instrument("pyroviolin")

    def trains() -> bool:
        assert server.status(run_id) in ("QUEUED", "STARTING", "STARTED", "NOT_STARTED")
        return paths.checkpoints.exists() and bool(current_training(paths).read().checkpoints)

    wait_until(trains, 120)
    messages = [e.get("message", "") for e in server.ask(LOGS, id=run_id)["logsForRun"]["events"]]
    assert any(m.startswith("training, phase 1 of 2") and "to go" in m for m in messages)
    server.ask(CANCEL, id=run_id)
    wait_until(lambda: server.status(run_id) == "CANCELED", 30)
    record = current_training(paths).read()
    assert record.training_profile.name == "tiny"
    assert 0 < record.step < 3000
    assert not record.finished
