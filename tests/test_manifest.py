"""The manifest: what people write in it, what Morphene writes, and the mistakes in it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import add_source, remove_source
from morphene_core.sources.manifest import Manifest, edit_manifest, read_manifest
from tests.recordings import facts, record

HASH = "0123456789abcdef" * 4

WHOLE = f'''\
# Everything that a manifest can say. [[source]]

[[source]]  # the first
name = "A {{1}}"
origin = "licensed"
licence = "CC-BY-NC-4.0"
document = "documents/deal.pdf"
document_sha256 = "{HASH}"
commercial = true
derivatives = true
share_alike = false
attribution = "J. D."
expires = 2027-12-31
rating = 4
notes = """
rating = 9
[[source]]
origin = "a quotation"
"""
files = [
    # the good takes
    {{ path = "a{{.wav", sha256 = "{HASH}", seconds = 1.5 }},
    {{ path = "b.wav", sha256 = "{HASH}", seconds = 2 }},
]
history = [
    {{ at = 2026-11-22T10:00:00Z, what = "2 files added" }},
]

[[ source ]]
"name" = "B"
licence = "own"
origin = "recorded"
expected_seconds = 5400.0

[[source.files]]
path = "c.wav"
sha256 = "{HASH}"

[[source.files]]
path = "d.wav"
sha256 = "{HASH}"
'''
LINES = WHOLE.splitlines()
LICENSED = 'licence = "CC-BY-NC-4.0"\ndocument = "documents/deal.pdf"\n'


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path).instrument("pyroviolin")


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    said = str(caught.value)
    assert str(path) in said
    assert len(said.splitlines()) == 1
    return said


def test_a_manifest_says_everything_of_a_source(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(WHOLE)
    first, second = read_manifest(tmp_path / "m.toml").source
    assert (first.name, str(first.expires)) == ("A {1}", "2027-12-31")
    assert (first.terms.commercial, first.terms.attribution) == (True, True)
    assert [file.path for file in first.files] == ["a{.wav", "b.wav"]
    assert [file.path for file in second.files] == ["c.wav", "d.wav"]
    assert second.expected_seconds == 5400


def test_where_there_is_no_file_there_are_no_sources(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "none.toml") == Manifest()


def values(field: str) -> list[object]:
    """Return values of a wrong type, or out of range, for a field."""
    wrong: dict[str, list[object]] = {
        "name": [3, "", " ", [], True],
        "origin": ["stolen", 1],
        "licence": [1, ["CC0-1.0"], ""],
        "document": [1, " "],
        "document_sha256": [1],
        "commercial": ["yes", 1, "true"],
        "derivatives": ["no", 0],
        "share_alike": ["maybe"],
        "attribution": [1, ["J. D."]],
        "expires": [20271231, "soon", True, "2027-02-30"],
        "rating": [0, 6, 3.5, "4", True],
        "notes": [1],
        "expected_seconds": [0, -1, "1:30", float("inf"), float("nan"), 1e12, True],
        "path": [1, "", "/etc/passwd", "../x.wav", "."],
        "sha256": [1, "abc", HASH.upper()],
        "seconds": [-1, "long", float("nan"), float("inf")],
        "at": ["yesterday", True],
        "what": [1, ""],
    }
    return wrong[field]


FIELDS = [
    (number, match[1])
    for number, line in enumerate(LINES)
    for match in re.finditer(r"(?:^|[{,] )\"?([a-z_0-9]+)\"? = (?!\"a quot|9|\[$|\"\"\")", line)
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_wrong_value_is_named_with_its_line_and_field(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    number, field = data.draw(st.sampled_from(FIELDS))
    value = tomlkit.item(data.draw(st.sampled_from(values(field)))).as_string()
    lines = LINES.copy()
    after = rf'(\b{field}"? = )("[^"]*"|[^\s,}}]+)'
    lines[number] = re.sub(after, lambda match: match[1] + value, lines[number], count=1)
    said = refusal(tmp_path_factory.mktemp("m") / "m.toml", "\n".join(lines))
    assert f"m.toml, line {number + 1}: " in said
    assert field in said
    if field != "name":
        assert "source 'A {1}'" in said or "source 'B'" in said


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FIELDS), st.sampled_from(["x", "2"]))
def test_a_misspelt_field_is_named_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[int, str], slip: str
) -> None:
    number, field = place
    lines = LINES.copy()
    lines[number] = re.sub(rf'\b{field}("?) = ', rf"{field}{slip}\1 = ", lines[number], count=1)
    said = refusal(tmp_path_factory.mktemp("m") / "m.toml", "\n".join(lines))
    assert f"line {number + 1}: " in said
    assert f"no such field, did you mean {field}?" in said


@pytest.mark.parametrize(
    ("before", "after", "line", "expected"),
    [
        ('"B"', '"a {1}"', '"name" = "B"', "the name 'a {1}' stands here twice"),
        ('"d.wav"', '"a{.wav"', 'path = "d.wav"', "the file 'a{.wav' stands here twice"),
        ('"d.wav"', '"./c.wav"', 'path = "d.wav"', "the file 'c.wav' stands here twice"),
        ('origin = "recorded"\n', "", "[[ source ]]", "origin of source 'B': is missing"),
        ('"own"', '"CC-BY 4.0"', 'licence = "own"', "Did you mean CC-BY-4.0"),
        ('"recorded"', '"licensed"', 'licence = "own"', "recorded or synthesized yourself"),
        ('document = "documents/deal.pdf"\n', "", "commercial = true", "attach the document"),
        (LICENSED, 'licence = "CC-BY-ND-4.0"\n', "derivatives = true", "attach the document"),
        (LICENSED, 'licence = "CC-BY-SA-4.0"\n', "share_alike = false", "attach the document"),
        (LICENSED, 'licence = "OFL-1.1"\n', "share_alike = false", "attach the document"),
        (LICENSED, 'licence = "CC-BY-4.0"\n', None, None),
        ('"CC-BY-NC-4.0"', '"CC-BY-ND-4.0"\n#', None, None),
        ('"CC-BY-NC-4.0"', '"CC-BY-SA-4.0"', None, None),
    ],
)
def test_a_contradiction_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, line: str | None, expected: str | None
) -> None:
    assert WHOLE.count(before) == 1
    text = WHOLE.replace(before, after)
    if line is None or expected is None:
        (tmp_path / "m.toml").write_text(text)
        assert read_manifest(tmp_path / "m.toml").source[0].terms.derivatives
        return
    number = (text if line in text else WHOLE).splitlines().index(line) + 1
    said = refusal(tmp_path / "m.toml", text)
    assert f"line {number}: " in said
    assert expected in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[source]", "not valid TOML: "),
        ("name = ", "not valid TOML: "),
        ("source = 3", "line 1: source: Input should be a list"),
        ("[source]\nname = 'x'", "source: Input should be a list"),
        ("source = [3]", "line 1: source 1: "),
        ("\n\nsources = []", "line 3: sources: no such field, did you mean source?"),
        ("release = 'x'", "line 1: release: no such field."),
    ],
)
def test_what_is_no_manifest_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path / "m.toml", text)


def test_a_manifest_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes("# Motörhead".encode("latin-1"))
    with pytest.raises(InputError, match=r"m\.toml is no UTF-8 text"):
        read_manifest(tmp_path / "m.toml")


@pytest.mark.parametrize("missing", ["document", "commercial", "derivatives"])
def test_a_licence_of_its_own_needs_its_document_and_its_terms(
    paths: InstrumentPaths, tmp_path: Path, missing: str
) -> None:
    document = tmp_path / "contract.pdf"
    document.write_text("whereas")
    terms = facts(licence="Splice 2024", origin="licensed", commercial=True, derivatives=True)
    with pytest.raises(InputError, match=missing) as caught:
        add_source(
            paths,
            "musical",
            terms | ({missing: None} if missing != "document" else {}),
            document=None if missing == "document" else document,
        )
    assert len(str(caught.value).splitlines()) == 1
    assert not paths.manifest("musical").exists()
    add_source(paths, "musical", terms, document=document)
    (source,) = read_manifest(paths.manifest("musical")).source
    assert source.document == "documents/contract.pdf"
    assert (paths.documents / "contract.pdf").read_text() == "whereas"


def written_by_hand(paths: InstrumentPaths) -> None:
    paths.manifest("musical").parent.mkdir(parents=True, exist_ok=True)
    paths.manifest("musical").write_text(WHOLE)


def test_what_is_added_leaves_every_line_and_comment_as_it_was(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    written_by_hand(paths)
    whole = WHOLE.replace("[[ source ]]", "[[source]]")
    paths.manifest("musical").write_text(whole + "# the end, without a line break")
    add_source(paths, "musical", facts("C", notes='quotes " and\nlines'), [record(tmp_path / "x")])
    text = paths.manifest("musical").read_text()
    assert text.startswith(whole + "# the end, without a line break\n\n[[source]]\nname = ")
    assert read_manifest(paths.manifest("musical")).source[2].notes == 'quotes " and\nlines'


COMMENTED = """\
# On all of it.

