import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.sources.register import SourceRegister, register_sources


def tone(seconds: float = 0.5, rate: int = 44_100, channels: int = 1) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


def record(path: Path, audio: np.ndarray | None = None, rate: int = 44_100, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone() if audio is None else audio, rate, **how)
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        register_sources(folder, "musical")
    text = str(caught.value)
    assert len(text.splitlines()) <= 2
    return text


def test_every_file_is_registered_with_its_format_and_contents(tmp_path: Path) -> None:
    wav = record(tmp_path / "b" / "x.wav", tone(1.5, 44_100, 2), subtype="PCM_16")
    flac = record(tmp_path / "a.flac", tone(0.25, 96_000), 96_000, subtype="PCM_24")
    register = register_sources(tmp_path, "nonmusical")
    assert register.role == "nonmusical"
    first, second = register.files
    assert (first.path, first.format, first.sample_rate) == ("a.flac", "FLAC PCM_24", 96_000)
    assert (first.channels, first.frames, first.seconds) == (1, 24_000, 0.25)
    assert (first.sha256, first.bytes) == (sha256(flac), flac.stat().st_size)
    assert (second.path, second.format, second.channels) == ("b/x.wav", "WAV PCM_16", 2)
    assert second.sha256 == sha256(wav)
    assert register.seconds == pytest.approx(1.75)


def test_notes_and_hidden_files_beside_the_audio_are_passed_over(tmp_path: Path) -> None:
    record(tmp_path / "x.wav")
    (tmp_path / ".cache").mkdir()
    for name in ("README.txt", "readme", "notes.MD", "licence.json", ".DS_Store", ".cache/y.wav"):
        (tmp_path / name).write_text("a note")
    assert [file.path for file in register_sources(tmp_path, "musical").files] == ["x.wav"]


def test_a_register_survives_json(tmp_path: Path) -> None:
    record(tmp_path / "é.wav")
    register = register_sources(tmp_path, "musical")
    assert SourceRegister.from_json(json.loads(json.dumps(register.to_json()))) == register


