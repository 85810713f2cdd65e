"""The register: every file with its verdict, held against the manifest."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources import register as module
from morphene_core.sources.collect import add_source
from morphene_core.sources.register import (
    SourceFile,
    SourceRegister,
    load_register,
    require_some,
    survey,
)
from morphene_core.sources.verify import verify_sources
from tests.recordings import facts, files, opened, record, unprivileged


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path / "home").instrument("pyroviolin")


@pytest.fixture
def folder(paths: InstrumentPaths) -> Path:
    """Return a folder with two registered recordings, in two sessions."""
    record(paths.sources("musical") / "a" / "x.wav", 0)
    record(paths.sources("musical") / "b" / "y.wav", 1)
    add_source(paths, "musical", facts(), [paths.sources("musical")])
    return paths.sources("musical")


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with the paths of the files that are examined."""
    seen: list[str] = []
    examine = module.examine

    def noting(folder: Path, path: str, *rest: object) -> object:
        seen.append(path)
        return examine(folder, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "examine", noting)
    return seen


def found(paths: InstrumentPaths) -> dict[str, SourceFile]:
    return {file.path: file for file in survey(paths, "musical").files}


def rejection(file: SourceFile) -> str:
    assert file.verdict == "rejected"
    assert "\n" not in file.reason
    return file.findings[0].code


def test_every_file_has_its_source_its_format_and_its_hash(
    paths: InstrumentPaths, folder: Path
) -> None:
    register = survey(paths, "musical")
    assert (register.role, register.seconds) == ("musical", 1.0)
    file = register.files[0]
    assert (file.path, file.source, file.verdict, file.reason) == (
        "a/x.wav",
        "Ours",
        "accepted",
        "",
    )
    examination = file.examination
    assert (examination.format, examination.sample_rate) == ("WAV PCM_16", 48_000)
    assert (examination.channels, examination.frames) == (1, 24_000)
    assert examination.sha256 == sha256(folder / "a" / "x.wav")
    assert examination.bytes == (folder / "a" / "x.wav").stat().st_size


def test_where_nothing_was_recorded_the_register_is_empty(paths: InstrumentPaths) -> None:
    register = survey(paths, "musical")
    assert (register.files, register.sources, register.seconds) == ((), (), 0)
    assert not paths.home.exists()
    with pytest.raises(InputError, match="holds no recordings"):
        require_some(register, paths.sources("musical"))


def test_a_file_that_is_not_registered_is_not_used(paths: InstrumentPaths, folder: Path) -> None:
    record(folder / "stray.wav", 2)
    version = survey(paths, "musical").data_version
    assert rejection(found(paths)["stray.wav"]) == "not registered"
    (folder / "stray.wav").unlink()
    assert survey(paths, "musical").data_version == version


def test_a_missing_file_is_named_and_the_others_are_used(
    paths: InstrumentPaths, folder: Path
) -> None:
    (folder / "a" / "x.wav").unlink()
    (folder / "a").rmdir()
    assert rejection(found(paths)["a/x.wav"]) == "missing"
    assert found(paths)["b/y.wav"].verdict == "accepted"


def test_a_changed_file_is_not_used_until_it_is_put_back(
    paths: InstrumentPaths, folder: Path
) -> None:
    before = (folder / "a" / "x.wav").read_bytes()
    record(folder / "a" / "x.wav", 9)
    assert rejection(found(paths)["a/x.wav"]) == "changed"
    (folder / "a" / "x.wav").write_bytes(before)
    assert found(paths)["a/x.wav"].verdict == "accepted"


def test_a_change_of_the_same_size_and_time_is_found_by_the_hash(
    paths: InstrumentPaths, folder: Path
) -> None:
    file = folder / "a" / "x.wav"
    time = file.stat().st_mtime_ns
    record(file, 9)
    os.utime(file, ns=(time, time))
    assert survey(paths, "musical", verify=False).files[0].verdict == "accepted"
    assert rejection(survey(paths, "musical", verify=True).files[0]) == "changed"


def test_notes_and_hidden_files_beside_the_audio_are_passed_over(
    paths: InstrumentPaths, folder: Path
) -> None:
    (folder / ".cache").mkdir()
    for name in ("README.txt", "readme", "notes.MD", "licence.json", ".DS_Store", ".cache/y.wav"):
        (folder / name).write_text("a note")
    assert found(paths).keys() == {"a/x.wav", "b/y.wav"}


