"""Choice of the GPU, resume and lack of memory, on a real GPU: ``make test-gpu``.

This suite has not run yet: it was written on a machine without a GPU. What it assumes of the sizes
of CUDA contexts and of the scatter between two trainings is to be checked at its first run.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from morphene_core.gpus import Gpu, list_gpus
from morphene_core.home import Home
from morphene_core.training import current_training
from morphene_core.training.live import read_live
from morphene_core.training.states import state_path, states
from tests.gpu.conftest import Start
from tests.killing import newest_step, until


def test_the_gpu_that_is_leased_is_the_one_that_torch_computes_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gpu in list_gpus():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpu.uuid)
        seen = json.loads(start("leased.py").communicate()[0])
        assert (seen["leased"], seen["torch"], seen["torch sees"]) == (gpu.uuid, gpu.uuid, 1)
        assert seen["taken_gb"] == pytest.approx(2.5, abs=0.6)  # with torch's own context


def train(start: Start, home: Home) -> None:
    trainer = start("trainer.py", home.path, "gpu", 0)
    output, _ = trainer.communicate()
    assert trainer.returncode == 0, output


def parameters(home: Home) -> torch.Tensor:
    """Return all parameters of a training's newest state as one vector."""
    folder = current_training(home.instrument("pyroviolin"))
    path = state_path(folder, states(folder)[-1].step)
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return torch.cat([value.flatten().double() for value in state.values()])


def test_a_killed_training_resumes_and_ends_as_an_undisturbed_one(
    home: Home, start: Start, tmp_path: Path
) -> None:
    """As close to it as two undisturbed ones are to each other.

    They are not equal bit for bit: cuDNN's benchmark mode may choose other algorithms each time.
    """
    undisturbed = [Home(tmp_path / name) for name in ("one", "two")]
    for other in undisturbed:
        shutil.copytree(home.path, other.path, symlinks=True)
        train(start, other)

    trainer = start("trainer.py", home.path, "gpu", 0)
    until(lambda: newest_step(home) >= 30, trainer.pid)
    trainer.kill()
    assert trainer.wait() == -signal.SIGKILL, "it ended before it could be killed"
    train(start, home)

    record = current_training(home.instrument("pyroviolin")).read()
    assert (record.step, record.attempts) == (80, 2)
    one, two, resumed = map(parameters, (*undisturbed, home))
    scatter = (one - two).norm() / one.norm()
    assert (one - resumed).norm() / one.norm() <= max(3 * scatter, 0.01)


def test_steps_per_second_and_the_gpus_memory_are_in_the_live_file(
    home: Home, start: Start, gpu: Gpu
) -> None:
    train(start, home)
    live = read_live(current_training(home.instrument("pyroviolin")))
    assert live is not None and live.gpu is not None
    assert live.step == 80
    assert live.steps_per_second and live.steps_per_second > 0
    assert live.gpu["uuid"] == gpu.uuid
    assert live.gpu["total_gb"] - live.gpu["free_gb"] > 0.2


def test_a_training_waits_while_another_process_has_the_memory(home: Home, start: Start) -> None:
    hog = start("hog.py", 1.0)
    assert hog.stdout and hog.stdout.readline() == "full\n"
    trainer = start("trainer.py", home.path, "gpu", 5)
    assert trainer.stdout
    assert "at most for a GPU with 3.0 GB free" in trainer.stdout.readline()
    live = read_live(current_training(home.instrument("pyroviolin")))
    assert live is not None and live.doing == "waiting for a GPU"
    hog.communicate()  # ends it
    output, _ = trainer.communicate()
    assert trainer.returncode == 0, output
    assert current_training(home.instrument("pyroviolin")).read().step == 80


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process says up to a line with a text; fail if there is none."""
    assert process.stdout
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return
    pytest.fail(f"It did not say {text!r}, but: {''.join(said)}", pytrace=False)


def test_out_of_memory_is_said_and_tried_again_until_the_memory_is_free(
    home: Home, start: Start
) -> None:
    hog = start("hog.py", 1.0)
    assert hog.stdout and hog.stdout.readline() == "full\n"
    with subprocess.Popen(
        [Path(sys.executable).with_name("morphene"), "run", "pyroviolin", "--profile", "greedy"],
        env=os.environ | {"MORPHENE_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            read_until(run, "The GPU failed under profile")
            hog.communicate()  # ends it
            read_until(run, "✓ checkpoints")
        finally:
            run.send_signal(signal.SIGINT)  # what follows the training is no matter of GPUs
    record = current_training(home.instrument("pyroviolin")).read()
    assert (record.step, record.attempts) == (80, 2)
