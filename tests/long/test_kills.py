"""A hundred kills (`make test-long`): the demand of tests/test_exact_resume.py, for longer."""

import shutil
import sys
from pathlib import Path

import pytest

from morphene_core import stages
from morphene_core.home import Home
from morphene_core.profiles import load_profile
from tests.conftest import TINY
from tests.killing import (
    assert_same,
    files,
    final_state,
    prepared,
    train_with_kills,
    unfinished_states,
)

KILLS = 100

LONG = (
    TINY.replace("threads = 1", "threads = 1\nstate_minutes = 0")
    .replace("phase_1_steps = 60", "phase_1_steps = 200")
    .replace("total_steps = 80", "total_steps = 440")
)


@pytest.mark.timeout(3600)
def test_a_hundred_kills_leave_the_parameters_of_an_undisturbed_training(
    tiny_home: Home, tmp_path: Path
) -> None:
    (tiny_home.profiles / "long.toml").write_text(LONG)
    prepared(tiny_home, "tiny")
    undisturbed = Home(tmp_path / "undisturbed")
    shutil.copytree(tiny_home.path, undisturbed.path, symlinks=True)
    stages.train(
        undisturbed.instrument("pyroviolin"), load_profile("long", undisturbed.profiles), print
    )
    within = train_with_kills(tiny_home, "long", KILLS, seed=0)
    sys.stdout.write(f"{KILLS} kills, {within} of them within a save\n")
    assert within >= KILLS // 4
    assert_same(final_state(tiny_home), final_state(undisturbed))
    assert files(tiny_home) == files(undisturbed)
    assert unfinished_states(tiny_home) == []