def test_what_was_examined_is_not_examined_again(
    paths: InstrumentPaths, folder: Path, examined: list[str]
) -> None:
    before = survey(paths, "musical")
    assert survey(paths, "musical") == before
    assert survey(paths, "musical", verify=False) == before
    assert examined == []
    record(folder / "a" / "x.wav", 9)
    survey(paths, "musical", verify=False)
    survey(paths, "musical")
    assert examined == ["a/x.wav"]


def test_a_new_time_alone_changes_nothing(
    paths: InstrumentPaths, folder: Path, examined: list[str]
) -> None:
    before = survey(paths, "musical")
    os.utime(folder / "a" / "x.wav", ns=(0, 12345))
    after = survey(paths, "musical")
    assert (after.data_version, after.files[0].verdict) == (before.data_version, "accepted")
    assert examined == []
    assert survey(paths, "musical", verify=False) == after
    assert examined == []


@pytest.mark.parametrize(
    "left", ["", "{", "[]", "{}", '{"version": 0}', '{"version": 1}', "\udcff"]
)
def test_a_register_that_cannot_be_read_is_made_anew(
    paths: InstrumentPaths, folder: Path, left: str
) -> None:
    before = survey(paths, "musical")
    paths.register("musical").write_bytes(left.encode(errors="surrogateescape"))
    assert load_register(paths.register("musical")) is None
    assert survey(paths, "musical") == before
    assert load_register(paths.register("musical")) == before


def test_rejected_files_are_never_moved_changed_or_deleted(
    paths: InstrumentPaths, folder: Path
) -> None:
    (folder / "a" / "text.wav").write_text("this is a text\n" * 50)
    (folder / "a" / "empty.wav").write_bytes(b"")
    record(folder / "a" / "copy.wav", 0)
    add_source(paths, "musical", facts("B"), [folder])
    before = {name: sha256(folder / name) for name in files(folder)}
    register = survey(paths, "musical")
    assert {file.path for file in register.files if file.verdict == "rejected"} >= {
        "a/text.wav",
        "a/empty.wav",
    }
    assert {name: sha256(folder / name) for name in files(folder)} == before


def test_one_bad_file_never_stops_the_others(paths: InstrumentPaths, tmp_path: Path) -> None:
    folder = record(paths.sources("musical") / "good.wav").parent
    (folder / "text.wav").write_text("a text")
    record(folder / "link-me.wav", 3)
    record(folder / "fifo.wav", 4)
    add_source(paths, "musical", facts(), [folder])
    (folder / "link-me.wav").rename(tmp_path / "library.wav")
    (folder / "link-me.wav").symlink_to(tmp_path / "library.wav")
    (folder / "fifo.wav").unlink()
    os.mkfifo(folder / "fifo.wav")
    (folder / "loop").symlink_to("loop")
    (folder / "circle").symlink_to(".")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.wav")).write_bytes(b"x")
    files_found = found(paths)
    used = {path for path, file in files_found.items() if file.verdict == "accepted"}
    assert used == {"good.wav", "link-me.wav"}
    assert files_found["fifo.wav"].verdict == files_found["text.wav"].verdict == "rejected"
    assert "no valid UTF-8" in files_found["\\xff.wav"].reason
    assert json.loads(paths.register("musical").read_text())["role"] == "musical"


def test_what_may_not_be_read_is_rejected_and_the_others_are_used(
    paths: InstrumentPaths, folder: Path, tmp_path: Path
) -> None:
    opened(tmp_path)
    paths.manifest("musical").parent.chmod(0o777)
    for name in ("c/z.wav", "d/z.wav", "e.wav"):
        record(folder / name, ord(name[0]))
    add_source(paths, "musical", facts("B"), [folder])
    paths.register("musical").unlink()
    (folder / "c").chmod(0)
    (folder / "d").chmod(0o444)
    (folder / "e.wav").chmod(0)
    with unprivileged():
        register = {file.path: file for file in survey(paths, "musical").files}
        differences = verify_sources(paths, "musical")
    for name in ("c/z.wav", "d/z.wav", "e.wav"):
        assert rejection(register[name]) == "unreadable"
        assert "may not be read by this user" in register[name].reason
        assert f"musical/{name}" in [d.path for d in differences if d.what == "unreadable"]
    assert {p for p, f in register.items() if f.verdict == "accepted"} == {"a/x.wav", "b/y.wav"}
    (folder / "c").chmod(0o755)


