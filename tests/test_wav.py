import errno
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from morphene_core.audio import wav
from morphene_core.audio.wav import WavWriter, concatenate, read_mono, write_wav
from morphene_core.files import sha256


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).uniform(-1, 1, round(seconds * 48_000))


def test_written_audio_is_read_back_within_half_a_step(tmp_path: Path) -> None:
    audio = noise(1, 0.9)
    write_wav(tmp_path / "x.wav", audio)
    write_wav(tmp_path / "y.wav", -audio)
    assert np.abs(read_mono(tmp_path / "x.wav") - audio).max() < 1.01 * 2.0**-24
    both = concatenate([tmp_path / "x.wav", tmp_path / "y.wav"])
    assert np.abs(both - np.concatenate([audio, -audio])).max() < 1.01 * 2.0**-24


def test_what_lies_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", np.array([2.0, -2.0, 1.0, -1.0, 0.5]))
    assert read_mono(tmp_path / "x.wav").tolist() == [1 - 2**-23, -1.0, 1 - 2**-23, -1.0, 0.5]


@pytest.mark.parametrize("frames", [0, 1, 2, 48_001])
def test_the_file_is_the_one_that_libsndfile_writes(tmp_path: Path, frames: int) -> None:
    steps = np.random.default_rng(0).integers(-(2**23), 2**23, frames, dtype=np.int32)
    soundfile.write(tmp_path / "theirs.wav", steps << 8, 48_000, subtype="PCM_24")
    write_wav(tmp_path / "ours.wav", (steps / 2**23).astype(np.float32))
    assert (tmp_path / "ours.wav").read_bytes() == (tmp_path / "theirs.wav").read_bytes()


def test_the_writer_returns_what_will_be_read_and_the_hash_of_the_file(tmp_path: Path) -> None:
    audio = noise(0.5, 1.5).astype(np.float32)
    with WavWriter(tmp_path / "x.wav", len(audio)) as writer:
        written = np.concatenate([writer.write(audio[:1000]), writer.write(audio[1000:])])
    np.testing.assert_array_equal(read_mono(tmp_path / "x.wav"), written)
    assert writer.sha256 == sha256(tmp_path / "x.wav")


def test_audio_that_is_too_long_for_wav_becomes_rf64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = noise(0.1, 0.5)
    write_wav(tmp_path / "small.wav", audio)
    monkeypatch.setattr(wav, "_LARGEST_WAV", 10_000)
    write_wav(tmp_path / "large.wav", audio)
    assert soundfile.info(tmp_path / "large.wav").format == "RF64"
    np.testing.assert_array_equal(
        read_mono(tmp_path / "large.wav"), read_mono(tmp_path / "small.wav")
    )


def test_a_file_of_ten_hours_is_read_whole_by_others(tmp_path: Path) -> None:
    path, frames = tmp_path / "x.wav", 10 * 3600 * 48_000
    with pytest.raises(ValueError, match="0 samples written"), WavWriter(path, frames):
        pass
    os.truncate(path, path.stat().st_size + 3 * frames)  # a hole: 5 GB of silence on no disk
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.frames) == ("RF64", "PCM_24", frames)
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    assert float(subprocess.check_output(command)) == 36_000


def test_a_full_disk_is_an_error_of_the_system_even_where_it_shows_at_the_end() -> None:
    with pytest.raises(OSError) as caught, WavWriter(Path("/dev/full"), 100) as writer:
        writer.write(np.zeros(100))
    assert caught.value.errno == errno.ENOSPC
