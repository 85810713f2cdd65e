from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.excerpt import excerpt


def tone(path: Path, seconds: float, rate: int = 48_000, channels: int = 1) -> Path:
    audio = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.stack([audio] * channels, axis=1), rate)
    return path


def test_it_takes_equal_shares_of_all_files(tmp_path: Path) -> None:
    files = [tone(tmp_path / f"{i}.wav", 10) for i in range(4)]
    assert len(excerpt(files, 8)) == 8 * 48_000


def test_long_files_make_up_for_short_ones_before_them(tmp_path: Path) -> None:
    files = [tone(tmp_path / "short.wav", 1), tone(tmp_path / "long.wav", 10)]
    assert len(excerpt(files, 6)) == 6 * 48_000


def test_it_is_as_long_as_there_is_audio(tmp_path: Path) -> None:
    assert len(excerpt([tone(tmp_path / "a.wav", 2)], 60)) == 2 * 48_000


def test_a_cut_is_faded_and_a_whole_file_is_not(tmp_path: Path) -> None:
    file = tone(tmp_path / "a.wav", 2)
    assert abs(excerpt([file], 1)[-1]) < 1e-6
    whole, _ = soundfile.read(file, dtype="float32")
    np.testing.assert_array_equal(excerpt([file], 2), whole)


def test_other_rates_and_channels_come_out_as_mono_48_khz(tmp_path: Path) -> None:
    audio = excerpt([tone(tmp_path / "a.wav", 2, rate=44_100, channels=2)], 1)
    assert audio.shape == (48_000,)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 0.5), min_size=1, max_size=4), st.floats(0.05, 1))
def test_it_is_never_longer_than_asked_for(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[float], seconds: float
) -> None:
    folder = tmp_path_factory.mktemp("excerpt")
    files = [tone(folder / f"{i}.wav", length) for i, length in enumerate(lengths)]
    audio = excerpt(files, seconds)
    assert len(audio) <= round(seconds * 48_000)
    assert audio.dtype == np.float32
