import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.holdout import heldout_length, heldout_spans, split_at
from morphene_core.audio.loudness import integrated_lufs, true_peak_dbtp
from morphene_core.audio.prepare import prepare_audio
from morphene_core.audio.prepared import AudioSettings, Piece, PreparedAudio, load_prepared
from morphene_core.audio.wav import SAMPLE_RATE, concatenate, read_mono, write_wav
from morphene_core.errors import InputError
from morphene_core.sources.register import register_sources


def sine(hertz: float, seconds: float, level: float = 0.1, rate: int = SAMPLE_RATE) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    samples = round(seconds * SAMPLE_RATE)
    return level * np.random.default_rng(seed).uniform(-1, 1, samples)


def rest(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE))


def record(path: Path, audio: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "FLOAT") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype=subtype)


def prepare(home: Path, chosen: AudioSettings = AudioSettings()) -> PreparedAudio:
    return prepare_audio(register_sources(home / "raw", "musical"), home / "out", chosen)


def joined(prepared: PreparedAudio, source: str | None = None) -> np.ndarray:
    files = [p.file for p in prepared.pieces if source in (None, p.source)]
    return concatenate(prepared.folder / file for file in files)


def decibels(ratio: float) -> float:
    return 20 * float(np.log10(ratio))


def rms(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


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
    assert integrated_lufs(rest(1), SAMPLE_RATE) == -np.inf
    assert integrated_lufs(rest(0), SAMPLE_RATE) == -np.inf
    assert true_peak_dbtp(rest(1)) == true_peak_dbtp(rest(0)) == -np.inf


@pytest.mark.parametrize("seconds", [0.006, 0.1, 0.399])
def test_a_clip_shorter_than_a_block_is_as_loud_as_the_sound_that_it_is_part_of(
    seconds: float,
) -> None:
    whole = integrated_lufs(sine(2000, 2), SAMPLE_RATE)
    assert integrated_lufs(sine(2000, seconds), SAMPLE_RATE) == pytest.approx(whole, abs=0.5)


def test_the_true_peak_is_found_between_the_samples() -> None:
    # At a quarter of the sample rate and 45 degrees every sample lies 3.01 dB under the crest.
    quarter = 0.5 * np.sin(np.pi / 2 * np.arange(48_000) + np.pi / 4) * np.hanning(48_000)
    assert decibels(np.abs(quarter).max()) == pytest.approx(-9.03, abs=0.01)
    assert true_peak_dbtp(quarter) == pytest.approx(-6.02, abs=0.1)


@settings(max_examples=300, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=60),
    share=st.floats(0, 0.9),
    least=st.integers(0, 4000),
    most=st.integers(0, 9000),
    stretches=st.integers(1, 6),
    shortest=st.integers(0, 300),
)
def test_heldout_stretches_are_apart_never_more_than_a_third_and_spread(
    lengths: list[int], share: float, least: int, most: int, stretches: int, shortest: int
) -> None:
    total = sum(lengths)
    wanted = heldout_length(total, share, least, most)
    spans = heldout_spans(lengths, wanted, stretches, shortest)
    assert len(spans) <= stretches
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start
    assert all(0 <= start < end <= total for start, end in spans)
    held = sum(end - start for start, end in spans)
    assert held <= max(total / 3, 0)
    assert (held > 0) == (wanted > 0)
    assert held >= 0.49 * wanted - stretches
    for i, (start, end) in enumerate(spans):  # each lies in its own part of the time line
        assert start < total * (i + 1) / len(spans) and end > total * i / len(spans)


@settings(max_examples=200, deadline=None)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_training_and_heldout_parts_are_all_of_the_audio_and_never_overlap(
    lengths: list[int],
) -> None:
    spans = heldout_spans(lengths, heldout_length(sum(lengths), 0.1, 600, 18_000), 4, 150)
    parts = split_at(lengths, spans)
    seen = [np.zeros(length, int) for length in lengths]
    for index, (start, end), _ in parts:
        assert start < end
        seen[index][start:end] += 1
    assert all((counts == 1).all() for counts in seen)
    held = sum(end - start for _, (start, end), is_held in parts if is_held)
    assert held == sum(end - start for start, end in spans)


