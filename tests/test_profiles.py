from pathlib import Path

import pytest

from morphene_core.errors import InputError
from morphene_core.profiles import load_profile, profile_names

MINE = """\
description = "mine"
shippable = true
latent_size = 16
exported_latents = 8
[training]
batch_size = 8
n_signal = 65536
phase_1_steps = 1000
total_steps = 2500
checkpoint_every = 1000
validate_every = 500
"""


def test_production_is_rave_v2_with_128_latents_and_a_checkpoint_every_50000_steps(
    tmp_path: Path,
) -> None:
    profile = load_profile("production", tmp_path)
    assert (profile.base_config, profile.latent_size, profile.shippable) == ("v2", 128, True)
    assert profile.training.checkpoint_every == 50_000
    assert profile.training.requires_gpu


def test_the_demo_trains_both_phases_for_300_steps_with_3_checkpoints_and_does_not_ship(
    tmp_path: Path,
) -> None:
    profile = load_profile("demo", tmp_path)
    training = profile.training
    assert training.phase_1_steps and training.total_steps
    assert training.phase_1_steps >= 300
    assert training.total_steps - training.phase_1_steps >= 300
    assert training.total_steps // training.checkpoint_every >= 3
    assert not profile.shippable


def test_users_write_profiles_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    profile = load_profile("mine", tmp_path)
    assert profile.training.total_steps == 2500
    assert profile_names(tmp_path) == ["demo", "production", "mine"]


def test_a_change_in_a_profile_changes_its_version(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "other.toml").write_text(MINE.replace("batch_size = 8", "batch_size = 4"))
    assert load_profile("mine", tmp_path).version != load_profile("other", tmp_path).version


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("batch_size = 8", "batch_size = 0", "training.batch_size"),
        ("batch_size = 8", 'batch_size = "many"', "training.batch_size"),
        ("batch_size = 8", "batch = 8", "training.batch_size"),
        ("total_steps = 2500", "total_steps = 1000", "less than total_steps"),
        ("phase_1_steps = 1000", "", "either hours, or phase_1_steps and total_steps"),
        ("phase_1_steps = 1000", "hours = 3", "either hours, or phase_1_steps and total_steps"),
        ("n_signal = 65536", "n_signal = 65537", "multiple of 2048"),
        ("exported_latents = 8", "exported_latents = 17", "must not exceed latent_size"),
        ("latent_size = 16", "latent_size = ", "not valid TOML"),
        ("shippable = true", "", "shippable"),
        ("shippable = true", "shippable = true\napproval_required = false", "takes approval"),
    ],
)
def test_a_mistake_is_named_with_file_and_field(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    (tmp_path / "mine.toml").write_text(MINE.replace(before, after))
    with pytest.raises(InputError, match=complaint) as error:
        load_profile("mine", tmp_path)
    assert "mine.toml" in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


def test_an_unknown_profile_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demo, production"):
        load_profile("fast", tmp_path)


def test_the_names_of_our_profiles_are_not_for_users(tmp_path: Path) -> None:
    (tmp_path / "production.toml").write_text(MINE)
    with pytest.raises(InputError, match="Rename"):
        load_profile("production", tmp_path)


def test_production_takes_12_to_24_hours_whatever_the_card(tmp_path: Path) -> None:
    training = load_profile("production", tmp_path).training
    assert training.hours is not None and 12 <= training.hours <= 24
    assert training.phase_1_steps is None and training.total_steps is None
