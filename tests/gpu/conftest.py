"""What the GPU suite shares. It fails, and does not skip, where there is no GPU."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from morphene_core.gpus import Gpu, list_gpus
from morphene_core.home import Home
from tests.conftest import TINY
from tests.killing import prepared

HERE = Path(__file__).parent

# The tiny training, on a GPU only; a state at every step, so that it can be caught in the middle.
ON_GPU = TINY.replace("threads = 1", "threads = 1\nstate_minutes = 0\nrequires_gpu = true")
PROFILES = {
    "gpu": ON_GPU.replace("requires_gpu = true", "requires_gpu = true\ngpu_memory_gb = 3"),
    # A model of full size, whose optimizers alone take 0.9 GB, and which does not say so.
    "greedy": ON_GPU.replace("CAPACITY = 8", "CAPACITY = 96").replace(
        '    "discriminator.ConvNet.capacity = 2",\n', ""
    ),
}


@pytest.fixture(scope="session", autouse=True)
def gpu() -> Gpu:
    """Return the GPU that the suite works on, which is to be idle."""
    gpus = list_gpus()
    if not gpus or torch.version.cuda is None:
        pytest.fail(
            f"The GPU suite needs a GPU and a torch that computes on it: NVML finds {len(gpus)}"
            f" GPUs, torch is {torch.__version__}.",
            pytrace=False,
        )
    return max(gpus, key=lambda gpu: gpu.free_gb)


@pytest.fixture
def home(tiny_home: Home, gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a project folder with a dataset, whose trainings see one GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpu.uuid)
    for name, profile in PROFILES.items():
        (tiny_home.profiles / f"{name}.toml").write_text(profile)
    prepared(tiny_home, "gpu")
    return tiny_home


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a script of this folder; it is killed at the end of the test."""
    with ExitStack() as stack:

        def begin(script: str, *arguments: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-P", str(HERE / script), *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin
