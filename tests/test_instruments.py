"""The catalogue's loader: Morphene's entries, a user's own, and the mistakes in them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.instruments import ALL_INSTRUMENTS, Instrument, get_instrument
from morphene_core.instruments.catalogue import BUILT_IN, load_catalogue
from morphene_core.instruments.definition import midi_number, note_name

Run = Callable[..., subprocess.CompletedProcess[str]]

NEW: dict[str, Any] = {
    "number": 51,
    "slug": "tidewhistle",
    "name": "Tidewhistle",
    "tier": "experimental",
    "musical_source": "tin whistle",
    "nonmusical_source": "shingle",
    "idea": "A whistle over stones. It breathes.",
    "lowest_note": "D5",
    "highest_note": "D7",
    "techniques": ["slides"],
    "articulations": ["tongued"],
    "dynamics": ["p", "f"],
    "texture": "granular",
    "variety": ["fast waves"],
    "avoid": ["gulls"],
    "risks": "It may hiss.",
}


def written(path: Path, *entries: dict[str, Any], top: str = "") -> Path:
    """Write a catalogue; JSON's texts, numbers and lists are TOML as well."""
    text = top
    for entry in entries:
        rows = (f"{key} = {json.dumps(value)}" for key, value in entry.items())
        text += "\n".join(["\n[[instrument]]", *rows, ""])
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_catalogue(path)
    text = str(caught.value)
    assert str(path) in text
    assert len(text.splitlines()) <= 2
    return text


def complaint_about(folder: Path, *entries: dict[str, Any], top: str = "") -> str:
    return refusal(written(folder / "mine.toml", *entries, top=top))


def by_slug(instruments: tuple[Instrument, ...]) -> dict[str, Instrument]:
    return {instrument.slug: instrument for instrument in instruments}


def test_the_command_lists_fifty_whole_entries_as_json(morphene: Run) -> None:
    done = morphene("instruments", "--json")
    entries = json.loads(done.stdout)
    assert len(entries) == 50
    for entry in entries:
        for field in Instrument.model_fields:
            assert entry[field] not in (None, "", []), f"{field} of {entry['slug']} is missing"
        Instrument(**entry)


@pytest.mark.parametrize("field", Instrument.model_fields)
def test_an_entry_without_any_one_of_its_fields_is_refused(tmp_path: Path, field: str) -> None:
    entry = {key: value for key, value in NEW.items() if key != field}
    text = complaint_about(tmp_path, entry)
    assert f"{field}: Field required" in text
    assert "51" in text or "tidewhistle" in text


def test_an_entry_of_ones_own_is_added(tmp_path: Path) -> None:
    found = load_catalogue(written(tmp_path / "mine.toml", NEW))
    assert found[:50] == load_catalogue(BUILT_IN)
    assert (found[50].number, found[50].slug) == (51, "tidewhistle")


def test_an_entry_that_is_there_changes_only_the_fields_that_it_names(tmp_path: Path) -> None:
    change = {"slug": "pyroviolin", "name": "Brandgeige", "tier": "strong"}
    found = by_slug(load_catalogue(written(tmp_path / "mine.toml", change)))
    assert (found["pyroviolin"].name, found["pyroviolin"].tier) == ("Brandgeige", "strong")
    before = by_slug(load_catalogue(BUILT_IN))["pyroviolin"]
    assert found["pyroviolin"] == before.model_copy(update=change)
    assert len(found) == 50


def test_a_catalogue_that_replaces_stands_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.toml", NEW, NEW | OTHER, top="replace = true\n")
    assert [i.slug for i in load_catalogue(path)] == ["kettle", "tidewhistle"]


OTHER = {"number": 3, "slug": "kettle", "name": "Kettle", "nonmusical_source": "steam"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("number", {"number": 10}),
        ("name", {"name": "pyroVIOLIN"}),
        ("pairing", {"musical_source": "Violin", "nonmusical_source": "FIRE"}),
    ],
)
def test_what_must_be_an_instruments_own_is_not_there_twice(
    tmp_path: Path, field: str, change: dict[str, Any]
) -> None:
    text = complaint_about(tmp_path, NEW | change)
    assert re.search(rf"instrument \d+ tidewhistle: {field}: .* is taken by 10 pyroviolin", text)


def test_no_two_new_entries_have_one_slug(tmp_path: Path) -> None:
    text = complaint_about(tmp_path, NEW, NEW | OTHER | {"number": 52, "slug": "tidewhistle"})
    assert "slug: 'tidewhistle' is taken by 51 tidewhistle" in text


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("number", 0, "greater than or equal to 1"),
        ("number", "51", "valid integer"),
        ("number", True, "valid integer"),
        ("name", 7, "valid string"),
        ("name", "  ", "at least 1 character"),
        ("slug", "Tide Whistle", "pattern"),
        ("slug", "../out", "pattern"),
        ("tier", "best", "'flagship', 'strong' or 'experimental'"),
        ("lowest_note", "H3", "'H3' is no note"),
        ("lowest_note", "E7", "lowest_note must be below highest_note"),
        ("highest_note", "d7", "'d7' is no note"),
        ("techniques", [], "at least 1 item"),
        ("techniques", "slides", "valid tuple"),
        ("techniques", ["slides", ""], "at least 1 character"),
        ("dynamics", ["f", "p"], "softest to the loudest"),
        ("dynamics", ["p", "p"], "softest to the loudest"),
        ("dynamics", ["loud", "p"], "'ppp'"),
        ("texture", "smooth", "'stationary'"),
        ("pitch", 440, "Extra inputs"),
    ],
)
def test_a_mistake_is_named_with_its_entry_and_field(
    tmp_path: Path, field: str, value: Any, expected: str
) -> None:
    text = complaint_about(tmp_path, NEW | {field: value})
    assert expected in text
    assert field in text
    assert "instrument 51" in text or "tidewhistle" in text


