"""An export in the torch that nn~ 1.6 is built with: the same audio as in ours."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from morphene_core.realtime import play
from morphene_core.realtime.model import LoadedModel
from morphene_core.synthesis import fire_takes, violin_takes

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-nn/bin/python"
SAMPLES = 48 * 2048


def given(model: Path, method: str) -> np.ndarray:
    violin, fire = (next(iter(of(24))).audio[:SAMPLES] for of in (violin_takes, fire_takes))
    if method == "morph":
        return np.stack([violin, fire, np.linspace(0, 1, SAMPLES, dtype=np.float32)])
    if method == "decode":
        return play(model, "encode", violin[None], attributes=LoadedModel(model).quiet)
    return violin[None]


@pytest.mark.parametrize("method", ["encode", "decode", "forward", "morph"])
def test_it_plays_there_what_it_plays_here(model: Path, method: str, tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", given(model, method))
    subprocess.run(
        [PYTHON, "-P", ROOT / "tests/nn_runtime/play.py", model, method, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert (tmp_path / "torch.txt").read_text().startswith("2.5.1")
    quiet = LoadedModel(model).quiet
    assert set(quiet) == {"temperature", "encoder_noise"}
    here = play(model, method, np.load(tmp_path / "given.npy"), attributes=quiet)
    there = np.load(tmp_path / "heard.npy")
    assert there.shape == here.shape and there.size
    peak = float(np.abs(here).max())
    assert peak > 1e-4 and np.isfinite(there).all()
    apart = float(np.abs(there - here).max()) / peak
    print(f"\n{method}: {apart:.1e} of the peak apart", end=" ")  # noqa: T201
    assert apart < 1e-4
