from itertools import pairwise

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.loudness import (
    KWeightedCells,
    TruePeak,
    block_powers,
    gated_lufs,
    integrated_lufs,
    true_peak_dbtp,
)
from morphene_core.audio.wav import SAMPLE_RATE


def sine(hertz: float, seconds: float, level: float = 0.1, rate: int = SAMPLE_RATE) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [48_000, 44_100, 22_050, 96_000])
def test_a_997_hz_sine_at_full_scale_in_one_channel_has_the_loudness_of_the_standard(
    rate: int,
) -> None:
    # ITU-R BS.1770-4: "If a 0 dB FS 1 kHz (997 Hz to be exact) sine wave is applied to the left,
    # centre, or right channel input, the indicated loudness will equal -3.01 LKFS."
    assert integrated_lufs(sine(997, 5, 1.0, rate), rate) == pytest.approx(-3.01, abs=0.06)
    assert integrated_lufs(sine(997, 5, 0.1, rate), rate) == pytest.approx(-23.01, abs=0.06)


@settings(max_examples=10, deadline=None)
@given(
    levels=st.lists(st.floats(-70, 0), min_size=1, max_size=5),
    seconds=st.floats(0.6, 12.0),
    rate=st.sampled_from([48_000, 44_100, 32_000]),
)
def test_the_loudness_agrees_with_pyloudnorm(
    levels: list[float], seconds: float, rate: int
) -> None:
    length = round(seconds * rate / len(levels))
    generator = np.random.default_rng(0)
    parts = [10 ** (level / 20) * generator.uniform(-1, 1, length) for level in levels]
    audio = np.concatenate(parts)
    audio = audio[: len(audio) // (rate // 10) * (rate // 10)]  # pyloudnorm may pad a last block
    expected = pyloudnorm.Meter(rate).integrated_loudness(audio)
    measured = integrated_lufs(audio, rate)
    assert measured == pytest.approx(expected, abs=0.3) or max(measured, expected) < -60


def test_silence_has_no_loudness_and_no_peak() -> None:
    for audio in (np.zeros(SAMPLE_RATE), np.zeros(0)):
        assert integrated_lufs(audio, SAMPLE_RATE) == -np.inf
        assert true_peak_dbtp(audio) == -np.inf


@pytest.mark.parametrize("seconds", [0.006, 0.1, 0.399])
def test_a_clip_shorter_than_a_block_is_as_loud_as_the_sound_that_it_is_part_of(
    seconds: float,
) -> None:
    whole = integrated_lufs(sine(2000, 2), SAMPLE_RATE)
    assert integrated_lufs(sine(2000, seconds), SAMPLE_RATE) == pytest.approx(whole, abs=0.5)


def test_the_true_peak_is_found_between_the_samples() -> None:
    # At a quarter of the sample rate and 45 degrees every sample lies 3.01 dB under the crest.
    quarter = 0.5 * np.sin(np.pi / 2 * np.arange(48_000) + np.pi / 4) * np.hanning(48_000)
    assert 20 * np.log10(np.abs(quarter).max()) == pytest.approx(-9.03, abs=0.01)
    assert true_peak_dbtp(quarter) == pytest.approx(-6.02, abs=0.1)


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(1, 60_000),
    cuts=st.lists(st.integers(0, 60_000), max_size=12),
    rate=st.sampled_from([48_000, 44_100]),
)
def test_audio_fed_in_blocks_measures_the_same_as_audio_fed_at_once(
    length: int, cuts: list[int], rate: int
) -> None:
    audio = np.random.default_rng(length).uniform(-0.5, 0.5, length).astype(np.float32)
    cells, peak = KWeightedCells(rate), TruePeak()
    for start, end in pairwise([0, *sorted(cuts), length + 60_000]):
        cells.feed(audio[start:end])
        peak.feed(audio[start:end])
    assert gated_lufs(block_powers(cells.result())) == integrated_lufs(audio, rate)
    assert peak.result() == true_peak_dbtp(audio)
