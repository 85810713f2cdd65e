"""Mistakes in the input: one attempt, one or two lines, and nothing half-written left behind."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import soundfile

from morphene_core.home import Home

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]


def text_named_wav(folder: Path) -> str:
    (folder / "notes.wav").write_text("remember the milk")
    return "notes.wav"


def picture(folder: Path) -> str:
    (folder / "cover.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return "cover.png"


def empty_folder(folder: Path) -> str:
    for file in folder.iterdir():
        file.unlink()
    return str(folder)


def no_folder(folder: Path) -> str:
    shutil.rmtree(folder)
    return str(folder)


def fifo(folder: Path) -> str:
    os.mkfifo(folder / "pipe.wav")
    return "pipe.wav"


def too_short(folder: Path) -> str:
    empty_folder(folder)
    tone = np.sin(np.arange(48_000) / 20)
    soundfile.write(folder / "beep.wav", tone, 48_000)
    return str(folder)


@pytest.mark.parametrize(
    "spoil", [text_named_wav, picture, empty_folder, no_folder, fifo, too_short]
)
def test_a_mistake_in_the_sources_is_named_once_and_leaves_nothing(
    tiny_home: Home, morphene: Run, spoil: Callable[[Path], str]
) -> None:
    paths = tiny_home.instrument("pyroviolin")
    named = spoil(paths.sources("nonmusical"))
    done = morphene("run", "pyroviolin", "--json", home=tiny_home.path)
    assert done.returncode == 1
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "FAILURE"
    assert named in outcome["error"]
    assert len(outcome["error"].splitlines()) <= 2
    assert "Traceback" not in done.stderr
    with dg.DagsterInstance.from_config(str(tiny_home.dagster)) as instance:
        events = [e.dagster_event for e in instance.all_logs(outcome["run_id"]) if e.dagster_event]
    kinds = [event.event_type for event in events]
    assert kinds.count(dg.DagsterEventType.STEP_FAILURE) == 1
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    assert not paths.audio("nonmusical").exists()
    assert not paths.preprocessed_db.exists()
    assert not paths.models.exists()


def test_production_without_a_gpu_is_refused_without_retry(
    tiny_home: Home, morphene: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = morphene("run", "pyroviolin", "--profile", "production", "--json", home=tiny_home.path)
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "FAILURE"
    assert "production" in outcome["error"]
    assert len(outcome["error"].splitlines()) <= 2
