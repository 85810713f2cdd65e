import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import librosa
import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from morphene_core.audio import threads
from morphene_core.audio.loudness import integrated_lufs, true_peak_dbtp
from morphene_core.audio.mono import mono_blocks
from morphene_core.audio.prepare import prepare_audio
from morphene_core.audio.prepared import (
    AudioSettings,
    Limit,
    Piece,
    PreparedAudio,
    Recording,
    leaks,
    load_prepared,
)
from morphene_core.audio.wav import SAMPLE_RATE, concatenate, read_mono
from morphene_core.errors import InputError
from morphene_core.files import sha256

TEXTURE = AudioSettings.of("nonmusical")
PLAIN = AudioSettings(fade_seconds=0)


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


def recordings(folder: Path) -> list[Recording]:
    return [
        Recording(file.relative_to(folder).as_posix(), sha256(file), soundfile.info(file).duration)
        for file in sorted(folder.rglob("*.*"))
    ]


def prepare(home: Path, chosen: AudioSettings = AudioSettings()) -> PreparedAudio:
    return prepare_audio(home / "raw", recordings(home / "raw"), "v", home / "out", chosen)


def joined(prepared: PreparedAudio, source: str | None = None) -> np.ndarray:
    files = [p.file for p in prepared.pieces if source in (None, p.source)]
    return concatenate(prepared.folder / file for file in files)


def decibels(ratio: float) -> float:
    return 20 * float(np.log10(ratio))


