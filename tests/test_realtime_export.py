"""The stand-in of nn~ on an export: it plays what the exported network computes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from morphene_core.realtime import play, prove
from morphene_core.realtime.model import LoadedModel
from morphene_core.sections import SECTIONS, play_sections
from morphene_core.synthesis import fire_takes, violin_takes
from tests.untrained import untrained

pytestmark = pytest.mark.slow

SAMPLES = 24 * 4096
QUIET = {"temperature": (0.0,), "encoder_noise": (0.0,)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("untrained"))


@pytest.fixture(scope="module")
def sources() -> tuple[np.ndarray, np.ndarray]:
    violin, fire = (next(iter(of(24))).audio[:SAMPLES] for of in (violin_takes, fire_takes))
    return violin, fire


def given(method: str, model: LoadedModel, sources: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    if method == "morph":
        return np.stack([*sources, np.linspace(0, 1, SAMPLES, dtype=np.float32)])
    if method == "decode":
        return play(model.path, "encode", sources[0][None], attributes=QUIET)
    return sources[0][None]


@pytest.mark.parametrize("method", ["encode", "decode", "forward", "morph"])
def test_without_noise_it_plays_the_exported_network_offline_sample_by_sample(
    exported: Path, sources: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    model = LoadedModel(exported)
    for name, values in QUIET.items():
        model.set(name, values)
    signal = given(method, model, sources)
    torch.set_num_threads(1)
    offline = model.call(method, torch.from_numpy(signal)[None])[0].numpy()
    peak = np.abs(offline).max()
    assert peak > 1e-4
    for block in (1024, 2048, 4096):
        played = play(exported, method, signal, block, attributes=QUIET)
        assert played.shape == offline.shape
        assert np.abs(played - offline).max() < 1e-5 * peak
    # Without its past it would be something else: the comparison can fail.
    first = LoadedModel(exported).call(
        method, torch.from_numpy(signal[:, -signal.shape[1] // 4 :])[None]
    )
    assert np.abs(first[0].numpy() - offline[:, -first.shape[-1] :]).max() > 1e-3 * peak


def test_an_export_is_proven_without_a_fault(
    exported: Path, sources: tuple[np.ndarray, np.ndarray]
) -> None:
    report = prove(exported, ["forward", "morph"], seconds=0.5, audio=sources)
    assert not [finding for finding in report.faults if not finding.passed]
    assert [of.name for of in report.methods] == ["forward", "morph"]
    latency = report.latency
    assert latency.computed_samples == LoadedModel(exported).latency
    # A network spreads an impulse over all that it looks at: most of it is near the middle.
    assert latency.measured_samples == pytest.approx(latency.computed_samples, abs=2400)


def test_sections_are_the_same_bytes_twice_and_the_sweep_begins_and_ends_with_the_sources(
    exported: Path, sources: tuple[np.ndarray, np.ndarray]
) -> None:
    torch.manual_seed(1)
    first = play_sections(exported, *sources)
    torch.manual_seed(2)
    second = play_sections(exported, sources[0], np.concatenate(sources[::-1]))
    assert tuple(first) == SECTIONS
    for name in SECTIONS:
        assert np.array_equal(first[name], second[name])
        assert first[name].shape == (SAMPLES // 2048 * 2048,)
