"""The synthesized violin and fire, heard only through what the takes contain."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from morphene_core.synthesis import Take, fire_takes, violin_takes
from morphene_core.synthesis.take import SAMPLE_RATE

Source = Callable[[float, int], Iterator[Take]]
BOTH = pytest.mark.parametrize("source", [violin_takes, fire_takes])


@pytest.fixture(scope="module")
def violin() -> list[Take]:
    return list(violin_takes(60.0, 10))


@pytest.fixture(scope="module")
def fire() -> list[Take]:
    return list(fire_takes(60.0, 10))


def frame_levels_db(audio: np.ndarray, frame: int = 2400) -> np.ndarray:
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame).astype(np.float64)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def power_frames(audio: np.ndarray) -> np.ndarray:
    """Power spectrogram, shape (2049, frames), of 4096-sample frames; full scale near 0 dB."""
    _, _, spectrum = signal.stft(audio, SAMPLE_RATE, nperseg=4096, noverlap=2048)
    return np.abs(spectrum) ** 2


def median_flatness(audio: np.ndarray) -> float:
    band = power_frames(audio)[20:800] + 1e-15
    return float(np.median(np.exp(np.log(band).mean(axis=0)) / band.mean(axis=0)))


def sounding_pitches(takes: list[Take]) -> np.ndarray:
    """Fundamental frequencies by autocorrelation, from frames that are clearly periodic."""
    found = []
    for take in takes:
        for start in range(0, len(take.audio) - 4096, 9600):
            frame = take.audio[start : start + 4096].astype(np.float64)
            if np.sqrt(np.mean(frame**2)) < 1e-3:
                continue
            power = np.abs(np.fft.rfft(frame * np.hanning(4096), 16384)) ** 2
            lags = np.fft.irfft(power)[:400]
            lags /= lags[0]
            rising = np.flatnonzero(lags < 0.3)
            if len(rising) == 0:
                continue
            best = lags[rising[0] :].max()
            near = np.flatnonzero(lags[rising[0] :] > 0.93 * best)[0] + rising[0]
            lag = near + int(np.argmax(lags[near : near + 3]))
            if best > 0.7:
                found.append(SAMPLE_RATE / lag)
    return np.array(found)


@BOTH
@settings(max_examples=6, deadline=None)
@given(seconds=st.floats(4.0, 30.0))
def test_takes_of_any_length_are_sound_audio_of_that_length(source: Source, seconds: float) -> None:
    takes = list(source(seconds, 3))
    total = sum(len(take.audio) for take in takes) / SAMPLE_RATE
    assert abs(total - seconds) < 0.03 * seconds
    for take in takes:
        assert take.audio.dtype == np.float32
        assert take.audio.ndim == 1
        assert np.isfinite(take.audio).all()
        assert 1e-3 < np.abs(take.audio).max() <= 10 ** (-1 / 20)
        assert abs(float(take.audio.mean(dtype=np.float64))) < 1e-4


@BOTH
def test_the_same_arguments_give_the_same_bytes(source: Source) -> None:
    first, second = list(source(6.0, 4)), list(source(6.0, 4))
    assert [take.audio.tobytes() for take in first] == [take.audio.tobytes() for take in second]


@BOTH
def test_another_seed_gives_other_takes(source: Source) -> None:
    for first, second in zip(source(6.0, 4), source(6.0, 5), strict=True):
        assert first.name == second.name
        assert not np.array_equal(first.audio, second.audio)


@BOTH
def test_takes_have_distinct_names(source: Source) -> None:
    names = [take.name for take in source(4.0, 1)]
    assert len(set(names)) == len(names) >= 3


def test_takes_begin_and_end_in_silence_without_a_click(
    violin: list[Take], fire: list[Take]
) -> None:
    for take in violin + fire:
        assert abs(take.audio[0]) < 1e-4
        assert abs(take.audio[-1]) < 1e-4
        assert np.abs(take.audio[:48]).max() < 0.02
        assert np.abs(take.audio[-48:]).max() < 0.02


def test_the_violin_covers_its_range(violin: list[Take]) -> None:
    pitches = sounding_pitches(violin)
    assert np.percentile(pitches, 1) < 225.0
    assert np.percentile(pitches, 99) > 1500.0


def test_the_violin_plays_from_soft_to_loud(violin: list[Take]) -> None:
    levels = np.concatenate([frame_levels_db(take.audio) for take in violin])
    sounding = levels[levels > -60.0]
    assert np.percentile(sounding, 95) - np.percentile(sounding, 10) > 15.0


def test_the_violin_is_brighter_when_it_is_loud(violin: list[Take]) -> None:
    ratio, level = [], []
    for take in violin:
        power = power_frames(take.audio)
        level.append(power.sum(axis=0))
        ratio.append(power[400:].sum(axis=0) / (power.sum(axis=0) + 1e-15))
    loud, bright = np.concatenate(level), np.concatenate(ratio)
    audible = loud > np.percentile(loud, 20)
    assert np.corrcoef(np.log(loud[audible]), np.log(bright[audible] + 1e-12))[0, 1] > 0.1


def test_the_violin_hardly_ever_falls_silent(violin: list[Take]) -> None:
    for take in violin:
        assert np.mean(frame_levels_db(take.audio) < -66.0) < 0.15


def test_the_violin_is_harmonic_and_the_fire_is_not(violin: list[Take], fire: list[Take]) -> None:
    loudest_violin = max(median_flatness(take.audio) for take in violin)
    assert loudest_violin < 0.5 * min(median_flatness(take.audio) for take in fire)


def test_the_fire_crackles(fire: list[Take]) -> None:
    for take in fire:
        treble = np.diff(take.audio.astype(np.float64), n=2)
        kurtosis = np.mean(treble**4) / np.mean(treble**2) ** 2
        assert kurtosis > 8.0
        peaks = np.abs(treble[: len(treble) // 480 * 480]).reshape(-1, 480).max(axis=1)
        onsets = np.mean(peaks > 3.0 * np.median(peaks)) * 100
        assert 1.0 < onsets < 60.0


def test_the_fire_sounds_from_its_roar_to_its_hiss(fire: list[Take]) -> None:
    edges = np.array([60, 250, 1000, 4000, 12000]) * 4096 // SAMPLE_RATE
    for take in fire:
        power = np.mean(power_frames(take.audio), axis=1)
        bands = np.add.reduceat(power[: edges[-1]], edges[:-1])
        assert 10 * np.log10(bands.max() / bands.min()) < 35.0


def test_the_fires_differ_in_level_and_impulsiveness(fire: list[Take]) -> None:
    levels = [float(np.median(frame_levels_db(take.audio))) for take in fire]
    assert max(levels) - min(levels) > 8.0
