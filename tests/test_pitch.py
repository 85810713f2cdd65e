"""Pitches of single notes, against tones that are known and against librosa."""

from collections.abc import Callable

import librosa
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.pitch import PERIODIC, yin
from morphene_core.synthesis import violin_takes

RATE = 12_000
FRAME = 1024
Tone = Callable[[float, np.ndarray], np.ndarray]


def hertz(midi: float) -> float:
    return float(440 * 2 ** ((midi - 69) / 12))


def partials(frequencies: np.ndarray, levels: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Add sines up that lie below 20 kHz."""
    heard = frequencies < 20_000
    phases = np.arange(1, len(frequencies) + 1) ** 2
    waves = np.sin(2 * np.pi * np.outer(frequencies[heard], time) + phases[heard, None])
    return np.asarray(levels[heard] @ waves)


def sine(f0: float, time: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * f0 * time)


def sawtooth(f0: float, time: np.ndarray) -> np.ndarray:
    k = np.arange(1, min(100, int(20_000 / f0)) + 1)
    return partials(k * f0, 1 / k, time)


def weak_fundamental(f0: float, time: np.ndarray) -> np.ndarray:
    k = np.arange(1, 13)
    return partials(k * f0, np.where(k == 1, 0.05, 1 / k), time)


def struck_string(f0: float, time: np.ndarray) -> np.ndarray:
    k = np.arange(1, 20)
    return partials(k * f0 * np.sqrt(1 + 3e-4 * k**2), 1 / k, time) * np.exp(-3 * time)


def vibrato(f0: float, time: np.ndarray) -> np.ndarray:
    k = np.arange(1, max(1, int(11_000 / f0)) + 1)
    wander = 0.01 / (12 * np.pi) * np.sin(2 * np.pi * 6 * time)  # up to 17 cents
    return np.asarray((1 / k) @ np.sin(2 * np.pi * f0 * np.outer(k, time + wander)))


def framed(audio: np.ndarray, rate: int = RATE) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(audio, FRAME)[:: rate // 20]


def heard(tone: Tone, midi: int, snr_db: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviations in cents and the aperiodicities of frames of a tone."""
    audio = tone(hertz(midi), np.arange(19_200) / 48_000)
    if snr_db is not None:
        noise = np.random.default_rng(midi).standard_normal(len(audio))
        audio = audio + noise * np.sqrt(np.mean(audio**2)) * 10 ** (-snr_db / 20)
    f0, aperiodicity = yin(framed(soxr.resample(audio, 48_000, RATE)), RATE)
    return 1200 * np.log2(f0 / hertz(midi)), aperiodicity


@pytest.mark.parametrize("snr_db", [None, 20.0])
@pytest.mark.parametrize("tone", [sine, sawtooth, weak_fundamental, struck_string])
def test_every_note_of_the_piano_is_found(tone: Tone, snr_db: float | None) -> None:
    highest = 100 if tone is weak_fundamental else 108  # two harmonics lie below 6 kHz
    for midi in [*range(21, highest, 4), 28, highest]:
        cents, aperiodicity = heard(tone, midi, snr_db)
        assert np.abs(cents).max() < 35, midi
        assert aperiodicity.max() < PERIODIC, midi


@pytest.mark.parametrize("midi", [28, 40, 55, 69, 88, 100])
def test_a_vibrato_is_followed(midi: int) -> None:
    cents, aperiodicity = heard(vibrato, midi, 20.0)
    assert np.abs(cents).max() < 30
    assert aperiodicity.max() < PERIODIC


def test_the_violin_agrees_with_librosa() -> None:
    same, voiced = 0, 0
    for take in violin_takes(20.0, 3):
        audio = soxr.resample(take.audio, 48_000, 24_000)
        f0, aperiodicity = yin(framed(soxr.resample(audio, 24_000, RATE)), RATE)
        theirs, periodic, _ = librosa.pyin(
            audio, fmin=40, fmax=4300, sr=24_000, frame_length=2048, hop_length=1200, center=False
        )
        count = min(len(f0), len(theirs))
        both = periodic[:count] & (aperiodicity[:count] < PERIODIC / 2)
        assert both.mean() > 0.4
        voiced += both.sum()
        same += np.sum(np.abs(12 * np.log2(f0[:count] / theirs[:count]))[both] < 0.5)
    assert same > 0.94 * voiced, same / voiced


def test_noise_and_silence_are_not_periodic() -> None:
    noise = np.random.default_rng(0).standard_normal(60 * RATE)
    assert np.mean(yin(framed(noise), RATE)[1] > 2 * PERIODIC) > 0.999
    assert yin(np.zeros((3, FRAME)), RATE)[1] == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(midi=st.floats(21, 108), gain=st.floats(1e-3, 10.0), offset=st.floats(-1.0, 1.0))
def test_neither_level_nor_offset_matters(midi: float, gain: float, offset: float) -> None:
    audio = soxr.resample(sawtooth(hertz(midi), np.arange(9600) / 48_000), 48_000, RATE)
    plain, changed = yin(framed(audio), RATE), yin(framed(gain * (audio + offset)), RATE)
    assert changed[0] == pytest.approx(plain[0], rel=5e-3)
    assert changed[1] == pytest.approx(plain[1], abs=0.02)


def test_frames_of_less_than_two_longest_periods_are_refused() -> None:
    with pytest.raises(ValueError, match="two periods"):
        yin(np.zeros((1, 800)), RATE)
    assert len(yin(np.zeros((0, FRAME)), RATE)[0]) == 0