def test_a_change_is_checked_as_well_as_a_new_entry(tmp_path: Path) -> None:
    text = complaint_about(tmp_path, {"slug": "pyroviolin", "highest_note": "C2"})
    assert "instrument 10 pyroviolin" in text


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("[[instrument]\n", "not valid TOML"),
        ('replace = "yes"\n', "replace must be true or false"),
        ("replace = true\n", "no [[instrument]] in it"),
        ("instruments = []\n", "'instruments' is unknown"),
        ("instrument = 3\n", "no list of tables"),
        ("instrument = [3]\n", "no list of tables"),
    ],
)
def test_a_catalogue_that_is_no_catalogue_is_named(tmp_path: Path, top: str, expected: str) -> None:
    (tmp_path / "mine.toml").write_text(top)
    assert expected in refusal(tmp_path / "mine.toml")


def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.toml")
    assert "MORPHENE_CATALOG" in refusal(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    assert "not valid TOML" in refusal(tmp_path / "latin.toml")


def test_the_variable_names_a_file_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "mine.toml", NEW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MORPHENE_CATALOG", "mine.toml")
    assert len(load_catalogue()) == 51


@pytest.mark.parametrize("command", [["instruments"], ["instruments", "show", "10"]])
def test_a_mistake_in_the_catalogue_is_a_line_of_the_command(
    tmp_path: Path, morphene: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    path = written(tmp_path / "mine.toml", NEW | {"dynamics": ["f", "p"]})
    monkeypatch.setenv("MORPHENE_CATALOG", str(path))
    done = morphene(*command)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {path}: instrument 51 tidewhistle: dynamics")
    assert len(done.stderr.splitlines()) == 1


def test_the_commands_and_the_partitions_follow_the_users_catalogue(
    tmp_path: Path, morphene: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = {"slug": "pyroviolin", "name": "Brand[bold]geige"}
    path = written(tmp_path / "mine.toml", NEW, change)
    monkeypatch.setenv("MORPHENE_CATALOG", str(path))
    shown = morphene("instruments", "show", "pyroviolin").stdout
    assert shown.startswith("10  Brand[bold]geige  (pyroviolin, flagship)")
    assert "Brand[bold]geige" in morphene("instruments").stdout
    code = (
        "from morphene_dagster.definitions import defs\n"
        "nodes = defs.resolve_asset_graph().asset_nodes\n"
        "print(*{key for n in nodes for key in n.partitions_def.get_partition_keys()})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    slugs = {i.slug for i in load_catalogue(BUILT_IN)}
    assert set(done.stdout.split()) == slugs | {"tidewhistle"}


@pytest.mark.parametrize("tier", ["flagship", "strong", "experimental"])
def test_a_list_can_be_of_one_tier(morphene: Run, tier: str) -> None:
    entries = json.loads(morphene("instruments", "--tier", tier, "--json").stdout)
    assert {entry["tier"] for entry in entries} == {tier}


def test_the_list_fits_into_a_terminal(morphene: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = morphene("instruments").stdout.splitlines()
    assert len(lines) == 1 + 3 + 50
    for instrument in ALL_INSTRUMENTS:
        row = f"{instrument.number:>3}  {instrument.name}"
        (line,) = [line for line in lines if line.startswith(row)]
        assert line.rstrip().endswith(instrument.nonmusical_source)
        assert instrument.musical_source in line


@pytest.mark.parametrize("key", [10, "10", "pyroviolin", "PyroViolin", " PYROVIOLIN "])
def test_an_instrument_is_found_by_its_number_and_by_its_slug_in_any_case(key: int | str) -> None:
    assert get_instrument(key).slug == "pyroviolin"


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("pyroviola", "10 pyroviolin"),
        ("October Strings", "4 october_strings"),
        ("peat", "41 peat_piper"),
        ("51", "50 clavifizz"),
        (0, "1 breakwater"),
        ("-3", "1 breakwater"),
        ("zzzzzz", "`morphene instruments` lists all"),
    ],
)
def test_an_unknown_instrument_names_those_that_are_near(key: int | str, near: str) -> None:
    with pytest.raises(KeyError) as caught:
        get_instrument(key)
    assert f"There is no instrument {key!r}" in caught.value.args[0]
    assert near in caught.value.args[0]


@given(st.text() | st.from_regex(r"[-+]*\d+", fullmatch=True))
def test_whatever_is_asked_for_is_found_or_a_key_error(key: str) -> None:
    try:
        assert get_instrument(key) in ALL_INSTRUMENTS
    except KeyError as error:
        assert repr(key) in error.args[0]


@given(st.integers(12, 127))
def test_a_note_comes_back_from_its_midi_number(midi: int) -> None:
    assert midi_number(note_name(midi)) == midi


def test_flats_and_negative_octaves_are_notes() -> None:
    assert (midi_number("A4"), midi_number("Bb3"), midi_number("C-1")) == (69, 58, 0)
