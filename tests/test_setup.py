"""Setting up a project folder: what is made, and that nothing is overwritten."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from morphene_core.errors import InputError
from morphene_core.files import point_link
from morphene_core.home import ROLES, Home
from morphene_core.instruments import ALL_INSTRUMENTS, Instrument, get_poc_instrument
from morphene_core.setup import brief, set_up
from tests.recordings import files

Run = Callable[..., subprocess.CompletedProcess[str]]

FOLDERS = (
    "sources/{}/musical",
    "sources/{}/nonmusical",
    "models/{}/checkpoints",
    "models/{}/audit",
    "models/{}/final",
)


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        (["--poc"], 1),
        (["--all"], 50),
        (["--tier", "flagship"], 10),
        (["--tier", "strong"], 20),
        (["--tier", "experimental"], 20),
    ],
)
def test_every_chosen_instrument_gets_its_folders_and_briefs(
    tmp_path: Path, morphene: Run, scope: list[str], count: int
) -> None:
    done = morphene("setup", *scope, tmp_path / "a home")
    assert done.returncode == 0
    assert f"export MORPHENE_HOME='{tmp_path}/a home'" in done.stdout
    home = tmp_path / "a home"
    slugs = [path.name for path in (home / "sources").iterdir()]
    assert len(slugs) == count
    for slug in slugs:
        assert all((home / folder.format(slug)).is_dir() for folder in FOLDERS)
    briefs = {f"sources/{slug}/{role}/README.md" for slug in slugs for role in ROLES}
    assert files(home) == briefs | {"morphene.toml"}


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--poc", "--all"],
        ["--poc", "--tier", "strong"],
        ["--all", "--tier", "strong"],
        ["--tier", "best"],
    ],
)
def test_a_wrong_choice_is_a_usage_error_and_makes_nothing(
    tmp_path: Path, morphene: Run, wrong: list[str]
) -> None:
    done = morphene("setup", *wrong, tmp_path / "home")
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: morphene setup")
    assert not (tmp_path / "home").exists()


def test_a_file_in_the_folders_place_is_a_usage_error(tmp_path: Path, morphene: Run) -> None:
    (tmp_path / "home").write_text("a file")
    done = morphene("setup", "--poc", tmp_path / "home")
    assert done.returncode == 2
    assert (tmp_path / "home").read_text() == "a file"


def test_what_cannot_be_made_is_one_line(tmp_path: Path, morphene: Run) -> None:
    (tmp_path / "sources").write_text("a file")
    done = morphene("setup", "--poc", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Not a directory" in done.stderr or "File exists" in done.stderr


def test_the_second_time_makes_nothing_and_overwrites_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert len(set_up(home, [get_poc_instrument()])) == 1 + 5 + 2
    edited = [home.settings, home.instrument("pyroviolin").sources("musical") / "README.md"]
    for path in edited:
        path.write_text('profile = "mine"  # edited\n')
    assert set_up(home, [get_poc_instrument()]) == []
    for path in edited:
        assert path.read_text() == 'profile = "mine"  # edited\n'


def test_more_instruments_can_follow_and_what_was_deleted_comes_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    set_up(home, [get_poc_instrument()])
    readme = home.instrument("pyroviolin").sources("nonmusical") / "README.md"
    readme.unlink()
    made = set_up(home, ALL_INSTRUMENTS)
    assert readme in made
    assert len(made) == 1 + 49 * 7


def test_the_folders_of_a_trained_instrument_stay_links(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = home.instrument("pyroviolin")
    for _ in range(2):
        set_up(home, [get_poc_instrument()])
        for link in (paths.checkpoints, paths.audit):
            target = paths.training("one") / link.name
            target.mkdir(parents=True, exist_ok=True)
            point_link(link, target)
            assert link.is_symlink()
            assert link.resolve() == target.resolve()


def test_a_folder_with_files_does_not_give_way_to_a_link(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="current is to be a link"):
        point_link(tmp_path / "current", tmp_path / "training")
    assert files(tmp_path) == {"current/mine.txt"}


@pytest.mark.parametrize("instrument", ALL_INSTRUMENTS, ids=lambda i: i.slug)
def test_a_brief_says_what_its_recordist_has_to_know(instrument: Instrument) -> None:
    musical = brief(instrument, "musical")
    lowest, highest = instrument.lowest_note, instrument.highest_note
    assert f"{lowest} to {highest}" in musical
    for text in (*instrument.techniques, *instrument.articulations, instrument.risks):
        assert text in words(musical)
    assert ", ".join(instrument.dynamics) in musical
    nonmusical = brief(instrument, "nonmusical")
    for text in (*instrument.variety, *instrument.avoid, instrument.texture, instrument.risks):
        assert text in words(nonmusical)
    for role, text in zip(ROLES, (musical, nonmusical), strict=True):
        assert f"sources add --instrument {instrument.number} --type {role} " in text
        assert all(len(line) <= 100 for line in text.splitlines())


def test_a_catalogue_without_the_proof_of_concept_is_named(
    tmp_path: Path, morphene: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = '[[instrument]]\nslug = "pyroviolin"\ntier = "strong"\nnumber = 60\n'
    (tmp_path / "mine.toml").write_text(change)
    monkeypatch.setenv("MORPHENE_CATALOG", str(tmp_path / "mine.toml"))
    done = morphene("setup", "--poc", tmp_path / "home")
    assert done.returncode == 1
    assert "There is no instrument '10'" in done.stderr
