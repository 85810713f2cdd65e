"""Audits of real RAVE models with new weights: what is rendered, and what becomes of bad input."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gin
import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.loudness import integrated_lufs, level_dbfs, true_peak_dbtp
from morphene_core.audio.wav import Mono, read_mono, write_wav
from morphene_core.audits import (
    PICTURES,
    RENDER_NAMES,
    Audit,
    audit_all,
    models_in,
    read_audit_folder,
    to_audit,
    write_references,
)
from morphene_core.audits.alignment import latency
from morphene_core.audits.excerpts import covering_excerpt
from morphene_core.audits.levels import PEAK_DBTP, TARGET_LUFS, matched
from morphene_core.audits.references import read_references
from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.home import Role
from morphene_core.metrics import ARTIFACTS, METRICS
from morphene_core.profiles import load_profile
from morphene_core.rave.configuration import build_model, configure, load_model, write_config
from morphene_core.rave.export import export
from morphene_core.rave.models import CheckpointModels, rave
from morphene_core.synthesis import fire_takes, violin_takes
from tests.conftest import TINY

RATE = 48_000


def write_run(folder: Path, latents: int = 4) -> Path:
    """Write a run with two checkpoints of a tiny RAVE with new weights."""
    folder.mkdir(parents=True)
    profiles = folder.parent / "profiles"
    profiles.mkdir(exist_ok=True)
    text = TINY.replace("latent_size = 4", f"latent_size = {latents}")
    (profiles / "tiny.toml").write_text(text)
    configure(load_profile("tiny", profiles), 10)
    for step in (5, 20):
        torch.manual_seed(step)
        model = build_model()
        model.fidelity.copy_(torch.linspace(0.5, 1, latents))
        for name, weight in model.named_parameters():
            if name.startswith(("encoder.", "decoder.")) and name.endswith("weight_g"):
                weight.data *= 2  # a new RAVE whispers at -120 dBFS
        state = {"state_dict": model.state_dict(), "global_step": step}
        torch.save(state, folder / f"checkpoint_{step:06d}.pt")
    write_config(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, Path]:
    folder = tmp_path_factory.mktemp("sounds")
    violin, fire = (
        np.concatenate([take.audio for take in takes(8.0)]) for takes in (violin_takes, fire_takes)
    )
    write_wav(folder / "violin.wav", violin[: 2 * RATE])
    write_wav(folder / "fire.wav", fire[: 2 * RATE])
    return {"musical": folder / "violin.wav", "nonmusical": folder / "fire.wav"}


def audit(run: Path, output: Path, sounds: dict[Role, Path], say: list[str] | None = None):
    report: Callable[[str], None] = [].append if say is None else say.append
    references = write_references(output, sounds, {"musical": (), "nonmusical": ()}, 0, report)
    models = CheckpointModels()
    audited = to_audit(models_in(run), output, "Tiny", models.facts, report)
    return audit_all(audited, references, models.open, report)


@pytest.fixture(scope="module")
def audited(
    run: Path, sounds: dict[Role, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Audit]]:
    output = tmp_path_factory.mktemp("audits")
    return output, audit(run, output, sounds)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def latents_of(model: torch.nn.Module, audio: Mono) -> torch.Tensor:
    with torch.inference_mode():
        encoded = model.encode(torch.from_numpy(audio)[None, None])
    return encoded[:, : encoded.shape[1] // 2]


def decoded(model: torch.nn.Module, latents: torch.Tensor) -> Mono:
    with torch.inference_mode():
        return np.asarray(model.decode(latents)[0, 0].numpy())


# What there is.


def test_every_checkpoint_has_seven_renders_three_pictures_and_all_metrics(
    audited: tuple[Path, list[Audit]],
) -> None:
    output, audits = audited
    assert [(a.step, a.phase) for a in audits] == [(5, 1), (20, 2)]
    for one in audits:
        folder = output / f"{one.step:06d}"
        wanted = {f"{n}.wav" for n in RENDER_NAMES} | {f"{n}.png" for n in PICTURES}
        assert {path.name for path in folder.iterdir()} == wanted | {"metrics.json"}
        assert set(one.metrics) == set(METRICS)
        assert set(one.artifacts) == set(RENDER_NAMES)
        assert all(set(found) == set(ARTIFACTS) for found in one.artifacts.values())
        assert len(one.path["amount"]) == len(one.path["to_musical"]) == 21
        assert read_audit_folder(folder) == one


def test_an_audit_made_twice_is_the_same_byte_for_byte(
    run: Path, sounds: dict[Role, Path], audited: tuple[Path, list[Audit]], tmp_path: Path
) -> None:
    torch.manual_seed(123)
    audit(run, tmp_path / "again", sounds)
    assert contents(tmp_path / "again") == contents(audited[0])


def test_the_morph_is_made_in_latent_space(run: Path, audited: tuple[Path, list[Audit]]) -> None:
    output, audits = audited
    model = load_model(run / "checkpoint_000020.pt")
    musical, nonmusical = (
        read_mono(output / "references" / f"{role}.wav") for role in ("musical", "nonmusical")
    )
    a, b = latents_of(model, musical), latents_of(model, nonmusical)
    wanted = {
        "musical_recon": decoded(model, a),
        "morph_00": decoded(model, a),
        "morph_50": decoded(model, (a + b) / 2),
        "morph_100": decoded(model, b),
        "nonmusical_recon": decoded(model, b),
    }
    crossfade = (wanted["morph_00"] + wanted["morph_100"]) / 2
    for name, expected in wanted.items():
        gain = 10 ** (audits[-1].gain_db[name] / 20)
        render = read_mono(output / "000020" / f"{name}.wav") / gain
        tolerance = 1e-4 * np.abs(expected).max() + 2**-23 / gain
        np.testing.assert_allclose(render, expected, atol=tolerance)
        if name == "morph_50":
            assert np.abs(render - crossfade).max() > 100 * tolerance


def test_renders_have_one_loudness_and_do_not_clip(audited: tuple[Path, list[Audit]]) -> None:
    output, audits = audited
    for one in audits:
        for name in RENDER_NAMES:
            audio, rate = soundfile.read(output / f"{one.step:06d}" / f"{name}.wav")
            assert rate == RATE and audio.ndim == 1
            loudness, peak = integrated_lufs(audio, RATE), true_peak_dbtp(audio)
            assert loudness == pytest.approx(one.loudness_lufs[name], abs=0.1)
            assert peak <= PEAK_DBTP + 0.1
            at_ceiling = peak > PEAK_DBTP - 0.2 and loudness < TARGET_LUFS
            assert at_ceiling or loudness == pytest.approx(TARGET_LUFS, abs=0.1)


def test_a_model_of_another_configuration_and_rate_that_draws_noise_gives_the_same_twice(
    tmp_path: Path,
) -> None:
    v1 = rave.BASE_PATH / "configs" / "v1.gin"  # 44.1 kHz, with a noise synthesizer
    gin.clear_config()
    gin.bind_parameter("RAVE.n_channels", 1)
    gin.bind_parameter("dataset.get_dataset.augmentations", [])
    gin.parse_config_files_and_bindings([str(v1)], ["CAPACITY = 4"])
    state = {"state_dict": build_model().state_dict(), "global_step": 7}
    torch.save(state, tmp_path / "version_0.ckpt")
    write_config(tmp_path)
    models = CheckpointModels()
    model = models.open(tmp_path / "version_0.ckpt")
    assert models.facts(tmp_path / "version_0.ckpt") == (7, 1)
    assert model.ratio == 2229  # 2048 samples at 44.1 kHz
    audio = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    latents = [model.encode(audio), model.encode(audio)]
    renders = model.decode(np.stack(latents))
    np.testing.assert_array_equal(latents[0], latents[1])
    np.testing.assert_array_equal(renders[0], renders[1])
    assert renders.shape[1] >= RATE


# Again, interrupted, changed.


def test_what_is_audited_is_not_audited_again(
    run: Path, sounds: dict[Role, Path], audited: tuple[Path, list[Audit]]
) -> None:
    output, audits = audited
    before = contents(output)
    references = write_references(output, sounds, {"musical": (), "nonmusical": ()}, 0)
    models = CheckpointModels()
    todo = to_audit(models_in(run), output, "Tiny", models.facts)

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} is opened again")

    assert audit_all(todo, references, refuse) == audits  # type: ignore[arg-type]
    assert contents(output) == before


def test_an_interrupted_audit_leaves_whole_audits_and_goes_on(
    run: Path, sounds: dict[Role, Path], audited: tuple[Path, list[Audit]], tmp_path: Path
) -> None:
    references = write_references(tmp_path, sounds, {"musical": (), "nonmusical": ()}, 0)
    models = CheckpointModels()
    todo = to_audit(models_in(run), tmp_path, "Tiny", models.facts)

    def interrupted(path: Path):
        if path.name == "checkpoint_000020.pt":
            raise KeyboardInterrupt
        return models.open(path)

    with pytest.raises(KeyboardInterrupt):
        audit_all(todo, references, interrupted)
    assert {path.name for path in tmp_path.iterdir()} == {"references", "000005"}
    assert audit_all(todo, references, models.open) == audited[1]
    assert contents(tmp_path) == contents(audited[0])


def test_an_audit_that_lost_a_file_is_made_again(
    run: Path, sounds: dict[Role, Path], audited: tuple[Path, list[Audit]], tmp_path: Path
) -> None:
    shutil.copytree(audited[0], tmp_path / "out")
    (tmp_path / "out" / "000020" / "morph_50.wav").unlink()
    (tmp_path / "out" / "000005" / "morph.png").unlink()
    audit(run, tmp_path / "out", sounds)
    assert contents(tmp_path / "out") == contents(audited[0])


def test_other_references_make_other_audits(
    run: Path, sounds: dict[Role, Path], tmp_path: Path
) -> None:
    own = {role: shutil.copy(path, tmp_path / path.name) for role, path in sounds.items()}
    own = {role: Path(path) for role, path in own.items()}
    first = audit(run, tmp_path / "out", own)
    shutil.copy(sounds["nonmusical"], own["musical"])
    second = audit(run, tmp_path / "out", own)
    assert second[0].references_sha256 != first[0].references_sha256
    assert second[0].metrics != first[0].metrics


def test_a_damaged_checkpoint_is_said_and_the_others_are_audited(
    run: Path, sounds: dict[Role, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    whole = (run / "checkpoint_000005.pt").read_bytes()
    (copy / "checkpoint_000005.pt").write_bytes(whole[: len(whole) // 2])
    said: list[str] = []
    audits = audit(copy, tmp_path / "out", sounds, said)
    assert [one.step for one in audits] == [20]
    assert any("checkpoint_000005.pt is no checkpoint" in line for line in said)
    assert not (tmp_path / "out" / "000005").exists()


def test_a_checkpoint_of_another_architecture_is_refused_with_its_name(
    run: Path, sounds: dict[Role, Path], tmp_path: Path
) -> None:
    other = write_run(tmp_path / "other", latents=8)
    shutil.copy(run / "config.gin", other / "config.gin")
    with pytest.raises(InputError, match=r"checkpoint_000005\.pt (is no|does not fit)"):
        audit(other, tmp_path / "out", sounds)
    assert not list((tmp_path / "out").glob("0*"))


def test_a_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoints"):
        models_in(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        models_in(tmp_path / "nowhere")


# Exported models.


def test_an_exported_model_is_audited_twice_with_the_same_bytes(
    run: Path, sounds: dict[Role, Path], tmp_path: Path
) -> None:
    path = tmp_path / "models" / "tiny.ts"
    export(run / "checkpoint_000020.pt", path, list(read_references(sounds)), 4, "Tiny", "1", 0)
    (one,) = audit(tmp_path / "models", tmp_path / "out", sounds)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"references", "tiny"}
    again = audit(tmp_path / "models", tmp_path / "out2", sounds)
    assert contents(tmp_path / "out2") == contents(tmp_path / "out") and again == [one]


def test_a_file_that_is_no_exported_model_is_refused(
    sounds: dict[Role, Path], tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fake.ts").write_text("nothing")
    with pytest.raises(InputError, match=r"fake\.ts is no TorchScript model"):
        audit(tmp_path / "models", tmp_path / "out", sounds)


# References.


def test_references_of_another_rate_and_more_channels_are_taken(
    sounds: dict[Role, Path], tmp_path: Path
) -> None:
    violin = soxr.resample(read_mono(sounds["musical"]), RATE, 44_100)
    soundfile.write(tmp_path / "stereo.flac", np.stack([violin, violin], 1), 44_100)
    chosen: dict[Role, Path | None] = {
        "musical": tmp_path / "stereo.flac",
        "nonmusical": sounds["nonmusical"],
    }
    paths = write_references(tmp_path / "out", chosen, {"musical": (), "nonmusical": ()}, 0)
    musical, nonmusical = (read_mono(path) for path in paths.values())
    assert len(musical) == len(nonmusical) == 2 * RATE // 2048 * 2048
    error = musical[4800:-4800] - read_mono(sounds["musical"])[4800 : len(musical) - 4800]
    assert level_dbfs(error) < level_dbfs(musical) - 30


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (np.zeros(RATE), "is silent"),
        (np.full(1000, 0.1), r"too short .* 0\.02 s"),
        (np.array([]), "too short"),
        (np.full(RATE, np.nan, np.float32), "not numbers"),
    ],
)
def test_a_reference_that_is_none_is_refused_by_name(
    audio: np.ndarray, said: str, sounds: dict[Role, Path], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "bad.wav", audio.astype(np.float32), RATE, subtype="FLOAT")
    chosen: dict[Role, Path | None] = {**sounds, "nonmusical": tmp_path / "bad.wav"}
    with pytest.raises(InputError, match=rf"bad\.wav.*{said}"):
        write_references(tmp_path / "out", chosen, {"musical": (), "nonmusical": ()}, 0)
    assert not (tmp_path / "out").exists()


def test_a_reference_that_is_silent_as_far_as_the_other_goes_is_refused(
    sounds: dict[Role, Path], tmp_path: Path
) -> None:
    violin = read_mono(sounds["musical"])
    write_wav(tmp_path / "late.wav", np.concatenate([np.zeros(3 * RATE, np.float32), violin]))
    chosen: dict[Role, Path | None] = {**sounds, "musical": tmp_path / "late.wav"}
    with pytest.raises(InputError, match=r"late\.wav is silent in its first 2\.0 s"):
        write_references(tmp_path / "out", chosen, {"musical": (), "nonmusical": ()}, 0)


def test_references_that_were_damaged_are_written_again(
    sounds: dict[Role, Path], tmp_path: Path
) -> None:
    nothing: dict[Role, tuple[Path, ...]] = {"musical": (), "nonmusical": ()}
    paths = write_references(tmp_path, sounds, nothing, 0)
    before = contents(tmp_path)
    paths["musical"].write_bytes(paths["musical"].read_bytes()[:1000])
    write_references(tmp_path, sounds, nothing, 0)
    assert contents(tmp_path) == before


def test_a_reference_that_is_missing_or_no_audio_is_refused_by_name(
    sounds: dict[Role, Path], tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no audio at all")
    for name, said in (("nowhere.wav", "does not exist"), ("text.wav", "holds no audio")):
        chosen: dict[Role, Path | None] = {**sounds, "musical": tmp_path / name}
        with pytest.raises(InputError, match=rf"{name} {said}"):
            write_references(tmp_path / "out", chosen, {"musical": (), "nonmusical": ()}, 0)


def test_without_held_out_audio_it_is_said_what_to_do(tmp_path: Path) -> None:
    nothing: dict[Role, tuple[Path, ...]] = {"musical": (), "nonmusical": ()}
    with pytest.raises(InputError, match="materialize `musical_audio` first"):
        write_references(tmp_path, {"musical": None, "nonmusical": None}, nothing, 4)


def tones(folder: Path) -> list[Path]:
    """Write four stretches of tones: quiet and loud, low and high, and a long middling one."""
    files = []
    for number, (hertz, gain) in enumerate(
        [(440, 0.1), (110, 0.01), (1760, 0.01), (110, 0.8), (1760, 0.8)]
    ):
        seconds = 20 if number == 0 else 4
        times = np.arange(seconds * RATE) / RATE
        files.append(folder / f"{number}.wav")
        write_wav(files[-1], gain * np.sign(np.sin(2 * np.pi * hertz * times)) * 0.9)
    return files


def test_excerpts_cover_quiet_and_loud_low_and_high(tmp_path: Path) -> None:
    excerpt = covering_excerpt(tones(tmp_path), 4.0)
    assert len(excerpt) == 4 * RATE
    found = set()
    for part in np.split(excerpt, 4):
        middle = part[RATE // 4 : -RATE // 4]
        crossings = int(np.sum(np.diff(np.signbit(middle)))) / (len(middle) / RATE) / 2
        found.add((round(crossings, -1), level_dbfs(middle) > -20))
    assert found == {(110, False), (110, True), (1760, False), (1760, True)}


def test_short_recordings_are_taken_whole(tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", np.full(RATE, 0.1))
    assert len(covering_excerpt([tmp_path / "short.wav"], 4.0)) == RATE


# Parts.


def noise_bursts(seed: int) -> Mono:
    chance = np.random.default_rng(seed)
    level = np.repeat(chance.uniform(0, 1, 40) ** 2, RATE // 20)
    return (level * chance.standard_normal(len(level)) * 0.1).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, RATE), st.integers(0, 100))
def test_a_latency_is_found_to_a_millisecond(late: int, seed: int) -> None:
    audio = noise_bursts(seed)
    render = np.concatenate([np.zeros(late, np.float32), audio * np.float32(0.3)])
    assert abs(latency([audio], [render]) - late) <= 48


@settings(max_examples=20, deadline=None)
@given(st.floats(-25, 30), st.integers(0, 100))
def test_matching_levels_twice_changes_nothing_more(gain: float, seed: int) -> None:
    audio, _, loudness = matched(noise_bursts(seed) * np.float32(10 ** (gain / 20)))
    again, second, same = matched(audio)
    assert abs(second) < 0.05 and same == pytest.approx(loudness, abs=0.05)
    assert true_peak_dbtp(again) <= PEAK_DBTP + 0.05


def test_silence_and_what_is_no_number_are_left_at_their_level() -> None:
    assert matched(np.zeros(RATE, np.float32))[1:] == (0.0, -120.0)
    audio, _, _ = matched(np.full(RATE, np.nan, np.float32))
    assert not audio.any()
