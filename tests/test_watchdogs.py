"""Trainings that go nowhere: each watchdog, provoked inside the real trainer, in a Dagster run."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import torch

from morphene_core.files import read_json, sha256, write_json
from morphene_core.home import Home
from morphene_core.profiles import Watchdogs
from morphene_core.training import TrainingFolder, TrainingRecord, current_training
from morphene_core.training.states import go_back, state_path, states, write_state
from morphene_core.training.watchdogs import POLICIES, DiscriminatorWatch
from morphene_dagster.assets import checkpoints
from morphene_dagster.resources import Project, Workers
from tests.conftest import TINY
from tests.killing import newest_step

LIMITS = Watchdogs()


def test_the_discriminator_is_judged_by_its_lasting_loss_and_each_verdict_is_said_once() -> None:
    watch = DiscriminatorWatch(LIMITS)
    said = [watch.see(1.2) for _ in range(300)]
    assert said == [None] * 300
    assert watch.see(0.0) is None  # one batch is no verdict
    said = [text for _ in range(300) if (text := watch.see(0.0))]
    assert len(said) == 1 and "wins outright" in said[0]
    said = [text for _ in range(300) if (text := watch.see(2.0))]
    assert len(said) == 1 and "loses outright" in said[0]


def test_going_back_leaves_the_last_state_that_passed_its_validation(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    for step, validated in ((10, True), (20, False), (30, False)):
        write_state(
            folder, lambda path: path.write_bytes(b"x"), step,
            phase=1, validated=validated, rollbacks=0, losses={},
        )  # fmt: skip
    good = go_back(folder)
    assert good and good.step == 10
    assert [state.step for state in states(folder)] == [10]
    assert [p.name for p in sorted(folder.states.iterdir())] == [
        "state_000010.ckpt",
        "state_000010.json",
    ]


@pytest.fixture
def home(prepared_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A project folder with a dataset and no training."""
    monkeypatch.setenv("MORPHENE_HOME", str(prepared_home.path))
    return prepared_home