def rms(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def test_of_one_long_recording_four_stretches_are_held_out_across_it(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "fire.wav", noise(80))
    held = [piece for piece in prepare(tmp_path).pieces if piece.set == "heldout"]
    assert [piece.frames for piece in held] == [96_000] * 4
    centres = [(start + end) / 2 for piece in held for start, end in piece.spans]
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
            edges = [span for piece in pieces for span in piece.spans]
            assert edges[0][0] == 0
            assert edges[-1][1] == pytest.approx(length, abs=2 / rate)
            assert all(a[1] == b[0] for a, b in pairwise(edges))
        for piece in prepared.pieces:
            info = soundfile.info(prepared.folder / piece.file)
            assert info.frames == piece.frames
            seconds_in_spans = sum(end - start for start, end in piece.spans)
            assert round(seconds_in_spans * SAMPLE_RATE) == piece.frames
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
    (source,) = recordings(tmp_path / "raw")
    assert {piece["source_sha256"] for piece in data["pieces"]} == {source.sha256}
    assert prepared.training_seconds + prepared.heldout_seconds == pytest.approx(12)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(440, 12), sine(1000, 12, 0.04)
    record(tmp_path / "raw" / "x.wav", np.stack([left, right, left], axis=1))
    result = joined(prepare(tmp_path, PLAIN))
    expected = (2 * left + right) / 3
    gain = np.dot(result, expected) / np.dot(expected, expected)
    assert rms(result - gain * expected) < 1e-4 * rms(result)


@pytest.mark.parametrize("rate", [44_100, 96_000, 22_050])
def test_resampling_keeps_duration_frequency_and_phase(tmp_path: Path, rate: int) -> None:
    record(tmp_path / "raw" / "x.wav", sine(1234, 12, 0.1, rate), rate)
    result = joined(prepare(tmp_path, PLAIN))
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
    assert session.lufs_after == pytest.approx(-20, abs=0.05)
    assert session.gain_db == pytest.approx(-20 - session.lufs_before)
    assert session.limited_by == "loudness"


def test_the_true_peak_goes_before_the_loudness(tmp_path: Path) -> None:
    crackle = noise(12, 0.001)
    for start in range(24_000, 12 * 48_000, 48_000):
        crackle[start : start + 12] += 0.7 * np.hanning(12)
    record(tmp_path / "raw" / "x.wav", crackle)
    prepared = prepare(tmp_path)
    (session,) = prepared.sessions
    assert session.limited_by == "true peak"
    assert session.true_peak_after_dbtp == pytest.approx(-1, abs=1e-4)
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


def test_silent_ends_are_trimmed_but_attack_decay_and_short_rests_stay(tmp_path: Path) -> None:
    note = np.concatenate([noise(5), rest(0.9), noise(5)])
    record(tmp_path / "raw" / "x.wav", np.concatenate([rest(3), note, rest(4)]))
    prepared = prepare(tmp_path)
    pieces = prepared.pieces
    (start, _), (_, end) = pieces[0].spans[0], pieces[-1].spans[-1]
    assert 2.9 < start < 3 - 0.03
    assert 13.9 + 0.4 < end < 13.9 + 0.6
    assert sum(len(piece.spans) for piece in pieces) == len(pieces)
    assert prepared.sessions[0].silence_share == pytest.approx(1.45 / 11.45, abs=0.01)


@pytest.mark.parametrize("colour", ["white", "brown"])
@pytest.mark.parametrize("floor_db", [-90, -65, -57])
def test_of_a_long_gap_the_decay_is_kept_and_the_rest_cut(
    tmp_path: Path, floor_db: float, colour: str
) -> None:
    gap, notes = 20.0, 4
    time = np.arange(round(gap * SAMPLE_RATE)) / SAMPLE_RATE
    decay = 0.5 * np.sin(2 * np.pi * 440 * time) * 10 ** (-18 * time / 20)  # 18 dB per second
    floor = np.random.default_rng(0).standard_normal(notes * len(time))
    if colour == "brown":
        floor = lfilter([1], [1, -0.9995], floor)
    floor *= 0.35 * 10 ** (floor_db / 20) / rms(floor)
    record(tmp_path / "raw" / "x.wav", np.tile(decay, notes) + floor)
    prepared = prepare(tmp_path)
    spans = [span for piece in prepared.pieces for span in piece.spans]
    starts = [start for start, _ in spans if start % gap > gap - 1 or start == 0]
    assert starts == pytest.approx([0, *np.arange(1, notes) * gap - 0.05], abs=0.02)
    # Until the note is as soft as what counts as silence, and half a second longer.
    lengths = np.array([sum(b - a for a, b in spans if i <= (a + 1) / gap < i + 1)
                        for i in range(notes)])  # fmt: skip
    (session,) = prepared.sessions
    falls = (50 if floor_db > -60 else 60) / 18
    assert (lengths > falls + 0.3).all() and (lengths < 60 / 18 + 1).all()
    assert session.original_seconds == notes * gap
    assert session.kept_seconds == pytest.approx(lengths.sum())
    assert session.silence_removed_seconds == pytest.approx(notes * gap - lengths.sum())
    assert session.silence_share < 0.2


def test_where_a_gap_was_shortened_the_join_is_silent(tmp_path: Path) -> None:
    gap = rest(8) + 0.0001
    record(tmp_path / "raw" / "x.wav", np.concatenate([noise(8), gap, noise(8), gap, noise(8)]))
    prepared = prepare(tmp_path)
    joins = 0
    for piece in prepared.pieces:
        audio = read_mono(prepared.folder / piece.file)
        ends = np.cumsum([round((end - start) * SAMPLE_RATE) for start, end in piece.spans])[:-1]
        for end in ends.tolist():
            joins += 1
            assert audio[end - 1] == audio[end] == 0
            assert min(abs(audio[end - 240]), abs(audio[end + 240])) > 0
    assert joins == 2


def test_a_fire_that_is_never_silent_stays_whole(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", np.concatenate([noise(6, 0.002), noise(7, 0.5)]))
    prepared = prepare(tmp_path)
    assert prepared.training_seconds + prepared.heldout_seconds == 13


def test_a_quiet_texture_under_loud_cracks_is_kept_whole_and_digital_silence_is_not(
    tmp_path: Path,
) -> None:
    hiss = noise(40, 10 ** (-55 / 20))
    for start in range(24_000, len(hiss), 5 * 48_000):
        hiss[start : start + 2000] += noise(1, 1.0, start)[:2000]
    record(tmp_path / "raw" / "x.wav", np.concatenate([rest(3), hiss, rest(3)]))
    prepared = prepare(tmp_path, TEXTURE)
    spans = [span for piece in prepared.pieces for span in piece.spans]
    assert spans[0][0] == pytest.approx(2.95) and spans[-1][1] == pytest.approx(43.5)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


def test_pieces_begin_and_end_without_a_click(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12) + 0.05)
    prepared = prepare(tmp_path)
    for path in (*prepared.training, *prepared.heldout):
        audio = np.abs(read_mono(path))
        assert max(audio[0], audio[-1]) < 1e-6
        assert max(audio[:24].max(), audio[-24:].max()) < 0.15 * audio.max()
        assert audio[240:480].max() > 0.5 * audio.max()


def test_the_same_recordings_give_the_same_bytes_however_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "raw" / "a.wav", noise(7), rate=44_100)
    record(tmp_path / "raw" / "s" / "b.flac", noise(7, 0.3, 1), subtype="PCM_16")
    raw = tmp_path / "raw"
    one = prepare_audio(raw, recordings(raw), "v", tmp_path / "one")
    monkeypatch.setattr(threads, "_THREADS", 1)
    two = prepare_audio(raw, recordings(raw)[::-1], "v", tmp_path / "two")
    contents = [
        {p.relative_to(made.folder): p.read_bytes() for p in made.folder.rglob("*.*")}
        for made in (one, two)
    ]
    assert len(contents[0]) > 3
    assert contents[0] == contents[1]
    assert one.data_version == two.data_version
    assert prepare(tmp_path, AudioSettings(loudness_lufs=-30)).data_version != one.data_version


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
    raw = tmp_path / "raw"
    prepared = prepare_audio(raw, recordings(raw), "v", tmp_path / "out", report=lines.append)
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
    with pytest.raises(InputError, match=r"raw holds 6\.[56] s of audio"):
        prepare(tmp_path)
    assert load_prepared(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_recordings_that_changed_or_went_away_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12))
    registered = recordings(tmp_path / "raw")
    record(tmp_path / "raw" / "x.wav", noise(12, seed=1))
    with pytest.raises(InputError, match=r"x\.wav changed since it was registered"):
        prepare_audio(tmp_path / "raw", registered, "v", tmp_path / "out")
    with pytest.raises(InputError, match=r"gone/x\.wav cannot be read"):
        prepare_audio(tmp_path / "gone", registered, "v", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recording_that_changes_while_it_is_prepared_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12))

    def disturb(line: str) -> None:
        if line.startswith("Measuring audio: 12 of 12"):
            record(tmp_path / "raw" / "x.wav", noise(12, seed=1))

    with pytest.raises(InputError, match=r"x\.wav changed since it was registered"):
        prepare_audio(
            tmp_path / "raw", recordings(tmp_path / "raw"), "v", tmp_path / "out", report=disturb
        )
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_session_that_is_silent_as_mono_does_not_stop_the_others(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "good" / "x.wav", noise(12))
    for name in ("a.wav", "b.wav"):
        record(tmp_path / "raw" / "phase" / name, np.stack([noise(9), -noise(9)], axis=1))
    prepared = prepare(tmp_path)
    good, phase = prepared.sessions
    assert (good.folder, good.left_out, good.lufs_after is None) == ("good", (), False)
    assert phase.left_out == ("phase/a.wav", "phase/b.wav")
    assert (phase.original_seconds, phase.kept_seconds, phase.lufs_after) == (18, 0, None)
    assert {piece.source for piece in prepared.pieces} == {"good/x.wav"}
    assert load_prepared(tmp_path / "out") == prepared


