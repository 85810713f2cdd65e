from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from morphene_core.audio.prepare import prepare_audio
from morphene_core.audio.prepared import AudioSettings, Recording, load_prepared
from morphene_core.audio.repeats import find_repeats
from morphene_core.audio.wav import SAMPLE_RATE, write_wav
from morphene_core.files import sha256
from morphene_core.synthesis import fire_takes, violin_takes

Takes = Callable[[float], Iterator]


def joined(takes: Takes, seconds: float) -> np.ndarray:
    return np.concatenate([take.audio for take in takes(seconds)])


def excerpts(audio: np.ndarray, count: int, seconds: float) -> list[np.ndarray]:
    length = round(seconds * SAMPLE_RATE)
    starts = np.random.default_rng(0).integers(0, len(audio) - length, count)
    return [audio[start : start + length] for start in starts]


@pytest.mark.parametrize("takes", [violin_takes, fire_takes])
@pytest.mark.parametrize("lossy", [False, True])
def test_an_excerpt_of_what_is_trained_on_is_found_at_another_level_and_after_a_codec(
    tmp_path: Path, takes: Takes, lossy: bool
) -> None:
    whole = joined(takes, 40)
    write_wav(tmp_path / "whole.wav", whole)
    heldout = []
    for number, part in enumerate(excerpts(whole, 8, 3.0)):
        if lossy:
            soundfile.write(tmp_path / "part.ogg", 0.2 * part, SAMPLE_RATE)
            part = soundfile.read(tmp_path / "part.ogg")[0]
        heldout.append(tmp_path / f"{number}.wav")
        write_wav(heldout[-1], 0.5 * part)
    found = find_repeats(heldout, [tmp_path / "whole.wav"])
    assert [line.split(" at ")[0] for line in found] == [file.name for file in heldout]


def test_the_places_that_are_named_are_those_of_the_excerpt(tmp_path: Path) -> None:
    whole = joined(violin_takes, 40)
    write_wav(tmp_path / "whole.wav", whole)
    part = np.concatenate([joined(fire_takes, 10)[: 7 * SAMPLE_RATE], whole[20 * SAMPLE_RATE :]])
    write_wav(tmp_path / "part.wav", part)
    (line,) = find_repeats([tmp_path / "part.wav"], [tmp_path / "whole.wav"])
    assert line in [
        f"part.wav at 0:{7 + lag:02d} sounds as whole.wav at 0:{20 + lag}" for lag in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    "kind", ["noise", "tone", "other takes of the same players", "silence", "nothing"]
)
def test_audio_that_is_merely_alike_is_no_repeat(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(15 * SAMPLE_RATE) / SAMPLE_RATE
    halves = {
        "noise": [rng.normal(0, 0.1, len(time)) for _ in range(2)],
        "tone": [
            0.3 * np.sin(2 * np.pi * 440 * time + phase) + 1e-4 * rng.normal(size=len(time))
            for phase in (0, 1)
        ],
        "other takes of the same players": np.array_split(joined(violin_takes, 60), 2),
        "silence": [np.zeros(len(time))] * 2,
        "nothing": [np.zeros(100)] * 2,
    }[kind]
    for number, half in enumerate(halves):
        write_wav(tmp_path / f"{number}.wav", half)
    assert find_repeats([tmp_path / "0.wav"], [tmp_path / "1.wav"]) == []
    assert find_repeats([], [tmp_path / "1.wav"]) == find_repeats([tmp_path / "0.wav"], []) == []


def test_the_preparation_notes_what_sounds_on_both_sides(tmp_path: Path) -> None:
    whole = joined(fire_takes, 40)
    write_wav(tmp_path / "raw" / "a.wav", whole)
    write_wav(tmp_path / "raw" / "b.wav", 0.5 * whole[: 35 * SAMPLE_RATE])
    files = [tmp_path / "raw" / name for name in ("a.wav", "b.wav")]
    recordings = [Recording(f.name, sha256(f), soundfile.info(f).duration) for f in files]
    settings = AudioSettings.of("nonmusical")
    prepare_audio(tmp_path / "raw", recordings, "1", tmp_path / "out", settings)
    prepared = load_prepared(tmp_path / "out")
    assert any("a.wav" in line and "b.wav" in line for line in prepared.repeats)
