import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.signal import firwin, lfilter

from morphene_core.audio import ffmpeg
from morphene_core.audio.decode import BLOCK_FRAMES, open_audio
from morphene_core.sources import duplicates
from morphene_core.sources.duplicates import find_duplicates
from morphene_core.sources.examination import Examination
from morphene_core.sources.examine import examine
from tests.odd_files import RATE, encoded, sound, stereo

VARIED = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def noise(seconds: float = 1.0, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    audio = np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))
    return np.clip(0.1 * audio, -1, 1)


def sine(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def examined(folder: Path, audio: np.ndarray, rate: int = RATE, **how: str) -> Examination:
    soundfile.write(folder / "x.wav", audio, rate, **{"format": "WAV", "subtype": "PCM_24"} | how)
    return examine(folder, "x.wav")


def codes(examination: Examination) -> list[str]:
    return [finding.code for finding in examination.findings]


def text(examination: Examination) -> str:
    (finding,) = examination.findings
    return finding.text


def test_a_good_file_is_described_in_numbers(tmp_path: Path) -> None:
    audio = 0.5 * sine(1000, 2.0) + 0.001
    examination = examined(tmp_path, np.stack([audio, audio], axis=1), subtype="PCM_16")
    assert examination.verdict == "accepted"
    assert (examination.format, examination.sample_rate) == ("WAV PCM_16", RATE)
    assert (examination.channels, examination.frames, examination.seconds) == (2, 96_000, 2.0)
    assert examination.bytes == 96_000 * 4 + 44
    assert examination.peak_dbfs == pytest.approx(20 * np.log10(0.501), abs=0.01)
    assert examination.dc_offset == pytest.approx(0.001, abs=2**-15)


@VARIED
@given(
    gain=st.floats(-30, -1),
    rate=st.sampled_from([44_100, 48_000, 88_200, 96_000, 192_000]),
    channels=st.integers(1, 2),
    seconds=st.floats(0.4, 2.0),
    subtype=st.sampled_from(["PCM_16", "PCM_24", "FLOAT"]),
    seed=st.integers(0, 99),
)
def test_noise_of_any_level_rate_and_length_is_accepted(
    tmp_path: Path, gain: float, rate: int, channels: int, seconds: float, subtype: str, seed: int
) -> None:
    audio = noise(seconds, rate, channels, seed)
    audio *= 10 ** (gain / 20) / np.abs(audio).max()
    assert codes(examined(tmp_path, audio, rate, subtype=subtype)) == []


@VARIED
@given(gain=st.floats(-40, 0), seed=st.integers(0, 99))
def test_a_gain_does_not_change_the_verdict_of_a_clean_file(
    tmp_path: Path, gain: float, seed: int
) -> None:
    audio = sound(seed, 1.0)
    audio *= 10 ** (gain / 20) / np.abs(audio).max()
    assert codes(examined(tmp_path, audio)) == []


@VARIED
@given(
    share=st.floats(0.002, 0.95).filter(lambda share: abs(share - 0.05) > 0.002),
    kind=st.sampled_from(["WAV", "AIFF", "AU", "W64", "RF64", "AVR", "VOC", "NIST", "MAT4"]),
)
def test_up_to_five_percent_may_be_missing(tmp_path: Path, share: float, kind: str) -> None:
    path = tmp_path / "x"
    soundfile.write(path, noise(2.0), RATE, format=kind, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) - 2 * 2 * RATE * share)])
    expected = ["part missing"] if share <= 0.05 else ["truncated"]
    assert codes(examine(tmp_path, "x")) == expected


def test_what_precedes_the_damage_is_read_to_the_last_frame_of_the_codec(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, noise(4.0), RATE, subtype="PCM_16")
    whole, _ = soundfile.read(path, dtype="float32")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_audio(path) as stream:
        audio = np.concatenate(list(stream.blocks()))[:, 0]
        assert stream.announced == 4 * RATE
        assert stream.damage == "flac decoder lost sync"
    assert 0 <= 2 * RATE - len(audio) < 4096
    np.testing.assert_array_equal(audio, whole[: len(audio)])


def test_a_sine_that_is_clipped_is_counted_at_every_crest(tmp_path: Path) -> None:
    audio = np.clip(2 * sine(101), -1, 1)
    assert text(examined(tmp_path, audio, subtype="PCM_16")).startswith("clipped at 202 places")


@VARIED
@given(hz=st.floats(12, 20_000), subtype=st.sampled_from(["PCM_U8", "PCM_16", "PCM_24", "FLOAT"]))
def test_a_clean_sine_at_full_scale_is_not_clipped(tmp_path: Path, hz: float, subtype: str) -> None:
    assert "clipped" not in codes(examined(tmp_path, sine(hz), subtype=subtype))


