"""Taking recordings in, and out again: copies, links, odd names, bad files, interruptions."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import Added, add_source, folder_name, remove_source
from morphene_core.sources.manifest import Source, read_manifest
from morphene_core.sources.register import survey
from tests.recordings import audio, facts, files, opened, record, unprivileged

Wait = Callable[..., None]


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path / "home").instrument("pyroviolin")


def source(paths: InstrumentPaths, name: str = "Ours") -> Source:
    found = read_manifest(paths.manifest("musical")).find(name)
    assert found is not None
    return found


def registered(paths: InstrumentPaths, name: str = "Ours") -> set[str]:
    return {file.path for file in source(paths, name).files}


def verdicts(paths: InstrumentPaths) -> dict[str, str]:
    return {file.path: file.verdict for file in survey(paths, "musical").files}


def add(paths: InstrumentPaths, *recordings: Path, name: str = "Ours", **how: bool) -> Added:
    return add_source(paths, "musical", facts(name), recordings, **how)


def test_files_are_copied_and_the_originals_stay_as_they_are(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "x.wav")
    os.utime(mine, ns=(1, 1_000_000_007))
    before = mine.read_bytes(), mine.stat()
    added = add(paths, mine)
    assert [(file.path, file.verdict) for file in added.files] == [("ours/x.wav", "accepted")]
    copy = paths.sources("musical") / "ours" / "x.wav"
    assert not copy.is_symlink()
    assert copy.read_bytes() == mine.read_bytes() == before[0]
    assert mine.stat().st_mtime_ns == before[1].st_mtime_ns == copy.stat().st_mtime_ns
    assert source(paths).files[0].sha256 == sha256(mine)
    assert source(paths).files[0].seconds == 0.5


def test_files_can_be_linked_in_place_of_copied(paths: InstrumentPaths, tmp_path: Path) -> None:
    mine = record(tmp_path / "mine" / "x.wav")
    add(paths, mine, link=True)
    assert (paths.sources("musical") / "ours" / "x.wav").readlink() == mine
    assert verdicts(paths) == {"ours/x.wav": "accepted"}


def test_subfolders_stay_since_each_is_a_session(paths: InstrumentPaths, tmp_path: Path) -> None:
    for number, name in enumerate(("one/a.wav", "two/deep/a.wav", "b.wav")):
        record(tmp_path / "mine" / name, number)
    add(paths, tmp_path / "mine")
    kept = {"ours/mine/one/a.wav", "ours/mine/two/deep/a.wav", "ours/mine/b.wav"}
    assert registered(paths) == kept == files(paths.sources("musical"))


def test_files_that_are_in_the_folder_are_registered_where_they_are(
    paths: InstrumentPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = paths.sources("musical")
    for number, name in enumerate(("a.wav", "day 1/b.wav", "day 2/c.wav")):
        record(folder / name, number)
    add(paths, folder / "a.wav")
    monkeypatch.chdir(folder / "day 1")
    add(paths, Path())
    assert registered(paths) == {"a.wav", "day 1/b.wav"}
    add(paths, Path(".."))
    assert registered(paths) == files(folder) == {"a.wav", "day 1/b.wav", "day 2/c.wav"}


def test_a_folder_around_the_project_does_not_copy_it_into_itself(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    record(paths.sources("musical") / "a.wav")
    record(tmp_path / "b.wav", 1)
    add(paths, tmp_path)
    assert registered(paths) == {"a.wav", f"ours/{tmp_path.name}/b.wav"}


def test_a_linked_folder_in_the_folder_is_registered_and_never_moved(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    library = record(tmp_path / "library" / "x.wav").parent
    paths.sources("musical").mkdir(parents=True)
    (paths.sources("musical") / "all").symlink_to(library)
    add(paths, paths.sources("musical") / "all")
    assert verdicts(paths) == {"all/x.wav": "accepted"}
    removed = remove_source(paths, "musical", "Ours")
    assert (library / "x.wav").is_file()
    assert (removed / "all" / "x.wav").resolve() == library / "x.wav"


def test_the_same_file_again_is_known_under_any_name(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "x.wav")
    add(paths, mine)
    text = paths.manifest("musical").read_text()
    other = record(tmp_path / "mine" / "y.wav")
    added = add(paths, mine, other, mine)
    assert added.files == []
    assert added.known == {str(mine): "ours/x.wav", str(other): "ours/x.wav"}
    assert paths.manifest("musical").read_text() == text


def test_another_take_of_the_same_name_gets_a_name_of_its_own(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    takes = [record(tmp_path / f"day{number}" / "x.wav", number) for number in range(3)]
    add(paths, *takes[:2])
    add(paths, takes[2])
    names = {f"ours/x-{sha256(take)[:8]}.wav" for take in takes[1:]}
    assert registered(paths) == files(paths.sources("musical")) == names | {"ours/x.wav"}
    assert set(verdicts(paths).values()) == {"accepted"}


def test_a_name_that_is_registered_and_whose_file_is_lost_is_not_given_away(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    add(paths, record(tmp_path / "x.wav", 0))
    (paths.sources("musical") / "ours" / "x.wav").unlink()
    add(paths, record(tmp_path / "x.wav", 1))
    assert sorted(verdicts(paths).values()) == ["accepted", "rejected"]


def test_a_lost_file_comes_back_when_it_is_added_again(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "x.wav")
    add(paths, mine)
    (paths.sources("musical") / "ours" / "x.wav").unlink()
    assert verdicts(paths) == {"ours/x.wav": "rejected"}
    assert add(paths, mine).known == {str(mine): "ours/x.wav"}
    assert verdicts(paths) == {"ours/x.wav": "accepted"}


def test_a_file_that_was_moved_in_the_folder_is_followed(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    folder = paths.sources("musical")
    add(paths, record(tmp_path / "x.wav"), record(tmp_path / "y.wav", 1))
    (folder / "day 1").mkdir()
    (folder / "ours" / "x.wav").rename(folder / "day 1" / "first.wav")
    add(paths, folder, name="Another name")
    assert registered(paths) == {"day 1/first.wav", "ours/y.wav"}
    assert set(verdicts(paths).values()) == {"accepted"}


def test_a_file_that_was_changed_in_the_folder_is_registered_anew(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    add(paths, record(tmp_path / "x.wav"))
    changed = record(paths.sources("musical") / "ours" / "x.wav", 7)
    assert verdicts(paths) == {"ours/x.wav": "rejected"}
    assert "has changed, and belongs to 'Ours'" in str(add(paths, changed, name="B").refused)
    assert [file.verdict for file in add(paths, changed).files] == ["accepted"]
    assert [file.sha256 for file in source(paths).files] == [sha256(changed)]


def test_a_hidden_file_or_a_note_counts_if_it_is_named(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    named = [record(tmp_path / "mine" / n, i) for i, n in enumerate((".take.wav", "readme.wav"))]
    record(tmp_path / "mine" / "x.wav", 3)
    add(paths, *named)
    assert verdicts(paths) == {"ours/.take.wav": "accepted", "ours/readme.wav": "accepted"}
    add(paths, tmp_path / "mine")
    assert len(verdicts(paths)) == 3


ODD = [
    " space before and after ",
    'it\'s "quoted" `too`.wav',
    "Ünïcödé 雅楽 \u202e.wav",
    "new\nline\t.wav",
    "-dash.wav",
    "--link",
    "[bold]brackets[b] [red.wav",
    "a{b}c = #3.wav",
    "back\\slash.wav",
    "percent%20.wav",
    "no suffix",
]


def test_odd_names_are_taken_as_they_are(paths: InstrumentPaths, tmp_path: Path) -> None:
    for number, name in enumerate(ODD):
        record(tmp_path / "mine" / "[a] b\nc" / name, number)
    added = add(paths, tmp_path / "mine")
    kept = {f"ours/mine/[a] b\nc/{name}" for name in ODD}
    assert registered(paths) == kept == files(paths.sources("musical"))
    assert {file.path for file in added.files if file.verdict == "accepted"} == kept
    assert verdicts(paths) == dict.fromkeys(kept, "accepted")
    assert add(paths, tmp_path / "mine").files == []


@settings(max_examples=8, deadline=None)
@given(st.sets(st.from_regex(r"[^/\0\ud800-\udfff.][^/\0\ud800-\udfff]{0,9}", fullmatch=True)))
def test_any_name_is_taken_once_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    paths = Home(folder / "home").instrument("pyroviolin")
    for number, name in enumerate(names):
        record(folder / "mine" / name, number, 0.1)
    for _ in range(2):
        add(paths, *[folder / "mine" / name for name in names])
        assert registered(paths) == {f"ours/{name}" for name in names}


def test_bad_files_are_refused_one_by_one_and_the_others_taken(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "good.wav").parent
    os.mkfifo(mine / "fifo.wav")
    (mine / "dangling.wav").symlink_to("nowhere.wav")
    (mine / "loop.wav").symlink_to("loop.wav")
    (mine / ("n" * 251 + ".wav")).write_bytes((mine / "good.wav").read_bytes() + b"\0")
    Path(os.fsdecode(os.fsencode(mine) + b"/\xff.wav")).write_bytes(b"x")
    added = add(paths, mine)
    assert [file.path for file in added.files] == ["ours/mine/good.wav"]
    refused = {name.removeprefix(f"{mine}/")[:9]: text for name, text in added.refused.items()}
    assert "link to a file that does not exist" in refused["dangling."]
    assert "not a regular file" in refused["fifo.wav"]
    assert "leads to itself" in refused["loop.wav"]
    assert "name is too long" in refused["nnnnnnnnn"]
    assert "no valid UTF-8" in refused["\\xff.wav"]
    assert len(refused) == 5
    assert registered(paths) == files(paths.sources("musical")) == {"ours/mine/good.wav"}


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """Return a folder in which `nobody` may do everything."""
    folder = opened(tmp_path) / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_what_may_not_be_read_is_refused_and_the_others_taken(open_folder: Path) -> None:
    mine = record(open_folder / "mine" / "good.wav").parent
    record(mine / "secret.wav", 1).chmod(0)
    for name, mode in (("closed", 0), ("listed", 0o444)):
        record(mine / name / "x.wav", 2).parent.chmod(mode)
    paths = Home(open_folder / "home").instrument("pyroviolin")
    with unprivileged():
        added = add(paths, mine)
        shown = {name.removeprefix(f"{mine}/"): text for name, text in added.refused.items()}
        assert shown.keys() == {"secret.wav", "closed", "listed/x.wav"}
        assert all("may not be read by this user" in text for text in shown.values())
        assert verdicts(paths) == {"ours/mine/good.wav": "accepted"}
    (mine / "closed").chmod(0o755)


@pytest.mark.parametrize("path", ["none.wav", "empty"])
def test_where_nothing_is_nothing_is_registered(
    paths: InstrumentPaths, tmp_path: Path, path: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"{path} (does not exist|holds no files)"):
        add(paths, tmp_path / path)
    assert not paths.manifest("musical").exists()


def test_a_document_is_attached_and_another_of_its_name_put_beside_it(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    terms = {"origin": "licensed", "licence": "CC0-1.0"}
    for number in (1, 2):
        (tmp_path / "deal.pdf").write_text(f"deal {number}")
        entry = facts(f"S{number}", **terms)
        add_source(paths, "musical", entry, document=tmp_path / "deal.pdf")
    digest = sha256(tmp_path / "deal.pdf")
    assert source(paths, "S1").document == "documents/deal.pdf"
    assert source(paths, "S2").document == f"documents/deal-{digest[:8]}.pdf"
    assert source(paths, "S2").document_sha256 == digest
    assert len(files(paths.documents)) == 2


def test_a_document_that_cannot_be_read_is_named(paths: InstrumentPaths, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pdf")
    for name, expected in ((".", "is a folder"), ("fifo.pdf", "not a regular"), ("no", "exist")):
        with pytest.raises(InputError, match=expected):
            add_source(paths, "musical", facts(), document=tmp_path / name)
    assert not paths.manifest("musical").exists()


def test_a_source_that_is_expected_has_no_audio_until_files_are_added(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    add_source(paths, "musical", facts(expected_seconds=5400.0, rating=3))
    assert (source(paths).expected_seconds, source(paths).files) == (5400.0, ())
    assert survey(paths, "musical").seconds == 0
    add_source(
        paths, "musical", {"name": "OURS", "expected_seconds": None}, [record(tmp_path / "x")]
    )
    assert source(paths).expected_seconds is None
    assert (source(paths).name, source(paths).rating) == ("Ours", 3)
    assert survey(paths, "musical").seconds == 0.5


def test_facts_of_a_source_can_be_changed_alone(paths: InstrumentPaths, tmp_path: Path) -> None:
    add(paths, record(tmp_path / "x.wav"))
    before = source(paths)
    add_source(paths, "musical", {"name": "ours", "rating": 5, "notes": "the best", "origin": None})
    assert source(paths) == before.model_copy(update={"rating": 5, "notes": "the best"})


def test_what_is_removed_is_kept_with_its_entry(paths: InstrumentPaths, tmp_path: Path) -> None:
    mine = record(tmp_path / "mine" / "day 1" / "x.wav").parent.parent
    add(paths, mine)
    add(paths, record(tmp_path / "y.wav", 1), name="Theirs")
    before = source(paths)
    removed = remove_source(paths, "musical", "OURS")
    assert removed.parent == paths.removed
    assert read_manifest(removed / "musical.toml").source == (before,)
    assert files(removed) == {"musical.toml", "ours/mine/day 1/x.wav"}
    assert files(paths.sources("musical")) == {"theirs/y.wav"}
    assert not (paths.sources("musical") / "ours").exists()
    assert [s.name for s in read_manifest(paths.manifest("musical")).source] == ["Theirs"]
    assert files(mine) == {"day 1/x.wav"}


def test_links_that_are_removed_still_lead_to_their_files(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "x.wav")
    folder = paths.sources("musical")
    folder.mkdir(parents=True)
    (folder / "relative.wav").symlink_to(os.path.relpath(mine, folder))
    add(paths, folder)
    removed = remove_source(paths, "musical", "Ours")
    assert (removed / "relative.wav").resolve() == mine
    assert mine.is_file()
    assert files(folder) == set()


def test_a_source_can_come_and_go_many_times(paths: InstrumentPaths, tmp_path: Path) -> None:
    mine = record(tmp_path / "x.wav")
    for _ in range(3):
        add(paths, mine)
        remove_source(paths, "musical", "Ours")
    assert len(list(paths.removed.iterdir())) == 3


def test_an_unknown_source_is_not_removed(paths: InstrumentPaths) -> None:
    with pytest.raises(InputError, match="It has: none"):
        remove_source(paths, "musical", "Ours")
    add_source(paths, "musical", facts("A [b]"))
    with pytest.raises(InputError, match=r"no musical source 'B'\. It has: 'A \[b\]'"):
        remove_source(paths, "musical", "B")


@given(st.text())
def test_a_source_has_a_folder_of_a_plain_name(name: str) -> None:
    folder = folder_name(name)
    assert folder and len(folder) <= 60
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in folder)


# What happens to a command that is stopped by something else than the user's input.

SIZE_MB = 40


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "long.wav"
    path.parent.mkdir()
    tile = np.tile(audio(5, 1.0), SIZE_MB * 10)
    soundfile.write(path, tile, 48_000, subtype="PCM_16")
    record(tmp_path / "mine" / "early.wav", 1)
    return path


def command(paths: InstrumentPaths, *recordings: Path) -> list[str | Path]:
    morphene = Path(sys.executable).with_name("morphene")
    how = ["--instrument", "10", "--type", "musical", "--name", "Ours"]
    return [
        morphene,
        "sources",
        "add",
        *how,
        "--origin",
        "recorded",
        "--license",
        "own",
        *recordings,
    ]


def environment(paths: InstrumentPaths) -> dict[str, str]:
    paths.home.mkdir(exist_ok=True)
    return os.environ | {"MORPHENE_HOME": str(paths.home)}


def test_a_killed_command_leaves_no_half_file_and_the_next_one_completes(
    paths: InstrumentPaths, long_recording: Path, wait_until: Wait
) -> None:
    folder = paths.sources("musical")
    # A file that is written slowly: the copy is held in the middle by a fault injected there.
    slow = (
        "import shutil, sys, time\n"
        "def half(origin, target):\n"
        "    data = open(origin, 'rb').read()\n"
        "    open(target, 'wb').write(data[: len(data) // 2])\n"
        "    len(data) > 10_000_000 and time.sleep(600)\n"
        "    open(target, 'wb').write(data)\n"
        "shutil.copyfile = half\n"
        "from morphene_dagster.cli import main\n"
        "main(sys.argv[1:])"
    )
    arguments = command(paths, long_recording.parent)[1:]
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *arguments], env=environment(paths), stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: folder.exists() and any(".partial" in name for name in files(folder)))
        wait_until(lambda: (folder / "ours" / "mine" / "early.wav").exists())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    whole = {"ours/mine/early.wav", "ours/mine/long.wav"}
    left = {name for name in files(folder) if not Path(name).name.startswith(".")}
    assert left == {"ours/mine/early.wav"}
    assert read_manifest(paths.manifest("musical")).source == ()
    done = subprocess.run(
        command(paths, long_recording.parent), env=environment(paths), check=False, text=True
    )
    assert done.returncode == 0
    assert files(folder) == whole == registered(paths)
    assert (folder / "ours/mine/long.wav").read_bytes() == long_recording.read_bytes()
    assert len(list(paths.sources("musical").rglob("early*"))) == 1


def refused_for_space(paths: InstrumentPaths, folder: Path, limit: int | None) -> str:
    def lower() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        command(paths, folder),
        env=environment(paths),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lower,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")
    kept = paths.sources("musical") / "ours" / "mine"
    assert files(kept) <= {"early.wav"}
    return done.stderr


def test_a_full_disk_is_one_line_and_what_was_copied_stays(
    paths: InstrumentPaths, long_recording: Path
) -> None:
    said = refused_for_space(paths, long_recording.parent, limit=1_000_000)
    assert "No space left to write" in said
    assert "ours/mine/long.wav (File too large)" in said
    added = add(paths, long_recording.parent)
    assert [file.path for file in added.files] == ["ours/mine/early.wav", "ours/mine/long.wav"]