@settings(max_examples=200, deadline=None)
@given(length=st.integers(1, 500), count=st.integers(1, 60), stretches=st.integers(1, 6))
def test_a_third_is_the_most_even_where_whole_recordings_are_held_out(
    length: int, count: int, stretches: int
) -> None:
    total = length * count
    spans = heldout_spans([length] * count, total // 3, stretches, 1)
    assert sum(end - start for start, end in spans) <= total / 3


def test_of_many_short_recordings_whole_ones_are_held_out() -> None:
    lengths = [1000] * 100
    spans = heldout_spans(lengths, 12_400, 4, 1500)
    assert [start % 1000 + end % 1000 for start, end in spans] == [0] * 4
    assert sum(end - start for start, end in spans) == 12_000


def test_of_one_long_recording_four_stretches_are_held_out_across_it(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "fire.wav", noise(80))
    held = [piece for piece in prepare(tmp_path).pieces if piece.set == "heldout"]
    assert [piece.frames for piece in held] == [96_000] * 4
    centres = [(piece.start_seconds + piece.end_seconds) / 2 for piece in held]
    assert centres == pytest.approx([10, 30, 50, 70])


@settings(max_examples=6, deadline=None)
@given(
    seconds=st.lists(st.floats(0.3, 8.0), min_size=1, max_size=8),
    rate=st.sampled_from([48_000, 44_100]),
)
def test_every_sample_of_the_trimmed_audio_is_either_trained_on_or_held_out(
    seconds: list[float], rate: int
) -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        for i, length in enumerate([*seconds, 10.0]):
            record(home / "raw" / f"{i}.wav", sine(300 + 50 * i, length, 0.1, rate), rate)
        prepared = prepare(home)
        by_source: dict[str, list[Piece]] = {}
        for piece in prepared.pieces:
            by_source.setdefault(piece.source, []).append(piece)
        for i, length in enumerate([*seconds, 10.0]):
            pieces = by_source[f"{i}.wav"]
            edges = [(p.start_seconds, p.end_seconds) for p in pieces]
            assert edges[0][0] == 0
            assert edges[-1][1] == pytest.approx(length, abs=2 / rate)
            assert all(a[1] == b[0] for a, b in pairwise(edges))
        for piece in prepared.pieces:
            info = soundfile.info(prepared.folder / piece.file)
            assert info.frames == piece.frames
            difference = (piece.end_seconds - piece.start_seconds) * SAMPLE_RATE
            assert round(difference) == piece.frames
        assert prepared.heldout_seconds <= (sum(seconds) + 10.01) / 3


def test_pieces_are_24_bit_mono_wav_at_48_khz_and_described(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "a b" / "G3 è!.wav", noise(12), subtype="PCM_16")
    prepared = prepare(tmp_path)
    for path in (*prepared.training, *prepared.heldout):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.format, info.subtype) == (
            48_000, 1, "WAV", "PCM_24",
        )  # fmt: skip
        assert path.name[:4].isdigit() and path.name[4:] == "_G3.wav"
    written = sorted(
        p.relative_to(prepared.folder).as_posix() for p in tmp_path.rglob("out/**/*.*")
    )
    assert written == sorted([piece.file for piece in prepared.pieces] + ["audio.json"])
    assert all(piece.file.startswith(f"{piece.set}/") for piece in prepared.pieces)
    data = json.loads((prepared.folder / "audio.json").read_text())
    assert data["settings"]["loudness_lufs"] == -20.0
    assert data["pieces"][0]["source"] == "a b/G3 è!.wav"
    source = register_sources(tmp_path / "raw", "musical").files[0]
    assert {piece["source_sha256"] for piece in data["pieces"]} == {source.sha256}
    assert prepared.training_seconds + prepared.heldout_seconds == pytest.approx(12)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(440, 12), sine(1000, 12, 0.04)
    record(tmp_path / "raw" / "x.wav", np.stack([left, right, left], axis=1))
    result = joined(prepare(tmp_path, AudioSettings(fade_seconds=0)))
    expected = (2 * left + right) / 3
    gain = np.dot(result, expected) / np.dot(expected, expected)
    assert rms(result - gain * expected) < 1e-4 * rms(result)