def test_a_limiter_does_not_clip(tmp_path: Path) -> None:
    audio = 4 * sound(3)
    level = np.maximum.reduceat(np.abs(audio), np.arange(0, len(audio), 240))
    gain = np.minimum(1, 0.9 / np.maximum(level, np.maximum(np.roll(level, 1), np.roll(level, -1))))
    audio *= np.interp(np.arange(len(audio)), 240 * np.arange(len(gain)) + 120, gain)
    assert np.abs(audio).max() > 0.85
    assert codes(examined(tmp_path, audio, subtype="PCM_16")) == []


def test_clipping_counts_at_the_loudest_place_alone(tmp_path: Path) -> None:
    flat = np.clip(2 * sine(100), -1, 1)
    assert codes(examined(tmp_path, np.concatenate([0.5 * flat, sine(99.7)]))) == []


@VARIED
@given(hz=st.floats(20, 100), seconds=st.floats(0.05, 3), phase=st.floats(0, 6))
def test_a_low_note_has_no_offset(tmp_path: Path, hz: float, seconds: float, phase: float) -> None:
    t = np.arange(round(seconds * RATE)) / RATE
    audio = 0.8 * np.sin(2 * np.pi * hz * t + phase) * np.exp(-2 * t)
    assert "DC offset" not in codes(examined(tmp_path, audio))


def test_a_small_offset_of_quiet_material_is_found(tmp_path: Path) -> None:
    examination = examined(tmp_path, 0.1 * sound(1) - 0.01)
    assert codes(examination) == ["DC offset"]
    assert "-0.010 of full scale" in text(examination)


@VARIED
@given(decibels_per_octave=st.floats(0, 36), floor=st.floats(-90, -50), corner=st.floats(300, 6000))
def test_a_natural_roll_off_into_a_noise_floor_is_not_a_limited_band(
    tmp_path: Path, decibels_per_octave: float, floor: float, corner: float
) -> None:
    spectrum = np.fft.rfft(noise(1.0)[:, 0])
    octaves = np.log2(np.maximum(np.fft.rfftfreq(RATE, 1 / RATE) / corner, 1))
    audio = np.fft.irfft(spectrum * 10 ** (-decibels_per_octave * octaves / 20))
    audio += 10 ** (floor / 20) * np.random.default_rng(1).standard_normal(RATE)
    assert codes(examined(tmp_path, audio, subtype="PCM_16")) == []


@pytest.mark.parametrize("edge", [4_000, 8_000, 11_025, 16_000])
def test_a_steep_edge_is_found_where_it_is(tmp_path: Path, edge: int) -> None:
    audio = lfilter(firwin(801, edge, fs=RATE), 1, noise(2.0)[:, 0])
    examination = examined(tmp_path, audio)
    assert codes(examination) == ["band-limited"]
    found = float(text(examination).split(" kHz")[0].split()[-1]) * 1000
    assert abs(found - edge) < 500


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_named_with_their_place(
    tmp_path: Path, value: float
) -> None:
    audio = noise(5.0)
    audio[round(4.2 * RATE) : round(4.2 * RATE) + 7] = value
    examination = examined(tmp_path, audio, subtype="FLOAT")
    assert text(examination).startswith("7 samples are NaN or infinite, the first at 4.20 s")


@pytest.mark.parametrize(("balance", "expected"), [(1.0, ["mono sum cancels"]), (0.8, [])])
def test_channels_that_cancel_are_refused_and_wide_ones_are_not(
    tmp_path: Path, balance: float, expected: list[str]
) -> None:
    audio = noise()[:, 0]
    assert codes(examined(tmp_path, np.stack([audio, -balance * audio], axis=1))) == expected


class Listener:
    def __init__(self, rate: int, action: Any = None) -> None:
        self.rate, self.action, self.blocks = rate, action, [np.empty(0, np.float32)]

    def feed(self, mono: np.ndarray) -> None:
        self.blocks.append(mono.copy())
        if self.action:
            self.action()

    def result(self) -> dict[str, Any]:
        audio = np.concatenate(self.blocks)
        return {"rate": self.rate, "samples": len(audio), "sum": float(np.abs(audio).sum())}


def test_a_consumer_is_fed_the_mono_mix_at_the_rate_of_the_file(tmp_path: Path) -> None:
    audio = noise(3.0, 44_100, 2)
    soundfile.write(tmp_path / "x.wav", audio, 44_100, subtype="FLOAT")
    coverage = examine(tmp_path, "x.wav", Listener).coverage
    assert coverage is not None
    assert (coverage["rate"], coverage["samples"]) == (44_100, 3 * 44_100)
    assert coverage["sum"] == pytest.approx(np.abs(audio.mean(axis=1)).sum(), rel=1e-4)


def test_a_rejected_file_covers_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(RATE), RATE)
    assert examine(tmp_path, "x.wav", Listener).coverage is None


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (lambda path: path.open("ab").write(b"more"), "changed while it was read"),
        (lambda path: path.unlink(missing_ok=True), "vanished while it was read"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, action: Any, expected: str
) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(), RATE)
    examination = examine(tmp_path, "x.wav", lambda rate: Listener(rate, lambda: action(path)))
    assert codes(examination) == ["unreadable"]
    assert expected in text(examination)


