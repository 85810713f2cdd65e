"""The exported instrument: what nn~ finds in it, and that it plays what the network says."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from morphene_core import stages
from morphene_core.audio.wav import write_wav
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import sha256
from morphene_core.home import ROLES, Home
from morphene_core.profiles import Profile, load_profile
from morphene_core.rave.axes import direction
from morphene_core.rave.configuration import build_model, configure, load_model, write_config
from morphene_core.rave.export import Exported, export
from morphene_core.rave.host import HostedModel
from morphene_core.rave.impossible import refuse_the_impossible
from morphene_core.rave.latency import latency_samples
from morphene_core.sources.collect import add_source
from morphene_core.synthesis import fire_takes, violin_takes
from morphene_core.training import current_training
from tests.conftest import SYNTHESIZED, tiny
from tests.killing import prepared
from tests.untrained import NOISY, checkpoint_of, takes

BLOCK = 2048
FOREIGN = ("v3", "discrete", "v2_nopqmf", "hybrid", "v2_with_augs")
References = list[np.ndarray]


@pytest.fixture(scope="module")
def references() -> References:
    takes = (next(iter(violin_takes(24))), next(iter(fire_takes(24))))
    return [take.audio[: 48 * BLOCK].astype(np.float32) for take in takes]


@pytest.fixture(scope="module")
def checkpoint(trained_home_made_once: Home) -> Path:
    return sorted(trained_home_made_once.instrument("pyroviolin").checkpoints.glob("*.pt"))[-1]


@pytest.fixture(scope="module")
def exported(
    checkpoint: Path, references: References, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Exported]:
    path = tmp_path_factory.mktemp("export") / "tiny.ts"
    return path, export(checkpoint, path, references, 3, "Pyro violin", "tiny@80", 0)


@pytest.fixture
def load(exported: tuple[Path, Exported]) -> Callable[[], torch.jit.ScriptModule]:
    return lambda: torch.jit.load(str(exported[0])).eval()


def silenced(model: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    assert model.set_temperature(0.0) == 0 and model.set_encoder_noise(0.0) == 0
    return model


def blocks(signal: torch.Tensor) -> list[torch.Tensor]:
    return list(signal.split(BLOCK, -1))


def tensor(references: References) -> tuple[torch.Tensor, torch.Tensor]:
    musical, nonmusical = (torch.from_numpy(audio)[None, None] for audio in references)
    return musical, nonmusical


def test_nn_finds_the_methods_and_attributes_of_rave_and_the_morph(load, exported) -> None:
    model = load()
    assert model.get_methods() == ["encode", "decode", "forward", "morph"]
    shapes = {name: getattr(model, f"{name}_params").tolist() for name in model.get_methods()}
    assert shapes == {
        "encode": [1, 1, 3, 1024],
        "decode": [3, 1024, 1, 1],
        "forward": [1, 1, 1, 1],
        "morph": [3, 1, 1, 1],
    }
    for name in set(model.get_attributes()) - {"none"}:
        values = getattr(model, f"get_{name}")()
        assert isinstance(values, tuple)
        assert len(values) == getattr(model, f"{name}_params").numel()
        assert getattr(model, f"set_{name}")(*values) == 0
    named = {attribute.name for attribute in exported[1].attributes}
    assert named == set(model.get_attributes()) - {"none"}
    assert {"learn_target", "reset_target", "learn_source", "reset_source"} <= named


def test_its_facts_are_in_the_file(load, exported) -> None:
    model, facts = load(), exported[1]
    assert (model.name, model.version, model.sr) == ("Pyro violin", "tiny@80", 48_000)
    assert (model.latent_size, model.full_latent_size, model.ratio) == (3, 4, 1024)
    assert model.latency == facts.latency_samples > 0


def test_what_was_set_can_be_read(load) -> None:
    model = load()
    model.set_temperature(0.25)
    model.set_latent(2, -1.5)
    assert model.get_temperature() == (0.25,)
    assert model.get_latent() == (2, -1.5)
    assert [model.set_latent(number, 0.0) for number in (-1, 4)] == [-1, -1]


def test_the_same_checkpoint_gives_the_same_bytes_and_stays_as_it_is(
    exported: tuple[Path, Exported], checkpoint: Path, references: References, tmp_path: Path
) -> None:
    before = sha256(checkpoint)
    # Something else in between: torch numbers what it compiles.
    export(checkpoint, tmp_path / "other.ts", references, 2, "Other", "tiny@80", 0)
    torch.set_num_threads(2)
    try:
        export(checkpoint, tmp_path / "again.ts", references, 3, "Pyro violin", "tiny@80", 0)
    finally:
        torch.set_num_threads(1)
    assert sha256(tmp_path / "again.ts") == sha256(exported[0])
    assert sha256(checkpoint) == before


def test_a_noise_synthesizer_draws_the_same_for_the_same_bytes(tmp_path: Path) -> None:
    made = set()
    for seed in range(2):
        torch.manual_seed(seed)
        network = checkpoint_of(tmp_path, NOISY)
        torch.manual_seed(seed)
        export(network, tmp_path / "noisy.ts", takes(), 4, "Noisy", "0", 0)
        made.add(sha256(tmp_path / "noisy.ts"))
        assert torch.initial_seed() == seed
    assert len(made) == 1


def test_nothing_in_the_file_tells_of_the_machine(exported: tuple[Path, Exported]) -> None:
    with zipfile.ZipFile(exported[0]) as archive:
        names = archive.namelist()
        text = b"\n".join(archive.read(n) for n in names if not re.search(r"/data/\d+$", n))
    assert not [name for name in names if "debug" in name]
    for path in (Path(torch.__file__).parents[1], Path.cwd(), Path.home(), exported[0].parent):
        assert str(path).encode() not in text
    assert b".py\x00" not in text and b"site-packages" not in text


def test_a_morph_is_the_decoded_mix_of_both_codes_block_by_block(load, references) -> None:
    x, y = tensor(references)
    amounts = torch.rand(x.shape[-1] // 1024, generator=torch.manual_seed(1))
    amounts[:16] = torch.tensor([0.0, 1.0]).repeat(8)
    signal = torch.cat([x, y, amounts.repeat_interleave(1024)[None, None]], 1)
    morphing, decoding, *encoding = load(), load(), load(), load()
    with torch.inference_mode():
        for model in (morphing, *encoding, decoding):
            model.set_encoder_noise(0.0)  # which draws for both at once, or for each
        for block, a in zip(blocks(signal), amounts.split(2), strict=True):
            torch.manual_seed(7)
            heard = morphing.morph(block)
            z = [model.encode(block[:, i : i + 1]) for i, model in enumerate(encoding)]
            torch.manual_seed(7)
            torch.randn(2, 4, 2)  # what the encoder would have drawn
            expected = decoding.decode((1 - a) * z[0] + a * z[1])
            assert heard.shape == (1, 1, BLOCK)
            assert torch.allclose(heard, expected, atol=1e-5)


def test_a_frame_takes_the_mean_of_its_amounts(load, references) -> None:
    x, y = (audio[..., : 24 * BLOCK] for audio in tensor(references))
    amount = torch.rand(x.shape[-1], generator=torch.manual_seed(1))
    amount[-1024:] = torch.linspace(0, 1, 1024)
    means = amount.reshape(-1, 1024).mean(-1).repeat_interleave(1024)
    with torch.inference_mode():
        heard = [
            silenced(load()).morph(torch.cat([x, y, given[None, None]], 1))
            for given in (amount, means)
        ]
    assert heard[0].abs().max() > 1e-3
    assert torch.allclose(*heard, atol=1e-5)


def test_a_latent_moves_by_its_own_deviations_until_all_are_taken_back(load, exported) -> None:
    z = torch.randn(1, 3, 32, generator=torch.manual_seed(1))
    of = exported[1].latents
    moved = z.clone()
    moved[:, 0] -= 0.5 * of[0].deviation
    moved[:, 2] += 1.5 * of[2].deviation
    model = silenced(load())
    with torch.inference_mode():
        still, expected = silenced(load()).decode(z), silenced(load()).decode(moved)
        assert model.set_latent(1, -0.5) == model.set_latent(3, 1.5) == 0
        assert torch.allclose(model.decode(z), expected, atol=1e-5)
        assert not torch.allclose(still, expected, atol=1e-4)
        back = silenced(load())
        for number, deviations in ((1, -0.5), (3, 1.5), (0, 0.0)):
            back.set_latent(number, deviations)
        assert torch.equal(back.decode(z), still)


@pytest.mark.parametrize(
    ("effects", "up", "rises"),
    [
        ([(4.0, -1.0), (2.0, -1.0)], 1, "louder"),
        ([(-4.0, 1.0), (-2.0, 1.0)], -1, "louder"),
        ([(1.5, -1.0), (0.5, -1.0)], 1, "louder"),  # 1 dB in the mean
        ([(1.0, -0.2), (0.9, -0.1)], -1, "brighter"),  # as good as unheard
        ([(9.0, -0.2), (-1.0, -0.1)], -1, "brighter"),  # one source only
        ([(-9.0, 0.2), (1.0, 0.1)], 1, "brighter"),
    ],
)
def test_up_is_where_both_sources_become_louder_else_where_they_become_brighter(
    effects: list[tuple[float, float]], up: int, rises: str
) -> None:
    assert direction(effects)[:2] == (up, rises)


def test_a_morph_draws_the_same_noise_as_encoding_both_at_once(load, references) -> None:
    x, y = tensor(references)
    signal = torch.cat([x, y, torch.full_like(x, 0.3)], 1)[..., : 12 * BLOCK]
    morphing, encoding, decoding = load(), load(), load()
    with torch.inference_mode():
        for number, block in enumerate(blocks(signal)):
            torch.manual_seed(number)
            heard = morphing.morph(block)
            torch.manual_seed(number)
            both = encoding.encode(torch.cat([block[:, :1], block[:, 1:2]], 0))
            expected = decoding.decode(0.7 * both[:1] + 0.3 * both[1:])
            assert torch.allclose(heard, expected, atol=1e-5)


def test_a_morph_is_the_same_in_blocks_of_any_size(load, references) -> None:
    x, y = tensor(references)
    signal = torch.cat([x, y, torch.linspace(0, 1, x.shape[-1])[None, None]], 1)
    with torch.inference_mode():
        heard = []
        for size in (1024, 4096, x.shape[-1]):
            model = silenced(load())
            heard.append(torch.cat([model.morph(part) for part in signal.split(size, -1)], -1))
    assert heard[0].abs().max() > 1e-3
    for other in heard[1:]:
        assert torch.allclose(heard[0], other, atol=1e-5)


def steepest(audio: torch.Tensor) -> float:
    """Largest second difference of what is heard, past the cold start: a click is one."""
    return float(audio.flatten()[8 * BLOCK :].diff(n=2).abs().max())


def test_the_amount_moves_without_clicks(load, references) -> None:
    x, y = tensor(references)

    def played(amount: torch.Tensor) -> torch.Tensor:
        model = silenced(load())
        signal = torch.cat([x, y, amount[None, None]], 1)
        return torch.cat([model.morph(block) for block in blocks(signal)], -1)

    with torch.inference_mode():
        length = x.shape[-1]
        still = max(steepest(played(torch.full((length,), a))) for a in (0.0, 0.5, 1.0))
        for cycles in (0.5, 8.0):
            sweep = 0.5 - 0.5 * torch.cos(2 * torch.pi * cycles * torch.linspace(0, 1, length))
            assert steepest(played(sweep)) < 2 * still
        jump = (torch.arange(length) // 5000 % 2).float()
        assert steepest(played(jump)) < 2 * still


def test_what_is_not_finite_does_no_harm(load, references) -> None:
    x, y = tensor(references)
    signal = torch.cat([x, y, torch.full_like(x, 0.5)], 1)
    spoiled = signal.clone()
    spoiled[..., 100:400] = torch.tensor([float("nan"), float("inf"), 1e30]).repeat(100)
    clean, model = silenced(load()), silenced(load())
    with torch.inference_mode():
        for block, bad in zip(blocks(signal), blocks(spoiled), strict=True):
            expected, heard = clean.morph(block), model.morph(bad)
            assert torch.isfinite(heard).all()
        assert torch.allclose(heard, expected, atol=1e-5)
        latents = torch.full((1, 3, 2), float("nan"))
        assert torch.isfinite(model.decode(latents)).all()
        assert torch.isfinite(model.decode(torch.full((1, 3, 2), 1e30))).all()


def test_an_attribute_is_never_set_to_what_is_no_number(load, references) -> None:
    model = load()
    for value in (float("nan"), float("inf"), -float("inf")):
        assert model.set_latent(1, value) == -1
        assert model.set_temperature(value) == -1 and model.set_encoder_noise(value) == -1
    assert model.get_temperature() == (1.0,) and model.get_latent() == (0, 0.0)
    model.set_latent(1, 1e30)
    with torch.inference_mode():
        heard = model.forward(tensor(references)[0])
    assert torch.isfinite(heard).all()


@torch.inference_mode()
@pytest.mark.parametrize(("width", "wide"), [(0.0, False), (0.5, True)])
def test_rave_vst_plays_it_wide(load, references, width: float, wide: bool) -> None:
    """As its PluginProcessorProcessing.cpp does: it draws the latents that are not shown."""
    model, alone = load(), load()
    assert model.stereo is True
    audio = tensor(references)[0][..., : 4 * BLOCK]
    shown = silenced(model).encode(audio)
    hidden = model.full_latent_size - shown.shape[1]
    left, other = torch.randn(2, 1, hidden, shown.shape[-1], generator=torch.manual_seed(1))
    right = (1 - width) * left + width * other
    both = [torch.cat([shown, noise], 1) for noise in (left, right)]
    heard = model.decode(torch.cat(both, 0))
    assert heard.shape == (2, 1, audio.shape[-1])
    assert torch.allclose(heard[:1], alone.decode(both[0]), atol=1e-6)
    assert torch.equal(heard[0], heard[1]) is not wide


def test_two_voices_are_two_channels_in_the_stereo_mode_of_raves_export(load) -> None:
    model = load()
    latents = torch.randn(2, model.full_latent_size, 4)
    with torch.inference_mode():
        mono = silenced(load()).decode(latents)
        model.set_stereo_mode(True)
        both = silenced(model).decode(latents)
    assert mono.shape == (2, 1, 4096) and both.shape == (1, 2, 4096)
    assert torch.allclose(both[0], mono[:, 0])
    assert model.encode(torch.randn(1, 2, 4096)).shape == (1, 3, 4)


@torch.inference_mode()
def response(checkpoint: Path, streaming: bool, audio: torch.Tensor, at: int) -> float:
    """Return when a burst is heard, as the centre of the energy that it adds, in samples."""
    model = load_model(checkpoint, streaming)
    played = []
    for loudness in (0.0, 0.0, 0.5):  # the first fills the caches
        burst = torch.zeros_like(audio)
        burst[..., at : at + 256] = torch.randn(256, generator=torch.manual_seed(0)) * loudness
        means = model.encoder(model.pqmf(audio + burst)).chunk(2, 1)[0]
        played.append(model.pqmf.inverse(model.decoder(means))[0, 0].double())
    added = (played[2] - played[1]).square()
    return float((added * torch.arange(len(added))).sum() / added.sum())


def test_the_latency_is_how_much_later_it_plays_than_the_network_that_sees_the_future(
    checkpoint: Path, references: References
) -> None:
    audio = torch.from_numpy(references[0])[None, None].repeat(1, 1, 2)
    expected = latency_samples(load_model(checkpoint, streaming=True))
    for at in (60 * 1024, 70 * 1024 + 300):
        late, early = (response(checkpoint, streaming, audio, at) for streaming in (True, False))
        assert late - early == pytest.approx(expected, abs=256)


def swelling(seed: int, dull: bool) -> np.ndarray:
    """Return 15 s of noise that swells by 40 dB: what its first latent carries is loudness."""
    time = np.arange(15 * 48_000) / 48_000
    noise = np.random.default_rng(seed).standard_normal(len(time))
    if dull:
        noise = 2 * np.convolve(noise, np.ones(8) / 8, "same")
    swell = 10 ** ((-45 + 20 * (1 - np.cos(2 * np.pi * time / 1.7))) / 20)
    return (0.5 * noise * swell).astype(np.float32)


@pytest.fixture(scope="module")
def swelling_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("swelling") / "home")
    home.create(profile="tiny")
    home.profiles.mkdir()
    (home.profiles / "tiny.toml").write_text(tiny())
    paths = home.instrument("pyroviolin")
    for number, role in enumerate(ROLES):
        for take in range(2):
            sound = swelling(10 * number + take, dull=number == 1)
            write_wav(paths.sources(role) / f"take{take}.wav", sound)
        add_source(paths, role, SYNTHESIZED, [paths.sources(role)])
    prepared(home, "tiny")
    return home


def test_the_first_latents_slider_makes_differently_trained_models_louder(
    swelling_home: Home, tmp_path: Path
) -> None:
    paths = swelling_home.instrument("pyroviolin")
    sounds = [swelling(number, dull=bool(number))[: 96 * BLOCK] for number in range(2)]
    made = set()
    for seed in (0, 1):
        steps = {"phase_1_steps": 100, "total_steps": 104}
        steps |= {"checkpoint_every": 500, "validate_every": 500}
        (swelling_home.profiles / "tiny.toml").write_text(tiny(**steps, seed=seed))
        stages.train(paths, load_profile("tiny", swelling_home.profiles))
        checkpoint = max(current_training(paths).checkpoints.glob("*.pt"))
        made.add(sha256(checkpoint))
        found = export(checkpoint, tmp_path / "model.ts", sounds, 4, "Tiny", "1", 0)
        assert found.latents[0].rises == "louder"
        for sound in sounds:
            levels = [level(tmp_path / "model.ts", sound, offset) for offset in (-1.0, 0.0, 1.0)]
            assert levels[0] < levels[1] < levels[2]
        for latent in found.latents:
            by = {"louder": latent.loudness_db, "brighter": latent.brightness_octaves}
            assert by[latent.rises] >= 0
        shares = [latent.variance for latent in found.latents]
        assert shares == sorted(shares, reverse=True)
    assert len(made) == 2


@torch.inference_mode()
def level(path: Path, sound: np.ndarray, deviations: float) -> float:
    """Return the level of what a model plays with its first latent moved, in dBFS."""
    model = silenced(torch.jit.load(str(path)))
    model.set_latent(1, deviations)
    heard = model.forward(torch.from_numpy(sound[: 48 * BLOCK])[None, None])
    return float(10 * heard.square().mean().log10())


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a copy of the checkpoint, to be spoiled."""
    shutil.copyfile(checkpoint.with_name("config.gin"), tmp_path / "config.gin")
    return Path(shutil.copyfile(checkpoint, tmp_path / checkpoint.name))


