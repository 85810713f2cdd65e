"""Trainings and checkpoints that cannot be: refused before the first step, in words."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import lmdb
import numpy as np
import pytest
import soundfile
import torch
import yaml

from morphene_core import stages
from morphene_core.audio.wav import write_wav
from morphene_core.dataset import DatasetRecord
from morphene_core.errors import InputError
from morphene_core.files import read_json, write_json
from morphene_core.home import Home
from morphene_core.profiles import Profile, load_profile
from morphene_core.rave import dataset as rave_dataset
from morphene_core.rave.configuration import build_model, configure, load_model, write_config
from morphene_core.rave.train import train
from morphene_core.training import TrainingFolder, current_training, open_training, training_id

DATASET = DatasetRecord("1", 8192, 10, {"musical": 9.0, "nonmusical": 9.0}, [])


@pytest.fixture
def profile(tiny_home: Home) -> Profile:
    return load_profile("tiny", tiny_home.profiles)


def begin(home: Home, profile: Profile) -> TrainingFolder:
    return open_training(home.instrument("pyroviolin"), profile, DATASET)


def heldout(folder: Path, seconds: float) -> list[Path]:
    noise = np.random.default_rng(0).standard_normal(int(48_000 * seconds))
    write_wav(folder / "heldout.wav", noise * 0.1)
    return [folder / "heldout.wav"]


def test_the_same_training_is_the_same_folder_and_another_is_not(
    tiny_home: Home, profile: Profile
) -> None:
    assert begin(tiny_home, profile) == begin(tiny_home, profile)
    asked_for_more = profile.model_copy(update={"description": "another", "source_hours": 2.0})
    assert begin(tiny_home, asked_for_more) == begin(tiny_home, profile)
    changed = profile.model_copy(update={"latent_size": profile.latent_size * 2})
    assert begin(tiny_home, changed) != begin(tiny_home, profile)
    assert training_id(profile, "1") != training_id(profile, "2")


def test_opening_a_training_again_keeps_its_record(tiny_home: Home, profile: Profile) -> None:
    folder = begin(tiny_home, profile)
    folder.write(replace(folder.read(), step=40))
    assert begin(tiny_home, profile).read().step == 40
    assert folder.read().training_profile == profile


def test_an_instrument_that_was_never_trained_says_so(tiny_home: Home) -> None:
    with pytest.raises(InputError, match="no training yet"):
        current_training(tiny_home.instrument("pyroviolin"))


def test_a_checkpoint_that_is_not_there_lists_those_that_are(
    tiny_home: Home, profile: Profile
) -> None:
    with pytest.raises(InputError, match=r"no checkpoint of step 7\. It has: none yet"):
        begin(tiny_home, profile).read().checkpoint(7)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"base_config": "v9"}, "no configuration 'v9'"),
        ({"bindings": ("Nonsense.parameter = 1",)}, "a binding is wrong"),
        ({"bindings": ("CAPACITY = ",)}, "a binding is wrong"),
    ],
)
def test_a_profile_that_rave_does_not_understand_is_refused(
    tiny_home: Home, profile: Profile, tmp_path: Path, change: dict, complaint: str
) -> None:
    folder = begin(tiny_home, profile.model_copy(update=change))
    with pytest.raises(InputError, match=complaint):
        train(folder, tmp_path / "db", heldout(tmp_path, 2))
    assert not folder.checkpoints.exists()


def dataset(folder: Path, entries: int = 8, rate: int = 48_000) -> Path:
    """Write a RAVE dataset of noise."""
    noise = np.random.default_rng(0).integers(-9000, 9000, 16_384, dtype=np.int16)
    with lmdb.open(str(folder), map_size=1 << 24) as database, database.begin(write=True) as put:
        for number in range(entries):
            put.put(f"{number:08d}".encode(), rave_dataset.serialize(noise))
    metadata = {"lazy": False, "channels": 1, "n_seconds": 1.0, "sr": rate}
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return folder


@pytest.mark.parametrize(
    ("entries", "rate", "change", "complaint"),
    [
        (1, 48_000, {}, "has 1 entries, fewer than one batch of 2"),
        (8, 44_100, {}, "has a sample rate of 44100 Hz, trainings take 48000 Hz"),
        (8, 48_000, {"bindings": ("CAPACITY = 4", "RATIOS = [4, 4, 2, 2]")}, "RAVE crops"),
        (8, 48_000, {"base_config": "v3"}, "Profile tiny is of an architecture that is not exp"),
        (
            8,
            48_000,
            {"bindings": ("CAPACITY = 4", "RAVE.valid_signal_crop = False")},
            "half the longest spectral window",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_first_step(
    tiny_home: Home,
    profile: Profile,
    tmp_path: Path,
    entries: int,
    rate: int,
    change: dict,
    complaint: str,
) -> None:
    folder = begin(tiny_home, profile.model_copy(update=change))
    with pytest.raises(InputError, match=complaint) as error:
        train(folder, dataset(tmp_path / "db", entries, rate), heldout(tmp_path, 2))
    assert len(str(error.value).splitlines()) <= 2
    assert folder.read().step == 0
    assert not folder.states.exists()


def test_held_out_audio_of_another_rate_is_refused(
    tiny_home: Home, profile: Profile, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(44_100), 44_100)
    with pytest.raises(InputError, match="has 44100 Hz, not 48000"):
        train(begin(tiny_home, profile), tmp_path / "db", [tmp_path / "slow.wav"])


def test_a_training_folder_of_an_older_version_is_named_and_not_continued(
    tiny_home: Home, profile: Profile
) -> None:
    folder = begin(tiny_home, profile)
    record = read_json(folder.path / "training.json")
    del record["format"], record["schedule"], record["fruitless"]
    write_json(folder.path / "training.json", record)
    with pytest.raises(InputError, match="older version of Morphene"):
        begin(tiny_home, profile)
    assert folder.read().format == 1  # its checkpoints can still be used


def test_attempts_that_bring_nothing_are_bounded_until_somebody_asks_anew(
    tiny_home: Home, profile: Profile, tmp_path: Path
) -> None:
    folder = begin(tiny_home, profile)
    folder.write(replace(folder.read(), fruitless=5, first_run="one", failure="the GPU is gone"))
    with pytest.raises(InputError, match="5 attempts in a row brought no newer state") as error:
        train(folder, tmp_path / "db", heldout(tmp_path, 2))
    assert "the GPU is gone" in str(error.value)
    assert folder.read().with_attempt("two", "one", profile).fruitless == 5
    assert folder.read().with_attempt("two", "two", profile).fruitless == 0


def test_too_little_held_out_audio_for_the_latents_is_refused(
    tiny_home: Home, profile: Profile, tmp_path: Path
) -> None:
    many = profile.model_copy(update={"latent_size": 128})
    with pytest.raises(InputError, match="needs at least 128"):
        train(begin(tiny_home, many), tmp_path / "db", heldout(tmp_path, 2))


@pytest.fixture
def checkpoint(profile: Profile, tmp_path: Path) -> Path:
    """Save an untrained model with a latent PCA, as a training would."""
    configure(profile)
    model = build_model()
    model.fidelity.copy_(torch.linspace(0.5, 1, profile.latent_size))
    path = tmp_path / "checkpoints" / "checkpoint_000001.pt"
    write_config(path.parent)
    torch.save({"state_dict": model.state_dict(), "global_step": 1}, path)
    return path


def test_a_checkpoint_comes_back_with_its_weights(checkpoint: Path) -> None:
    saved = torch.load(checkpoint)["state_dict"]
    for streaming in (False, True):
        loaded = load_model(checkpoint, streaming).state_dict()
        assert all(torch.equal(loaded[k], v) for k, v in saved.items() if k in loaded)


def test_a_broken_or_foreign_checkpoint_is_named(checkpoint: Path) -> None:
    broken = checkpoint.with_name("broken.pt")
    broken.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"broken\.pt is no checkpoint"):
        load_model(broken)
    foreign = checkpoint.with_name("foreign.pt")
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, foreign)
    with pytest.raises(InputError, match=r"foreign\.pt does not fit"):
        load_model(foreign)


def test_a_checkpoint_without_its_configuration_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone" / "checkpoint.pt"
    alone.parent.mkdir()
    shutil.copyfile(checkpoint, alone)
    with pytest.raises(InputError, match=r"config\.gin is missing"):
        load_model(alone)


def test_the_record_of_a_dataset_is_kept_with_the_training(
    tiny_home: Home, profile: Profile
) -> None:
    assert begin(tiny_home, profile).read().dataset == asdict(DATASET)


@pytest.mark.slow
def test_the_production_model_is_raves_v2_at_full_size(tmp_path: Path) -> None:
    production = load_profile("production", tmp_path)
    configure(production)
    model = build_model()
    size = {
        part: sum(p.numel() for p in getattr(model, part).parameters()) / 1e6
        for part in ("encoder", "decoder", "discriminator")
    }
    assert size == pytest.approx({"encoder": 16.1, "decoder": 15.5, "discriminator": 27.1}, abs=0.1)
    assert (model.sr, model.latent_size) == (48_000, 128)


def test_a_dataset_of_other_audio_than_is_prepared_now_is_not_trained(
    prepared_home: Home,
) -> None:
    paths = prepared_home.instrument("pyroviolin")
    (paths.sources("nonmusical") / "fire_embers.wav").unlink()
    stages.register(paths, "nonmusical")
    stages.prepare(paths, "nonmusical")
    with pytest.raises(InputError, match="materialize `preprocessed_db` first"):
        stages.train(paths, load_profile("tiny", prepared_home.profiles))
    assert not paths.models.exists()