@pytest.mark.parametrize("rate", [44_100, 96_000, 22_050])
def test_resampling_keeps_duration_frequency_and_phase(tmp_path: Path, rate: int) -> None:
    record(tmp_path / "raw" / "x.wav", sine(1234, 12, 0.1, rate), rate)
    result = joined(prepare(tmp_path, AudioSettings(fade_seconds=0)))
    assert len(result) == 12 * SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(result * np.hanning(len(result))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(result) == pytest.approx(1234, abs=0.1)
    expected = sine(1234, 12)
    gain = np.dot(result, expected) / np.dot(expected, expected)
    inner = slice(4800, -4800)  # the resampler sees silence beyond the ends
    assert rms((result - gain * expected)[inner]) < 1e-3 * rms(result)


def test_a_session_is_brought_to_the_target_loudness(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", np.concatenate([rest(3), noise(12, 0.02), rest(5)]))
    prepared = prepare(tmp_path)
    measured = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(joined(prepared))
    assert measured == pytest.approx(-20, abs=0.15)
    (session,) = prepared.sessions
    assert session.lufs_after == pytest.approx(-20, abs=0.01)
    assert session.gain_db == pytest.approx(-20 - session.lufs_before)


def test_the_true_peak_goes_before_the_loudness(tmp_path: Path) -> None:
    crackle = noise(12, 0.001)
    for start in range(24_000, 12 * 48_000, 48_000):
        crackle[start : start + 12] += 0.7 * np.hanning(12)
    record(tmp_path / "raw" / "x.wav", crackle)
    prepared = prepare(tmp_path)
    (session,) = prepared.sessions
    assert session.true_peak_after_dbtp == pytest.approx(-1)
    assert session.lufs_after < -20
    oversampled = librosa.resample(joined(prepared), orig_sr=1, target_sr=8, res_type="soxr_vhq")
    assert decibels(np.abs(oversampled).max()) == pytest.approx(-1, abs=0.2)


def test_levels_within_a_session_are_kept_and_between_sessions_evened(tmp_path: Path) -> None:
    for session, level in (("day1", 0.2), ("day2", 0.01)):
        record(tmp_path / "raw" / session / "loud.wav", noise(8, level))
        record(tmp_path / "raw" / session / "soft.wav", noise(8, level / 10))
    prepared = prepare(tmp_path)
    levels = {
        name: rms(joined(prepared, name))
        for name in ("day1/loud.wav", "day1/soft.wav", "day2/loud.wav", "day2/soft.wav")
    }
    assert decibels(levels["day1/loud.wav"] / levels["day1/soft.wav"]) == pytest.approx(20, abs=0.1)
    assert decibels(levels["day2/loud.wav"] / levels["day2/soft.wav"]) == pytest.approx(20, abs=0.1)
    assert decibels(levels["day1/loud.wav"] / levels["day2/loud.wav"]) == pytest.approx(0, abs=0.1)
    assert [session.folder for session in prepared.sessions] == ["day1", "day2"]


def test_silent_ends_are_trimmed_but_attack_decay_and_inner_rests_stay(tmp_path: Path) -> None:
    note = np.concatenate([noise(5), rest(2), noise(5)])
    record(tmp_path / "raw" / "x.wav", np.concatenate([rest(3), note, rest(4)]))
    pieces = prepare(tmp_path).pieces
    assert 2.9 < pieces[0].start_seconds < 3 - 0.03
    assert 15.1 < pieces[-1].end_seconds < 15.4


def test_a_fire_that_is_never_silent_stays_whole(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", np.concatenate([noise(6, 0.002), noise(7, 0.5)]))
    prepared = prepare(tmp_path)
    assert prepared.training_seconds + prepared.heldout_seconds == 13


def test_pieces_begin_and_end_without_a_click(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12) + 0.05)
    prepared = prepare(tmp_path)
    for path in (*prepared.training, *prepared.heldout):
        audio = np.abs(read_mono(path))
        assert max(audio[0], audio[-1]) < 1e-6
        assert max(audio[:24].max(), audio[-24:].max()) < 0.15 * audio.max()
        assert audio[240:480].max() > 0.5 * audio.max()


def test_the_same_recordings_give_the_same_bytes(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "a.wav", noise(7), rate=44_100)
    record(tmp_path / "raw" / "s" / "b.flac", noise(7, 0.3, 1), subtype="PCM_16")
    register = register_sources(tmp_path / "raw", "musical")
    one, two = (prepare_audio(register, tmp_path / name) for name in ("one", "two"))
    contents = [
        {p.relative_to(made.folder): p.read_bytes() for p in made.folder.rglob("*.*")}
        for made in (one, two)
    ]
    assert len(contents[0]) > 3
    assert contents[0] == contents[1]
    assert one.data_version == two.data_version
    louder = prepare_audio(register, tmp_path / "three", AudioSettings(loudness_lufs=-30))
    assert louder.data_version != one.data_version


def test_what_was_prepared_can_be_loaded(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12))
    prepared = prepare(tmp_path)
    assert load_prepared(tmp_path / "out") == prepared
    with pytest.raises(InputError, match="Prepare the audio first"):
        load_prepared(tmp_path / "raw")


def test_a_file_that_is_silent_beside_its_session_is_left_out_and_named(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "a.wav", noise(12, 0.5))
    record(tmp_path / "raw" / "room.wav", noise(12, 0.0001))
    lines: list[str] = []
    register = register_sources(tmp_path / "raw", "musical")
    prepared = prepare_audio(register, tmp_path / "out", report=lines.append)
    assert prepared.sessions[0].left_out == ("room.wav",)
    assert {piece.source for piece in prepared.pieces} == {"a.wav"}
    assert any("room.wav" in line for line in lines)


def test_channels_that_cancel_each_other_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", np.stack([noise(12), -noise(12)], axis=1))
    with pytest.raises(InputError, match="cancel each other"):
        prepare(tmp_path)


def test_too_little_audio_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12))
    before = prepare(tmp_path)
    record(tmp_path / "raw" / "x.wav", np.concatenate([rest(4), noise(6), rest(4)]))
    with pytest.raises(InputError, match=r"raw holds 6\.[23]\d* s of audio"):
        prepare(tmp_path)
    assert load_prepared(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_recordings_that_changed_or_went_away_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12))
    register = register_sources(tmp_path / "raw", "musical")
    record(tmp_path / "raw" / "x.wav", noise(12, seed=1))
    with pytest.raises(InputError, match="changed since it was registered"):
        prepare_audio(register, tmp_path / "out")
    gone = replace(register, folder=tmp_path / "gone")
    with pytest.raises(InputError, match="cannot be read as audio"):
        prepare_audio(gone, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_written_audio_is_read_back_within_half_a_step(tmp_path: Path) -> None:
    audio = noise(1, 0.9)
    write_wav(tmp_path / "x.wav", audio)
    write_wav(tmp_path / "y.wav", -audio)
    assert np.abs(read_mono(tmp_path / "x.wav") - audio).max() < 2.0**-22
    both = concatenate([tmp_path / "x.wav", tmp_path / "y.wav"])
    assert np.abs(both - np.concatenate([audio, -audio])).max() < 2.0**-22