def spoil(checkpoint: Path, pattern: str, value: float) -> None:
    saved = torch.load(checkpoint)
    for key in [key for key in saved["state_dict"] if re.search(pattern, key)]:
        saved["state_dict"][key].fill_(value)
    torch.save(saved, checkpoint)


@pytest.mark.parametrize(
    ("pattern", "value", "reason"),
    [
        ("fidelity", 0.0, "never validated in phase 1"),
        ("latent_mean", float("nan"), r"non-finite numbers \(latent_mean\)"),
        (r"^encoder\..*(weight_g|bias)$", 0.0, "has collapsed: 0 of its 4 latents"),
        (r"^decoder\.net\.\d+\.(weight_g|bias)$", 0.0, "has collapsed: what it plays is"),
    ],
)
def test_a_model_that_cannot_be_an_instrument_is_refused_with_the_reason(
    copy: Path, references: References, tmp_path: Path, pattern: str, value: float, reason: str
) -> None:
    spoil(copy, pattern, value)
    least = 1 if "encoder" in pattern else 0
    with pytest.raises(MorpheneError, match=reason):
        export(copy, tmp_path / "model.ts", references, 4, "Tiny", "1", least)
    assert not list(tmp_path.glob("*.ts")) and not list(tmp_path.glob(".*"))