# On A.
[[source]]
name = "A"  # not its real name
# by hand
origin = "recorded"
licence = "own"

# On B.
[[source]]
name = "B"
origin = "recorded"
licence = "own"

# On C.
[[source]]
name = "C"
origin = "recorded"
licence = "own"
# The end.
"""


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_a_change_stands_in_its_source_and_the_comments_where_they_were(
    paths: InstrumentPaths, tmp_path: Path, name: str
) -> None:
    written_by_hand(paths)
    path = paths.manifest("musical")
    path.write_text(COMMENTED)
    add_source(paths, "musical", {"name": name.lower(), "rating": 3}, [record(tmp_path / "x")])
    added = re.findall(r"rating = 3\nfiles = \[\n.*\n\]\nhistory = \[\n.*\n\]\n", path.read_text())
    assert path.read_text().replace(added[0], "") == COMMENTED
    assert [s.rating for s in read_manifest(path).source if s.rating] == [3]
    assert next(s for s in read_manifest(path).source if s.rating).name == name


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_what_is_removed_takes_no_comment_on_another_source_with_it(
    paths: InstrumentPaths, name: str
) -> None:
    written_by_hand(paths)
    path = paths.manifest("musical")
    path.write_text(COMMENTED)
    remove_source(paths, "musical", name)
    left = path.read_text()
    for other in {"A", "B", "C"} - {name}:
        assert f'# On {other}.\n[[source]]\nname = "{other}"' in left
    assert left.startswith("# On all of it.\n")
    assert left.endswith("# The end.\n")
    assert f'name = "{name}"' not in left


def test_files_can_be_added_to_a_source_that_lists_them_in_tables(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    written_by_hand(paths)
    add_source(paths, "musical", {"name": "B", "rating": 2}, [record(tmp_path / "x.wav")])
    second = read_manifest(paths.manifest("musical")).source[1]
    assert [file.path for file in second.files] == ["c.wav", "d.wav", "b/x.wav"]
    assert (second.rating, len(second.history)) == (2, 1)


def test_sources_in_one_list_are_read_and_not_edited(paths: InstrumentPaths) -> None:
    text = 'source = [{ name = "A", origin = "recorded", licence = "own" }]\n'
    paths.manifest("musical").parent.mkdir(parents=True)
    paths.manifest("musical").write_text(text)
    assert len(read_manifest(paths.manifest("musical")).source) == 1
    with pytest.raises(InputError, match=r"under a \[\[source\]\] of its own"):
        add_source(paths, "musical", facts("B"))
    assert paths.manifest("musical").read_text() == text


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip),
    notes=st.text(),
    paths_of_files=st.lists(
        st.from_regex(r"[^/\0\ud800-\udfff]{1,9}", fullmatch=True), unique=True, max_size=3
    ),
)
def test_any_text_comes_back_from_a_manifest(
    tmp_path_factory: pytest.TempPathFactory, name: str, notes: str, paths_of_files: list[str]
) -> None:
    path = tmp_path_factory.mktemp("m") / "m.toml"
    kept = [file for file in paths_of_files if file not in (".", "..")]
    with edit_manifest(path, "pyroviolin", "musical") as edited:
        entry: dict[str, Any] = facts(name, notes=notes)
        entry["files"] = [{"path": file, "sha256": HASH} for file in kept]
        edited.append("source", tomlkit.item([entry]))
    (source,) = read_manifest(path).source
    assert (source.name, source.notes) == (name.strip(), notes)
    assert [file.path for file in source.files] == kept
    assert tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_failed_edit_leaves_the_manifest_as_it_was(paths: InstrumentPaths) -> None:
    written_by_hand(paths)
    with pytest.raises(InputError, match="rating of source 'A"):
        add_source(paths, "musical", {"name": "A {1}", "rating": 9})
    assert paths.manifest("musical").read_text() == WHOLE


def test_two_edits_at_a_time_are_refused(paths: InstrumentPaths) -> None:
    hold = (
        "import sys; from pathlib import Path\n"
        "from morphene_core.sources.manifest import edit_manifest\n"
        "with edit_manifest(Path(sys.argv[1]), '', ''): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, paths.manifest("musical")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=r"being changed by another .* Wait for that"):
            add_source(paths, "musical", facts())
        holder.kill()
    add_source(paths, "musical", facts())
