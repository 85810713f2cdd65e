from pathlib import Path

import pytest

from morphene_core.audit import RENDER_NAMES, Audit
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import write_json
from morphene_core.selection import read_selection, select_checkpoint
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord


def training(path: Path, *checkpoints: Checkpoint) -> TrainingFolder:
    folder = TrainingFolder(path)
    folder.write(TrainingRecord("t", "pyroviolin", {}, {}, "now", checkpoints=checkpoints))
    return folder


def checkpoint(step: int, phase: int) -> Checkpoint:
    return Checkpoint(step, phase, f"checkpoint_{step:06d}.pt", f"hash-{step}")


def audit(
    folder: TrainingFolder, of: Checkpoint, distance: float = 1.0, level: float = -20.0,
    finite: bool = True,
) -> None:  # fmt: skip
    done = Audit(
        of.step,
        of.phase,
        of.sha256,
        {},
        {"musical": distance, "nonmusical": distance},
        dict.fromkeys(RENDER_NAMES, level),
        finite,
    )
    write_json(folder.audit_path(of.step) / "metrics.json", vars(done))


def test_the_adversarial_phase_goes_before_a_smaller_spectral_distance(tmp_path: Path) -> None:
    first, second = checkpoint(100, 1), checkpoint(200, 2)
    folder = training(tmp_path, first, second)
    audit(folder, first, distance=0.5)
    audit(folder, second, distance=0.9)
    chosen = select_checkpoint(folder)
    assert chosen.step == 200
    assert chosen.checkpoint_sha256 == "hash-200"
    assert "adversarial" in chosen.reason
    assert read_selection(folder) == chosen


@pytest.mark.parametrize("fault", [{"level": -120.0}, {"finite": False}])
def test_a_checkpoint_that_makes_no_sound_is_passed_over(tmp_path: Path, fault: dict) -> None:
    sound, broken = checkpoint(100, 2), checkpoint(200, 2)
    folder = training(tmp_path, sound, broken)
    audit(folder, sound)
    audit(folder, broken, **fault)
    chosen = select_checkpoint(folder)
    assert chosen.step == 100
    assert "1 of 2 were left out" in chosen.reason


def test_nothing_is_chosen_where_nothing_sounds(tmp_path: Path) -> None:
    only = checkpoint(100, 1)
    folder = training(tmp_path, only)
    audit(folder, only, level=-150)
    with pytest.raises(MorpheneError, match="None of the 1 checkpoints"):
        select_checkpoint(folder)
    assert not folder.selection.exists()


def test_a_checkpoint_without_an_audit_is_named(tmp_path: Path) -> None:
    folder = training(tmp_path, checkpoint(100, 1))
    with pytest.raises(InputError, match=r"checkpoint_000100\.pt is not audited"):
        select_checkpoint(folder)


def test_choosing_again_changes_nothing(tmp_path: Path) -> None:
    only = checkpoint(100, 2)
    folder = training(tmp_path, only)
    audit(folder, only)
    assert select_checkpoint(folder) == select_checkpoint(folder)