def of_another_architecture(profile: Profile, base: str) -> Profile:
    small = ("CAPACITY = 4", "RATIOS = [4, 4, 2, 2]")
    return profile.model_copy(update={"base_config": base, "bindings": small})


@pytest.mark.parametrize("base", FOREIGN)
def test_an_architecture_without_a_morph_is_refused(
    trained_home_made_once: Home, references: References, tmp_path: Path, base: str
) -> None:
    profile = load_profile("tiny", trained_home_made_once.profiles)
    configure(of_another_architecture(profile, base))
    model = build_model()
    model.fidelity.fill_(1.0)
    write_config(tmp_path)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt is of an architecture that is not exported"):
        export(tmp_path / "other.pt", tmp_path / "model.ts", references, 4, "Tiny", "1", 0)


@pytest.mark.parametrize("base", FOREIGN)
def test_a_profile_of_such_an_architecture_is_not_trained(tiny_home: Home, base: str) -> None:
    profile = of_another_architecture(load_profile("tiny", tiny_home.profiles), base)
    configure(profile)
    model = HostedModel(1e-3, torch.device("cpu"))
    with pytest.raises(InputError, match="Profile tiny is of an architecture that is not exported"):
        refuse_the_impossible(profile, model)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(b"hello", "it is no file that torch has written"), ({"step": 1}, "it holds no state_dict")],
)
def test_a_file_without_weights_is_no_checkpoint(
    copy: Path, contents: bytes | dict[str, int], reason: str
) -> None:
    if isinstance(contents, bytes):
        copy.write_bytes(contents)
    else:
        torch.save(contents, copy)
    with pytest.raises(InputError, match=f"is no checkpoint of this configuration: {reason}"):
        load_model(copy)


def test_a_checkpoint_without_its_configuration_is_not_exported(
    copy: Path, references: References, tmp_path: Path
) -> None:
    copy.with_name("config.gin").unlink()
    with pytest.raises(InputError, match=r"config\.gin is missing"):
        export(copy, tmp_path / "model.ts", references, 4, "Tiny", "1", 0)