def test_a_file_that_vanishes_while_the_folder_is_read_is_rejected(
    paths: InstrumentPaths, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.register("musical").unlink()
    examine = module.examine

    def remove_the_second(folder: Path, path: str, *rest: object) -> object:
        (folder / "b" / "y.wav").unlink(missing_ok=True)
        return examine(folder, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "examine", remove_the_second)
    register = found(paths)
    assert register["a/x.wav"].verdict == "accepted"
    assert "vanished while it was read" in register["b/y.wav"].reason


def test_of_two_files_with_the_same_content_one_is_used(
    paths: InstrumentPaths, folder: Path
) -> None:
    manifest = paths.manifest("musical")
    digest = sha256(record(folder / "c.wav", 0))
    with manifest.open("a") as file:
        file.write(
            '\n[[source]]\nname = "B"\norigin = "recorded"\nlicence = "own"\n'
            f'files = [{{ path = "c.wav", sha256 = "{digest}" }}]\n'
        )
    assert rejection(found(paths)["c.wav"]) == "duplicate"
    assert "a/x.wav" in found(paths)["c.wav"].reason
    assert found(paths)["a/x.wav"].verdict == "accepted"


def test_copies_are_looked_for_again_only_when_files_come_or_go(
    paths: InstrumentPaths, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(folder / "copy.wav", seed=1)
    record(folder / "other.wav", seed=2)
    add_source(paths, "musical", facts(), [folder])
    first = survey(paths, "musical")
    looked = []
    find = module.find_duplicates
    monkeypatch.setattr(
        module, "find_duplicates", lambda *files: looked.append(files) or find(*files)
    )
    assert survey(paths, "musical") == first
    assert looked == []
    (folder / "other.wav").unlink()
    survey(paths, "musical")
    assert len(looked) == 1


def test_a_register_survives_json(paths: InstrumentPaths, folder: Path) -> None:
    record(folder / "é \n\"'.wav", 3)
    expiry = facts("B", attribution="J. D.", rating=2, expected_seconds=60.0)
    add_source(paths, "musical", expiry, [folder / "é \n\"'.wav"])
    (folder / "a" / "x.wav").unlink()
    register = survey(paths, "musical")
    assert SourceRegister.from_json(json.loads(json.dumps(register.to_json()))) == register
    assert load_register(paths.register("musical")) == register


@settings(max_examples=8, deadline=None)
@given(names=st.lists(st.from_regex(r"[a-d]{1,3}", fullmatch=True), min_size=1, unique=True))
def test_order_and_version_do_not_depend_on_the_order_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    names = names[:4]
    registers = []
    for order in (names, names[::-1]):
        paths = Home(tmp_path_factory.mktemp("home")).instrument("pyroviolin")
        for name in order:
            record(paths.sources("musical") / f"{name}.wav", names.index(name), 0.1)
            add_source(paths, "musical", facts(name), [paths.sources("musical") / f"{name}.wav"])
        registers.append(survey(paths, "musical"))
    one, other = registers
    assert [file.path for file in one.files] == sorted(f"{name}.wav" for name in names)
    assert [file.path for file in one.files] == [file.path for file in other.files]
    assert one.data_version == other.data_version


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda folder: None, True),
        (lambda folder: os.utime(folder / "a" / "x.wav", ns=(0, 5)), True),
        (lambda folder: (folder / "README.md").write_text("a note"), True),
        (lambda folder: record(folder / "a" / "x.wav", 9), False),
        (lambda folder: (folder / "a" / "x.wav").rename(folder / "a" / "z.wav"), False),
        (lambda folder: (folder / "a" / "x.wav").unlink(), False),
    ],
)
def test_the_version_follows_contents_and_names(
    paths: InstrumentPaths, folder: Path, change: Callable[[Path], object], same: bool
) -> None:
    before = survey(paths, "musical").data_version
    change(folder)
    add_source(paths, "musical", facts(), [folder])
    assert (survey(paths, "musical").data_version == before) == same


def test_the_version_does_not_follow_ratings_and_notes(
    paths: InstrumentPaths, folder: Path
) -> None:
    before = survey(paths, "musical").data_version
    add_source(paths, "musical", {"name": "Ours", "rating": 1, "notes": "hm", "attribution": "me"})
    assert survey(paths, "musical").data_version == before


def test_a_register_in_which_nothing_can_be_used_says_why(paths: InstrumentPaths) -> None:
    for name in ("b.wav", "c.wav"):
        record(paths.sources("musical") / name)
    with pytest.raises(InputError) as caught:
        require_some(survey(paths, "musical"), paths.sources("musical"))
    assert "b.wav cannot be used: no licence is known" in str(caught.value)
    assert "(and 1 more files)" in str(caught.value)