def test_no_recordings_at_all_are_too_little_audio(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds 0\.0 s of audio"):
        prepare_audio(tmp_path, [], "v", tmp_path / "out")


def test_a_dc_offset_is_subtracted_before_anything_else(tmp_path: Path) -> None:
    record(
        tmp_path / "raw" / "x.wav", np.concatenate([rest(5), sine(440, 12, 0.01), rest(5)]) + 0.2
    )
    (recording,) = recordings(tmp_path / "raw")
    clean = replace(recording, dc_offset=0.2)
    prepared = prepare_audio(tmp_path / "raw", [clean], "v", tmp_path / "out", PLAIN)
    assert prepared.sessions[0].kept_seconds == pytest.approx(12.55, abs=0.05)
    assert abs(joined(prepared).mean()) < 1e-4
    assert prepared.sessions[0].true_peak_before_dbtp == pytest.approx(-40, abs=0.1)


@pytest.mark.parametrize("rate", [44_100, 96_000, 32_000, 8_000])
def test_resampling_by_blocks_is_resampling_at_once_sample_for_sample(
    tmp_path: Path, rate: int
) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, round(5.3 * rate)).astype(np.float32)
    record(tmp_path / "x.wav", audio, rate)
    streamed = np.concatenate(list(mono_blocks(tmp_path / "x.wav")))
    at_once = soxr.resample(audio, rate, SAMPLE_RATE, quality="VHQ")
    np.testing.assert_array_equal(streamed, at_once)