@settings(max_examples=10, deadline=None)
@given(names=st.lists(st.from_regex(r"[a-d]{1,3}", fullmatch=True), min_size=1, max_size=4))
def test_the_data_version_depends_on_contents_and_names_alone(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for name in names:
            record(Path(one) / f"{name}.wav")
        for name in reversed(names):
            record(Path(other) / f"{name}.wav")
        version = register_sources(Path(one), "musical").data_version
        assert register_sources(Path(other), "musical").data_version == version
        (Path(other) / f"{names[0]}.wav").rename(Path(other) / "zz.wav")
        renamed = register_sources(Path(other), "musical").data_version
        record(Path(one) / f"{names[0]}.wav", -tone())
        changed = register_sources(Path(one), "musical").data_version
        assert len({version, renamed, changed}) == 3


def test_a_missing_folder_and_a_file_in_its_place_are_refused(tmp_path: Path) -> None:
    assert f"{tmp_path}/none does not exist" in refusal(tmp_path / "none")
    assert "x.wav is a file" in refusal(record(tmp_path / "x.wav"))


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here yet")
    assert f"{tmp_path} holds no audio" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "contents", "expected"),
    [
        ("text.wav", b"this is a text\n" * 50, "is not an audio file"),
        ("score.pdf", b"%PDF-1.7\n" + bytes(500), "is not an audio file"),
        ("noise.raw", bytes(range(256)) * 8, "is not an audio file"),
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("song.m4a", b"\0\0\0\x20ftypM4A " + bytes(500), 'ffmpeg -i "song.m4a" "song.wav"'),
        ("disguised.wav", b"\0\0\0\x20ftypM4A " + bytes(500), "Convert it to WAV or FLAC"),
        ("old.wma", b"\x30\x26\xb2\x75" + bytes(500), "Convert it to WAV or FLAC"),
    ],
)
def test_what_is_no_readable_audio_is_refused(
    tmp_path: Path, name: str, contents: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(contents)
    text = refusal(tmp_path)
    assert str(tmp_path / name) in text
    assert expected in text


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        ("wav", {"subtype": "PCM_16"}),
        ("aiff", {"subtype": "PCM_24"}),
        ("flac", {}),
        ("w64", {}),
        ("au", {}),
        ("caf", {}),
        ("wav", {"format": "RF64"}),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_truncated_file_is_refused(
    tmp_path: Path, suffix: str, how: dict[str, str], share: float
) -> None:
    path = record(tmp_path / f"x.{suffix}", np.random.default_rng(0).uniform(-1, 1, 30_000), **how)
    contents = path.read_bytes()
    assert len(register_sources(tmp_path, "musical").files) == 1
    path.write_bytes(contents[: int(len(contents) * share)])
    text = refusal(tmp_path)
    assert str(path) in text
    assert "is truncated" in text


def test_a_wav_from_a_pipe_which_leaves_its_length_open_is_read(tmp_path: Path) -> None:
    path = record(tmp_path / "x.wav", subtype="PCM_16")
    contents = bytearray(path.read_bytes())
    assert contents[36:40] == b"data"
    contents[4:8] = contents[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(contents)
    assert register_sources(tmp_path, "musical").files[0].frames == len(tone())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_place(
    tmp_path: Path, value: float
) -> None:
    audio = tone(5)
    audio[round(4.2 * 44_100)] = value
    record(tmp_path / "x.wav", audio, subtype="FLOAT")
    text = refusal(tmp_path)
    assert "not finite" in text
    assert abs(float(re.findall(r"near ([\d.]+) s", text)[0]) - 4.2) < 1.6


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_a_silent_file_is_refused(tmp_path: Path, level: float) -> None:
    record(tmp_path / "x.wav", tone() * level, subtype="PCM_24")
    assert f"{tmp_path}/x.wav is silent" in refusal(tmp_path)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "x.wav", np.zeros((0, 1)))
    assert "x.wav holds no samples" in refusal(tmp_path)


def test_a_fifo_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.wav")
    assert "x.wav is not a regular file" in refusal(tmp_path)


def test_a_dangling_link_is_refused_and_a_good_one_followed(tmp_path: Path) -> None:
    record(tmp_path / "library" / "x.wav")
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "one.wav").symlink_to(tmp_path / "library" / "x.wav")
    (folder / "all").symlink_to(tmp_path / "library")
    (tmp_path / "library" / "circle").symlink_to(folder)
    files = register_sources(folder, "musical").files
    assert [file.path for file in files] == ["all/x.wav", "one.wav"]
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    assert "gone.wav is a link to a file that does not exist" in refusal(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as `nobody` where the tests run as root, whom permissions do not stop."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


def test_a_file_or_folder_without_permission_is_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        record(folder / "x.wav").chmod(0)
        with unprivileged():
            assert f"{folder}/x.wav may not be read by this user" in refusal(folder)
        (folder / "x.wav").unlink()
        (folder / "session").mkdir()
        (folder / "session").chmod(0)
        with unprivileged():
            assert f"{folder}/session may not be read by this user" in refusal(folder)


def test_a_file_that_vanishes_while_the_folder_is_read_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    second = record(tmp_path / "b.wav")

    def remove_the_second(_: str) -> None:
        second.unlink(missing_ok=True)

    with pytest.raises(InputError, match=r"b\.wav vanished while it was read"):
        register_sources(tmp_path, "musical", remove_the_second)


def test_of_several_bad_files_the_first_is_named_and_the_others_counted(tmp_path: Path) -> None:
    record(tmp_path / "good.wav")
    for name in ("d.wav", "b.wav", "c.wav", "e.wav"):
        (tmp_path / name).write_text("a text")
    text = refusal(tmp_path)
    assert str(tmp_path / "b.wav") in text
    assert "and 3 more" in text


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")).write_bytes(b"x")
    assert "is not printable" in refusal(tmp_path)