def test_without_ffmpeg_a_file_that_needs_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(1, "m4a")(tmp_path / "x.m4a")
    (tmp_path / "text.wav").write_text("a text")
    monkeypatch.setenv("PATH", str(tmp_path))
    examination = examine(tmp_path, "x.m4a")
    assert codes(examination) == ["unreadable"]
    assert "install ffmpeg or convert" in text(examination)
    assert codes(examine(tmp_path, "text.wav")) == ["no audio"]


def test_ffmpeg_ends_when_its_reader_stops_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(2, "m4a", audio=np.tile(stereo(2), (20, 1)))(tmp_path / "x.m4a")
    started = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(ffmpeg.subprocess, "Popen", Popen)
    with open_audio(tmp_path / "x.m4a") as stream:
        assert next(stream.blocks()).shape == (BLOCK_FRAMES, 2)
    assert len(started) == 2  # ffprobe and ffmpeg
    assert all(process.returncode is not None for process in started)


def test_blocks_are_bounded_however_many_channels_there_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros((40_000, 64), np.int16), RATE)
    with open_audio(tmp_path / "x.wav") as stream:
        assert max(block.size for block in stream.blocks()) <= 1 << 20


def test_the_audio_of_an_mp3_without_a_length_is_all_read(tmp_path: Path) -> None:
    encoded(3, "mp3", "-q:a", "4", "-write_xing", "0")(tmp_path / "x.mp3")
    assert examine(tmp_path, "x.mp3").seconds == pytest.approx(2.0, abs=0.08)


def find(folder: Path) -> dict[str, str]:
    files = [(path.name, examine(folder, path.name)) for path in folder.iterdir()]
    return find_duplicates(files, folder)


def test_takes_of_one_note_are_no_duplicates(tmp_path: Path) -> None:
    t = np.arange(2 * RATE) / RATE
    for take in range(6):
        random = np.random.default_rng(take)
        pitch = 440 * 2 ** (random.normal(0, 3) / 1200)
        partials = [np.sin(2 * np.pi * k * pitch * t) / k**2 for k in range(1, 12)]  # in phase
        audio = 0.2 * np.sum(partials, axis=0) * np.exp(-3 * t)
        audio += 0.003 * random.standard_normal(len(t))
        soundfile.write(tmp_path / f"{take}.wav", audio, RATE)
    assert find(tmp_path) == {}


def test_parts_of_one_session_of_noise_are_no_duplicates(tmp_path: Path) -> None:
    for part in range(8):
        soundfile.write(tmp_path / f"{part}.wav", noise(4.0, seed=part), RATE)
    assert find(tmp_path) == {}


def test_the_best_copy_is_kept(tmp_path: Path) -> None:
    audio = sound(5)
    soundfile.write(tmp_path / "a.ogg", audio, RATE)
    soundfile.write(tmp_path / "b.wav", audio[::2], RATE // 2, subtype="PCM_24")
    soundfile.write(tmp_path / "c.wav", np.clip(audio, -0.2, 0.2), RATE, subtype="PCM_24")
    soundfile.write(tmp_path / "d.wav", -0.5 * audio, RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "e.flac", audio, RATE, subtype="PCM_24")
    (tmp_path / "f.flac").write_bytes((tmp_path / "e.flac").read_bytes())
    (tmp_path / "g.ogg").write_bytes((tmp_path / "a.ogg").read_bytes())
    assert find(tmp_path) == dict.fromkeys(
        ["a.ogg", "b.wav", "c.wav", "d.wav", "f.flac", "g.ogg"], "e.flac"
    )


def test_thousands_of_files_of_one_duration_are_told_apart(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    bands = np.clip(np.round(random.normal(35, 1.5, (3000, duplicates.BANDS))), 0, 50)
    courses = np.round(random.normal(0, 5, (3000, duplicates.CELLS)))
    facts = {"format": "WAV PCM_24", "sample_rate": RATE, "channels": 1, "frames": 10 * RATE}
    files = [
        (f"{i}.wav", Examination(str(i), sketch=tuple(map(int, [*b, *c])), **facts))
        for i, (b, c) in enumerate(zip(bands, courses, strict=True))
    ]
    assert find_duplicates(files, tmp_path) == {}


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_short_clips_of_a_texture_are_not_all_compared_with_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    for seed in range(40):
        noise = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * 48_000))
        soundfile.write(tmp_path / f"{seed}.wav", noise, 48_000)
    compared = []
    same = duplicates.same_sound
    monkeypatch.setattr(
        duplicates, "same_sound", lambda *pair: compared.append(pair) or same(*pair)
    )
    files = [(path.name, examine(tmp_path, path.name)) for path in tmp_path.iterdir()]
    assert find_duplicates(files, tmp_path) == {}
    assert len(compared) < 40  # of 780 pairs