def test_what_is_prepared_block_by_block_is_what_a_few_lines_make_of_the_whole(
    tmp_path: Path,
) -> None:
    audio = (noise(31, 0.2) * np.linspace(0.1, 1, 31 * SAMPLE_RATE)).astype(np.float32)
    record(tmp_path / "raw" / "x.wav", audio)
    prepared = prepare(tmp_path, PLAIN)
    (session,) = prepared.sessions
    assert session.lufs_before == pytest.approx(integrated_lufs(audio, SAMPLE_RATE))
    assert session.true_peak_before_dbtp == pytest.approx(true_peak_dbtp(audio))
    gain = np.float32(10 ** ((-20 - session.lufs_before) / 20))
    expected = np.rint(audio * gain * 2.0**23) / 2.0**23
    np.testing.assert_array_equal(joined(prepared), expected.astype(np.float32))


def test_notes_from_pianissimo_to_fortissimo_under_a_block_share_one_gain(tmp_path: Path) -> None:
    levels = np.linspace(-46, -6, 60)
    envelope = np.hanning(round(0.35 * SAMPLE_RATE))
    for i, level in enumerate(levels):
        note = sine(220 * 2 ** (i % 12 / 12), 0.35, 10 ** (level / 20)) * envelope
        record(tmp_path / "raw" / f"{i:02d}.wav", note)
    prepared = prepare(tmp_path)
    (session,) = prepared.sessions
    assert session.left_out == ()
    assert session.lufs_after is not None
    for i, level in enumerate(levels):
        peak = decibels(np.abs(joined(prepared, f"{i:02d}.wav")).max())
        assert peak - level == pytest.approx(session.gain_db, abs=0.05)


MATERIAL = {
    "steady": noise(20, 0.3),
    "swelling": noise(40, 0.3) * np.linspace(0.001, 1, 40 * SAMPLE_RATE) ** 2,
    "notes": np.concatenate(
        [
            np.concatenate([sine(200 + 90 * i, 1.3, 0.03 * (i + 1)) * np.hanning(62_400), rest(4)])
            for i in range(16)
        ]
    ),
    "low": sine(45, 15, 0.5) + noise(15, 0.001),
}


@pytest.mark.parametrize("name", MATERIAL)
def test_what_was_written_measures_as_recorded_also_with_other_tools(
    tmp_path: Path, name: str
) -> None:
    record(tmp_path / "raw" / "x.wav", MATERIAL[name], subtype="PCM_24")
    prepared = prepare(tmp_path)
    (session,) = prepared.sessions
    written = joined(prepared)
    loudness = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(written)
    assert session.lufs_after == pytest.approx(loudness, abs=0.2)
    dense = librosa.resample(written, orig_sr=1, target_sr=8, res_type="soxr_vhq")
    assert session.true_peak_after_dbtp == pytest.approx(decibels(np.abs(dense).max()), abs=0.2)
    assert session.true_peak_after_dbtp < -0.9
    aims = {"loudness": session.lufs_after - -20, "true peak": session.true_peak_after_dbtp - -1}
    assert aims[str(session.limited_by)] == pytest.approx(0, abs=0.1)


