import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.spectral import spectral_distance


def noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * 48_000))


def independent_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Compute the distance with librosa's STFT, whose frames begin at the first sample."""
    distances = []
    for n in (2048, 1024, 512, 256):
        how = {"n_fft": n, "hop_length": n // 4, "window": "hann", "center": False}
        r = np.abs(librosa.stft(reference, **how))
        o = np.abs(librosa.stft(other, **how))
        floor = r.max() / 10_000
        logs = np.log(np.clip(r, floor, None)) - np.log(np.clip(o, floor, None))
        distances.append(np.sqrt(((r - o) ** 2).sum() / (r**2).sum()) + np.abs(logs).mean())
    return float(np.mean(distances))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("level", [0.0, 0.01, 0.5, 3.0])
def test_the_distance_agrees_with_an_independent_implementation(seed: int, level: float) -> None:
    time = np.arange(48_128) / 48_000  # a whole number of hops at every scale
    reference = np.sin(2 * np.pi * 330 * time) * np.exp(-time) + 0.01 * noise(48_128 / 48_000)
    other = level * (reference + noise(48_128 / 48_000, seed))
    expected = independent_distance(reference, other)
    assert spectral_distance(reference, other) == pytest.approx(expected, rel=1e-3)


def test_a_sound_is_at_no_distance_from_itself() -> None:
    assert spectral_distance(noise(), noise()) == 0


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(0.2, 5.0))
def test_a_gain_alone_is_as_far_as_its_ratio_and_its_logarithm_say(gain: float) -> None:
    expected = abs(1 - gain) + abs(np.log(gain))
    assert spectral_distance(noise(0.2), gain * noise(0.2)) == pytest.approx(expected, rel=2e-3)


@settings(max_examples=15, deadline=None)
@given(level=st.floats(0.01, 100.0))
def test_the_distance_does_not_depend_on_the_common_level(level: float) -> None:
    a, b = noise(0.2), noise(0.2, 1)
    expected = spectral_distance(a, b)
    assert spectral_distance(level * a, level * b) == pytest.approx(expected, rel=1e-3)


def test_more_added_noise_is_farther() -> None:
    distances = [spectral_distance(noise(), noise() + x * noise(seed=1)) for x in (0.01, 0.1, 1)]
    assert distances == sorted(distances)
    assert distances[0] < 0.1 < distances[2]


def test_the_phase_does_not_count() -> None:
    assert spectral_distance(noise(), -noise()) == pytest.approx(0, abs=1e-6)


def test_the_longer_sound_is_cropped() -> None:
    longer = np.concatenate([noise(), 0.1 * noise(seed=1)])
    assert spectral_distance(noise(), longer) == 0
    assert spectral_distance(longer, noise()) == 0


def test_digital_silence_between_notes_does_not_dominate() -> None:
    reference = np.concatenate([noise(0.5), np.zeros(24_000)])
    hissing = reference + 1e-6 * noise(seed=1)
    assert spectral_distance(reference, hissing) < 0.01


def test_silence_is_at_a_finite_distance_and_only_silence_is_near_silence() -> None:
    silence = np.zeros(4800)
    assert 1 < spectral_distance(noise(0.1), silence) < 20
    assert spectral_distance(silence, silence) == 0
    assert spectral_distance(silence, noise(0.1)) == np.inf


def test_a_clip_shorter_than_a_window_has_a_distance() -> None:
    assert 0 < spectral_distance(noise()[:100], noise(seed=1)[:100]) < 20
    with pytest.raises(ValueError, match="samples"):
        spectral_distance(np.zeros(0), noise())
