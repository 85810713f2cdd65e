"""`morphene sources`, as a user meets it: what is printed, what is JSON, how mistakes end."""

import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
from click.testing import CliRunner

from morphene_core.files import sha256
from morphene_core.home import Home, InstrumentPaths
from morphene_core.instruments import get_poc_instrument
from morphene_core.setup import set_up
from morphene_core.sources.manifest import read_manifest
from morphene_core.sources.register import survey
from morphene_dagster.cli import main
from tests.recordings import files, opened, record, unprivileged

Run = Callable[..., subprocess.CompletedProcess[str]]
Sources = Callable[..., subprocess.CompletedProcess[str]]

RECORDED = ("--origin", "recorded", "--license", "own")


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    """Return an instrument of a project folder that was set up for the proof of concept."""
    home = Home(tmp_path / "home")
    set_up(home, [get_poc_instrument()])
    return home.instrument("pyroviolin")


@pytest.fixture
def sources(paths: InstrumentPaths, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Run `morphene sources`, in this process, and fail where a user would get a traceback."""
    monkeypatch.setenv("MORPHENE_HOME", str(paths.home))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["sources", *map(str, arguments)]
        done = CliRunner().invoke(main, command, prog_name="morphene", catch_exceptions=False)
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def add(sources: Sources) -> Sources:
    """Run `morphene sources add` for the musical role."""

    def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return sources("add", "-i", "10", "-t", "musical", "-n", name, *arguments)

    return run


def complaint(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    assert done.returncode == code
    assert done.stderr.startswith("Error: " if code == 1 else "Usage: ")
    assert code == 2 or len(done.stderr.splitlines()) <= 2
    return done.stderr


def test_a_folder_is_added_and_its_bad_files_are_named(
    add: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "good.wav", 0, 1.0).parent
    (mine / "[red]text[b].wav").write_text("a text")
    (mine / "gone.wav").symlink_to("nowhere")
    done = add("Ann's [bold]violin[/]", *RECORDED, "--rating", "4", mine)
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "  rejected  ann_s_bold_violin/mine/[red]text[b].wav"
    assert lines[1].startswith(" " * 12 + "holds no audio")
    assert "is missing, or a link to a file that does not exist" in done.stdout
    assert '"Ann\'s [bold]violin[/]": 1 file accepted (0:01), 1 rejected, 1 not taken' in lines
    assert lines[-1] == "What is missing: morphene sources status 10"
    assert all(len(line) <= 80 for line in lines[1:])
    (source,) = read_manifest(paths.manifest("musical")).source
    assert (source.name, source.rating, source.licence) == ("Ann's [bold]violin[/]", 4, "own")


ODD = ['it\'s "q".wav', "new\nline.wav", "-n.wav", "[bold] [red].wav", " Ü {x}.wav"]


def test_odd_names_work_through_the_command(
    morphene: Run, paths: InstrumentPaths, tmp_path: Path
) -> None:
    for number, name in enumerate(ODD):
        record(tmp_path / "mine" / name, number)
    how = ["add", "-i", "10", "-t", "musical", "-n", "odd", *RECORDED, "--json", "--"]
    takes = [tmp_path / "mine" / name for name in ODD]
    done = morphene("sources", *how, *takes, home=paths.home)
    assert done.returncode == 0, done.stderr
    assert {file["path"] for file in json.loads(done.stdout)["files"]} == {f"odd/{n}" for n in ODD}
    for name in ODD:
        (paths.sources("musical") / "odd" / name).write_text("a text")
    shown = morphene("sources", "verify", "10", home=paths.home)
    assert (shown.returncode, shown.stderr) == (1, "")
    for name in ODD:
        assert f"musical/odd/{name}".replace("\n", "\\n") in shown.stdout


def test_a_name_that_starts_with_a_dash_is_a_file_of_the_working_directory(
    add: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "mine" / "-x.wav")
    monkeypatch.chdir(tmp_path / "mine")
    assert add("dash", *RECORDED, "--", "-x.wav").returncode == 0


def test_a_name_that_is_no_utf_8_is_shown_and_refused(
    morphene: Run, paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "x.wav").parent
    odd = Path(os.fsdecode(os.fsencode(mine) + b"/\xff.wav"))
    odd.write_bytes((mine / "x.wav").read_bytes())
    how = ["sources", "add", "-i", "10", "-t", "musical", "-n", "odd", *RECORDED]
    done = morphene(*how, odd, home=paths.home)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\\xff.wav" in done.stdout.replace("\n", "")  # a long path is broken anywhere
    assert "its name is no valid UTF-8: rename it" in done.stdout


def test_the_same_command_again_says_that_all_is_known(
    add: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    mine = record(tmp_path / "mine" / "x.wav").parent
    assert add("A", *RECORDED, mine).returncode == 0
    text = paths.manifest("musical").read_text()
    again = add("A", *RECORDED, mine)
    assert again.returncode == 0
    assert "'A': 1 registered before" in again.stdout
    assert paths.manifest("musical").read_text() == text


def test_files_are_linked_on_request(add: Sources, paths: InstrumentPaths, tmp_path: Path) -> None:
    mine = record(tmp_path / "mine" / "x.wav")
    assert add("A", *RECORDED, "--link", mine).returncode == 0
    assert (paths.sources("musical") / "a" / "x.wav").readlink() == mine


@pytest.mark.parametrize(
    ("duration", "seconds"), [("5400", 5400), ("1:30:00", 5400), ("2:30", 150), ("0.5", 0.5)]
)
def test_an_expected_source_never_counts_as_collected(
    add: Sources, sources: Sources, paths: InstrumentPaths, duration: str, seconds: float
) -> None:
    assert add("Promised", *RECORDED, "--duration", duration).returncode == 0
    (source,) = read_manifest(paths.manifest("musical")).source
    assert source.expected_seconds == seconds
    status = json.loads(sources("status", "10", "--json").stdout)["musical"]
    assert (status["expected_seconds"], status["usable_seconds"]) == (seconds, 0)
    assert not status["complete"]


def test_files_of_an_expected_source_are_added_to_it(
    add: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    assert add("Promised", *RECORDED, "--duration", "1:30:00").returncode == 0
    assert add("promised", record(tmp_path / "x.wav")).returncode == 0
    (source,) = read_manifest(paths.manifest("musical")).source
    assert (source.name, source.expected_seconds, len(source.files)) == ("Promised", None, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--duration", "long"], "'long' is no duration: write 5400 or 1:30:00"),
        (["--duration", "0"], "is no duration"),
        (["--duration", "1:2:3:4"], "is no duration"),
        (["--duration", "-5"], "is no duration"),
        (["--duration", "nan"], "is no duration"),
        (["--duration", "60", "x.wav"], "--duration is for sources without files"),
        (["--rating", "0"], "not in the range 1<=x<=5"),
        (["--rating", "6"], "not in the range 1<=x<=5"),
        (["--expires", "soon"], "write it like 2027-12-31"),
        (["--origin", "stolen"], "'stolen' is not one of"),
    ],
)
def test_what_is_used_wrongly_is_a_usage_error(
    add: Sources, paths: InstrumentPaths, arguments: list[str], expected: str
) -> None:
    assert expected in complaint(add("A", *arguments), 2)
    assert not paths.manifest("musical").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "origin of source 'A': is missing"),
        (["--origin", "recorded"], "licence of source 'A': is missing"),
        (["--origin", "licensed", "--license", "own"], "recorded or synthesized yourself"),
        (["--origin", "licensed", "--license", "CC BY 4.0"], "Did you mean CC-BY-4.0"),
        (["--origin", "licensed", "--license", "Mine"], "needs its document attached"),
        (
            ["--origin", "licensed", "--license", "CC-BY-NC-4.0", "--commercial"],
            "CC-BY-NC-4.0 forbids it; attach the document",
        ),
        (["--origin", "licensed", "--license", "GPL-2.0"], "say true or false"),
        ([*RECORDED, "--document", "none.pdf"], "none.pdf does not exist"),
        ([*RECORDED, "none.wav"], "none.wav does not exist"),
    ],
)
def test_facts_that_are_wrong_are_a_line_and_nothing_is_written(
    add: Sources, paths: InstrumentPaths, arguments: list[str], expected: str
) -> None:
    assert expected in complaint(add("A", *arguments))
    assert not paths.manifest("musical").exists()


def test_names_that_are_no_names_are_a_line(add: Sources) -> None:
    for name in ("", "  ", "\udcff"):
        assert "name of source" in complaint(add(name, *RECORDED, "--duration", "9"))


def test_an_unknown_instrument_or_folder_is_a_line(
    sources: Sources, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = complaint(sources("status", "pyroviola"))
    assert said == "Error: There is no instrument 'pyroviola'. Near: 10 pyroviolin.\n"
    monkeypatch.setenv("MORPHENE_HOME", str(tmp_path / "nowhere"))
    assert "morphene setup --poc FOLDER" in complaint(sources("summary"))


def test_a_mistake_in_a_manifest_is_a_line_of_every_command(
    sources: Sources, paths: InstrumentPaths
) -> None:
    paths.manifest("musical").write_text('[[source]]\nname = "A"\nrateing = 3\n')
    for arguments in (
        ["status", "10"],
        ["summary"],
        ["verify"],
        ["expiring"],
        ["add", "-i", "10", "-t", "musical", "-n", "A"],
        ["remove", "-i", "10", "-t", "musical", "-n", "A"],
    ):
        said = complaint(sources(*arguments))
        assert f"{paths.manifest('musical')}, line 3: rateing of source 'A'" in said


def test_a_folder_that_may_not_be_written_to_is_a_line(
    add: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    opened(tmp_path)
    paths.manifest("musical").parent.chmod(0o555)
    with unprivileged():
        said = complaint(add("A", *RECORDED, "--duration", "60"))
    assert f"{paths.manifest('musical').parent}" in said
    assert "Permission denied" in said


def test_the_status_says_what_is_there_and_what_is_missing(
    add: Sources, sources: Sources, tmp_path: Path
) -> None:
    add("A [b]", *RECORDED, "--rating", "4", record(tmp_path / "x.wav", 0, 1.0))
    add("Promised", *RECORDED, "--duration", "1:00:00")
    done = sources("status", "PYROVIOLIN")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert text.startswith("10 Pyroviolin pyroviolin, flagship musical: violin usable 0:01 of 1:30")
    for part in (
        "expected 1:00:00",
        "1 accepted, 0 with a warning, 0 rejected",
        "rating 4.0 of 5",
        "to do 1:29:59 more of audio, 1:00:00 of it expected",
        "A [b] recorded own 4 0:01 1 of 1",
        "Promised recorded own 0:00 1:00:00 0 of 0",
        "nonmusical: fire",
    ):
        assert part in text
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_the_status_as_json_has_every_file_with_its_reasons(
    add: Sources, sources: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("a text")
    add("A", *RECORDED, record(tmp_path / "x.wav"), tmp_path / "text.wav")
    data = json.loads(sources("status", "10", "--json").stdout)
    assert data["instrument"] == "pyroviolin"
    bad, good = data["musical"]["files"]
    assert (bad["path"], bad["verdict"]) == ("a/text.wav", "rejected")
    assert bad["reasons"][0]["code"] == "no audio"
    assert (good["verdict"], good["sha256"]) == ("accepted", sha256(tmp_path / "x.wav"))
    assert (good["sample_rate"], good["channels"], good["seconds"]) == (48_000, 1, 0.5)
    (source,) = data["musical"]["sources"]
    assert (source["files"], source["accepted"], source["seconds"]) == (2, 1, 0.5)
    assert data["nonmusical"]["sources"] == []


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_summary_shows_all_fifty_by_tier(
    add: Sources,
    sources: Sources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    add("A", "--origin", "licensed", "--license", "CC-BY-NC-4.0", record(tmp_path / "x.wav"))
    add("B", *RECORDED, "--duration", "1:00:00")
    monkeypatch.setenv("COLUMNS", columns)
    lines = sources("summary").stdout.splitlines()
    assert all(len(line) <= int(columns) for line in lines)
    assert len([line for line in lines if line[:3].strip().isdigit()]) == 50
    assert not any("…" in line for line in lines)
    assert "1 licence forbid" in "".join(lines)
    tiers = [line.split()[0] for line in lines if " hours, " in line]
    assert tiers == ["flagship", "strong", "experimental", "all"]
    assert "all               0.0 of 150 hours, 1.0 expected, 0 sources complete" in lines


def test_the_summary_parses_as_csv_and_as_json(add: Sources, sources: Sources) -> None:
    add("A", *RECORDED, "--duration", "1:00:00")
    table = pandas.read_csv(io.StringIO(sources("summary", "--csv").stdout))
    data = json.loads(sources("summary", "--json").stdout)
    assert len(table) == len(data["sources"]) == 100
    assert list(table.columns) == list(data["sources"][0])
    row = table[(table["slug"] == "pyroviolin") & (table["role"] == "musical")].iloc[0]
    assert (row["expected_hours"], row["hours"], row["wanted_hours"]) == (1.0, 0.0, 1.5)
    totals: dict[str, dict[str, Any]] = {row["tier"]: row for row in data["totals"]}
    assert totals["all"]["wanted_hours"] == 150
    assert totals["flagship"]["expected_hours"] == totals["all"]["expected_hours"] == 1
    assert data["sources"][0]["rating"] is None


def test_verify_ends_with_1_and_names_what_differs(
    add: Sources, sources: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    takes = [record(tmp_path / f"{seed}.wav", seed) for seed in range(3)]
    add("A", *RECORDED, *takes)
    assert sources("verify").stdout == "All files are as they were registered.\n"
    assert sources("verify", "10", "--json").stdout.strip() == "[]"
    folder = paths.sources("musical")
    record(folder / "a" / "0.wav", 9)
    (folder / "a" / "1.wav").unlink()
    record(folder / "[stray].wav", 8)
    done = sources("verify", "10", "--json")
    assert done.returncode == 1
    found = {(row["path"], row["what"], row["source"]) for row in json.loads(done.stdout)}
    assert found == {
        ("musical/[stray].wav", "unregistered", ""),
        ("musical/a/0.wav", "changed", "A"),
        ("musical/a/1.wav", "missing", "A"),
    }
    shown = sources("verify")
    assert shown.returncode == 1
    assert "musical/[stray].wav" in shown.stdout
    assert sources("verify", "11").returncode == 0


def test_a_source_is_removed_and_found_afterwards(
    add: Sources, sources: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    add("A [b]", *RECORDED, record(tmp_path / "x.wav"))
    assert "recordings" in sources("where-used", "a [B]").stdout
    done = sources("remove", "-i", "10", "-t", "musical", "-n", "a [b]")
    assert done.returncode == 0
    (removed,) = paths.removed.iterdir()
    assert str(removed) in done.stdout
    assert files(removed) == {"musical.toml", "a_b/x.wav"}
    (use,) = json.loads(sources("where-used", "A [b]", "--json").stdout)
    assert (use["kind"], use["files"]) == ("removed recordings", 1)
    assert survey(paths, "musical").files == ()
    again = complaint(sources("remove", "-i", "10", "-t", "musical", "-n", "A [b]"))
    assert "It has: none" in again
    assert "No source 'B'" in complaint(sources("where-used", "B"))


def test_what_may_hold_a_source_is_said_and_the_exit_code_tells(
    add: Sources, sources: Sources, paths: InstrumentPaths, tmp_path: Path
) -> None:
    add("A", *RECORDED, record(tmp_path / "x.wav"))
    assert sources("where-used", "A").returncode == 0
    (paths.deliveries / "1").mkdir(parents=True)
    (paths.deliveries / "1" / "pyroviolin.ts").write_bytes(b"a model")
    done = sources("where-used", "A")
    assert done.returncode == 1 and "recordings" in done.stdout
    *_, line = done.stdout.splitlines()
    place = "models/pyroviolin/deliveries/1"
    lost = paths.deliveries / "1" / "metadata.json"
    assert line.startswith(f"{place} (delivery) may hold it: {lost} is missing. Put it back")
    done = sources("where-used", "A", "--json")
    found, doubtful = json.loads(done.stdout)
    assert (done.returncode, found["files"], found["doubt"]) == (1, 1, "")
    assert (doubtful["what"], doubtful["files"]) == (place, None) and doubtful["doubt"]
    done = sources("remove", "-i", "10", "-t", "musical", "-n", "A")
    assert "Made from it, or perhaps: 1 thing." in done.stdout


def test_an_expected_source_is_removed_without_a_complaint(add: Sources, sources: Sources) -> None:
    add("Promised", *RECORDED, "--duration", "60")
    assert sources("where-used", "Promised").stdout == "Nowhere.\n"
    done = sources("remove", "-i", "10", "-t", "musical", "-n", "Promised")
    assert (done.returncode, done.stderr) == (0, "")


def test_licences_that_end_are_listed(add: Sources, sources: Sources) -> None:
    assert sources("expiring").stdout == "No licence ends within 90 days.\n"
    terms = ("--origin", "licensed", "--license", "CC0-1.0", "--expires", "2020-01-31")
    add("Old", *terms, "--duration", "60")
    (row,) = json.loads(sources("expiring", "--json").stdout)
    assert (row["expires"], row["source"], row["slug"]) == ("2020-01-31", "Old", "pyroviolin")
    assert row["days_left"] < 0
    assert "2020-01-31" in sources("expiring", "--days", "0").stdout
    assert sources("expiring", "--days", "99999999999").returncode == 2