@pytest.fixture
def trained(trained_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A project folder with a finished training of 80 steps."""
    monkeypatch.setenv("MORPHENE_HOME", str(trained_home.path))
    return trained_home


Change = tuple[str, str]


def profile(home: Home, *changes: Change) -> None:
    """Write the profile anew: values of keys, or a line for the watchdogs."""
    text = TINY
    for key, value in changes:
        lines = text.splitlines()
        known = [n for n, line in enumerate(lines) if line.startswith(f"{key} =")]
        if known:
            end = known[0]
            while key == "bindings" and lines[end] != "]":
                end += 1
            lines[known[0] : end + 1] = f"{key} = {value}".splitlines()
        elif key in Watchdogs.model_fields:
            lines.append(f"{key} = {value}")
        else:
            lines.insert(lines.index("[watchdogs]"), f"{key} = {value}")
        text = "\n".join(lines) + "\n"
    (home.profiles / "tiny.toml").write_text(text)


class Run:
    """A Dagster run of `checkpoints`, and what is left of it."""

    def __init__(self, home: Home) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [checkpoints],
                partition_key="pyroviolin",
                resources={"project": Project(), "workers": Workers()},
                instance=instance,
                raise_on_error=False,
            )
            logs = instance.all_logs(result.run_id)
        events = [entry.dagster_event for entry in logs if entry.dagster_event]
        self.success = result.success
        self.lines = [entry.user_message for entry in logs]
        self.retries = sum(e.event_type_value == "STEP_UP_FOR_RETRY" for e in events)
        failures = [e.step_failure_data for e in events if e.event_type_value == "STEP_FAILURE"]
        self.failure = ""
        if failures:
            data = failures[-1].user_failure_data
            self.failure = (data and data.description) or str(failures[-1].error)
        self.materialized = [e for e in events if e.event_type_value == "ASSET_MATERIALIZATION"]
        self.record: TrainingRecord = current_training(home.instrument("pyroviolin")).read()

    def says(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def metadata(self, name: str) -> Any:
        (event,) = self.materialized
        return event.materialization.metadata[name].value


def edit_newest_state(home: Home, edit: Callable[[dict[str, Any]], None]) -> int:
    """Change the newest state as if the training had gone that way; return its step."""
    folder = current_training(home.instrument("pyroviolin"))
    path = state_path(folder, states(folder)[-1].step)
    state = torch.load(path, weights_only=True)
    edit(state)
    torch.save(state, path)
    manifest = read_json(path.with_suffix(".json"))
    manifest |= {"sha256": sha256(path), "validated": False}
    write_json(path.with_suffix(".json"), manifest)
    return int(manifest["step"])


def go_on(home: Home, total: int) -> None:
    """Extend the finished training, so that it has something to do."""
    folder = current_training(home.instrument("pyroviolin"))
    write_json(folder.request, {"kind": "extend", "steps": total, "id": "go on"})


STOPPING = [
    ("latent collapse", [("min_active_latents", "5")], "latents are active"),
    ("DC output", [("max_dc_share", "1e-12")], "of the output is constant"),
    ("disk nearly full", [("min_free_gb", "1e9")], "GB are free at"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("watchdog", "changes", "text"), STOPPING, ids=[s[0] for s in STOPPING])
def test_a_watchdog_that_stops_a_training_says_why_and_nothing_is_tried_again(
    home: Home, watchdog: str, changes: list[Change], text: str
) -> None:
    assert POLICIES[watchdog] == "stop"
    profile(home, *changes)
    run = Run(home)
    assert not run.success
    assert watchdog in run.failure and text in run.failure
    assert len(run.failure.splitlines()) == 1
    assert run.retries == 0
    assert run.materialized == []
    assert run.record.failure and watchdog in run.record.failure
    assert run.record.attempts == 1


OVERFLOWING = """[
    "CAPACITY = 8", "RATIOS = [4, 4, 2, 2]", "RAVE.valid_signal_crop = False",
    "core.MultiScaleSTFT.scales = [512, 256, 128]",
    "RAVE.weights = {'audio_distance': 1e39}",
]"""

ROLLING_BACK = [
    ("non-finite losses or weights", [("bindings", OVERFLOWING)]),
    ("exploding gradients", [("max_gradient_norm", "1e-9")]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("watchdog", "changes"), ROLLING_BACK, ids=[s[0] for s in ROLLING_BACK])
def test_what_happens_again_after_going_back_ends_the_training(
    home: Home, watchdog: str, changes: list[Change]
) -> None:
    profile(home, *changes)
    run = Run(home)
    assert not run.success and run.retries == 0
    assert watchdog in run.failure and "rolled back" in run.failure
    (rollback,) = run.record.rollbacks
    assert rollback["watchdog"] == watchdog and rollback["to"] == 0
    assert "learning rates x 0.5" in rollback["change"]
    assert run.says(f"Warning: {watchdog}")


def _break(state: dict[str, Any]) -> None:
    state["state_dict"]["decoder.net.0.weight_g"].fill_(math.nan)


@pytest.mark.slow
def test_after_going_back_to_the_last_good_state_the_training_ends_well(trained: Home) -> None:
    edit_newest_state(trained, _break)
    go_on(trained, 20)
    run = Run(trained)
    assert run.success, run.failure
    (rollback,) = run.record.rollbacks
    assert (rollback["watchdog"], rollback["to"]) == ("non-finite losses or weights", 60)
    assert (run.record.step, [c.step for c in run.record.checkpoints][-2:]) == (100, [80, 100])
    rows = {r.data["watchdog"]: r.data["barked"] for r in run.metadata("watchdogs").records}
    assert rows.keys() == POLICIES.keys()
    assert "nan at step 80" in rows["non-finite losses or weights"]


def _silence(state: dict[str, Any]) -> None:
    state["state_dict"]["decoder.net.21.weight_g"].zero_()
    for optimizer in state["optimizers"]:
        for group in optimizer["param_groups"]:
            group["lr"] = 0.0


@pytest.mark.slow
def test_a_model_that_falls_silent_is_stopped(trained: Home) -> None:
    edit_newest_state(trained, _silence)
    go_on(trained, 20)
    run = Run(trained)
    assert not run.success and run.retries == 0
    assert "silent output" in run.failure and "dB below" in run.failure


@pytest.mark.slow
def test_a_discriminator_that_loses_outright_is_a_warning_in_the_ui(home: Home) -> None:
    profile(
        home,
        ("batch_size", "1"),
        ("phase_1_steps", "10"),
        ("total_steps", "220"),  # it is not judged before the 200th batch that it has seen
        ("checkpoint_every", "220"),
        ("validate_every", "220"),
    )
    run = Run(home)
    assert run.success
    assert run.says("Warning: discriminator: it loses outright")
    rows = {r.data["watchdog"]: r.data["barked"] for r in run.metadata("watchdogs").records}
    assert "loses outright" in rows["discriminator"]


def stop_a_data_worker(home: Home, done: list[int]) -> None:
    """Wait for the trainer to be under way, and stop one of its data-loading processes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if newest_step(home) > 0:
            children = [p for p in descendants(os.getpid()) if is_data_worker(p)]
            if children:
                os.kill(children[0], signal.SIGSTOP)
                done.append(children[0])
                return
        time.sleep(0.05)


def descendants(process: int) -> list[int]:
    found = []
    with suppress(OSError):  # it has just ended
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def is_data_worker(process: int) -> bool:
    """Return whether it is a fork of a trainer: the same command as its parent's."""
    with suppress(OSError):  # it has just ended
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        own, parents = (Path(f"/proc/{p}/cmdline").read_bytes() for p in (process, stat[1]))
        return b"morphene_core.worker" in own and own == parents
    return False


@pytest.mark.slow
def test_a_hung_data_loader_ends_the_trainer_which_goes_on_from_its_newest_state(
    home: Home,
) -> None:
    profile(
        home,
        ("workers", "1"),
        ("batch_size", "1"),
        ("state_minutes", "0.01"),
        ("phase_1_steps", "200"),
        ("total_steps", "210"),
        ("checkpoint_every", "210"),
        ("validate_every", "210"),
        ("stall_minutes", "0.2"),
    )
    stopped: list[int] = []
    thread = threading.Thread(target=stop_a_data_worker, args=(home, stopped))
    thread.start()
    run = Run(home)
    thread.join()
    assert stopped, "no data worker was found"
    assert run.success, run.failure
    assert run.retries == 1
    assert run.says("no progress: nothing was finished for 0.2 minutes")
    assert run.says("resuming from step")
    assert (run.record.step, run.record.attempts) == (210, 2)