def test_a_session_of_almost_nothing_is_not_blown_up_to_loud_noise(tmp_path: Path) -> None:
    record(tmp_path / "raw" / "x.wav", noise(12, 0.0003))
    (session,) = prepare(tmp_path).sessions
    assert (session.gain_db, session.limited_by) == (40, "gain")
    assert session.lufs_after is not None and session.lufs_after < -25
    assert session.limited_by in get_args(Limit)


def with_spans(prepared: PreparedAudio, held: Sequence[tuple[float, float]]) -> PreparedAudio:
    pieces = [p for p in prepared.pieces if p.set == "training"]
    foreign = replace(pieces[0], file="heldout/copy.wav", set="heldout", spans=tuple(held))
    return replace(prepared, pieces=(*pieces, foreign))


def test_audio_that_is_both_trained_on_and_held_out_is_named_by_the_hash_of_its_source(
    tmp_path: Path,
) -> None:
    record(tmp_path / "raw" / "x.wav", np.concatenate([noise(15), rest(9), noise(15)]))
    record(tmp_path / "raw" / "y.wav", noise(15, seed=1))
    prepared = prepare(tmp_path)
    assert leaks(prepared) == []
    (line,) = leaks(with_spans(prepared, [(0, 0.5), (19, 20)]))
    first = prepared.pieces[0].file
    assert line == f"heldout/copy.wav and {first} both hold 0.000 to 0.500 s of x.wav"
    # Not by its name: the same recording under another one.
    twice = with_spans(prepared, [(0, 0.5)])
    renamed = [replace(p, source="z.wav") if p.set == "heldout" else p for p in twice.pieces]
    assert len(leaks(replace(twice, pieces=tuple(renamed)))) == 1
    others = [replace(p, source_sha256="0") if p.set == "heldout" else p for p in twice.pieces]
    assert leaks(replace(twice, pieces=tuple(others))) == []


PREPARE = """
import resource, sys
from pathlib import Path
from morphene_core.audio.prepare import prepare_audio
from morphene_core.audio.prepared import Recording
from morphene_core.errors import InputError
from morphene_core.files import sha256
raw, out, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
recordings = [Recording(file.name, sha256(file), 1.0) for file in sorted(raw.iterdir())]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    prepare_audio(raw, recordings, "v", out)
except InputError as error:
    sys.exit(str(error))
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


def start_preparing(home: Path, limit: int = resource.RLIM_INFINITY) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PREPARE, str(home / "raw"), str(home / "out"), str(limit)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True)


@pytest.mark.parametrize("limit", [1000, 200_000])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    for i in range(4):
        record(tmp_path / "raw" / f"{i}.wav", noise(5, seed=i))
    process = start_preparing(tmp_path, limit)
    _, error = process.communicate()
    assert process.returncode == 1
    assert error.startswith(f"No space left to write {tmp_path / 'out'}")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_memory_does_not_grow_with_the_length_of_a_file(tmp_path: Path) -> None:
    block = (noise(30, 0.3) * np.sin(np.arange(30 * SAMPLE_RATE) / 3e5)).astype(np.float32)
    processes = []
    for minutes in (10, 40):
        file = tmp_path / str(minutes) / "raw" / "x.wav"
        file.parent.mkdir(parents=True)
        with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, "PCM_16") as sound:
            for _ in range(2 * minutes):
                sound.write(block)
        processes.append(start_preparing(tmp_path / str(minutes)))
    short, long = (int(process.communicate()[0]) / 1024 for process in processes)
    # MB. Half an hour more would be 345 of samples; what differs is how the heap is cut up.
    assert long < 400
    assert long - short < 100
