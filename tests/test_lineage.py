"""Which sources an instrument was trained on, as the manifests say now."""

import re
from pathlib import Path

import pytest

from morphene_core.delivery.lineage import distinct, known_sources, source_files, source_titles
from morphene_core.delivery.terms import LicensedSource, what_follows
from morphene_core.files import sha256
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.sources.collect import add_source, remove_source
from tests.licensed import DEAL, TODAY
from tests.recordings import record

HASH = "0123456789abcdef" * 4


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path / "home").instrument("pyroviolin")


def trained_on(paths: InstrumentPaths, take: Path, **facts: object) -> list[dict[str, str]]:
    """Register a recording, and return what a dataset would record of it."""
    given = {"name": "Takes", "origin": "licensed", "licence": "CC-BY-4.0", "attribution": "J."}
    add_source(paths, "musical", given | facts, [take])
    file = {"role": "musical", "path": "Takes/x.wav", "sha256": sha256(take), "source": "Takes"}
    return [file | {"licence": "CC-BY-4.0", "origin": "licensed", "attribution": "J."}]


def test_the_licence_as_it_is_now_counts_and_of_a_removed_source_that_it_had(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    recorded = trained_on(paths, record(tmp_path / "x.wav"))
    add_source(paths, "musical", {"name": "Takes", "licence": "CC-BY-NC-4.0"})
    (source,) = distinct(source_files(paths, recorded))
    assert (source.licence, source.registered) == ("CC-BY-NC-4.0", True)
    assert known_sources(paths) == ["musical source Takes (CC-BY-NC-4.0)"]
    remove_source(paths, "musical", "Takes")
    (source,) = distinct(source_files(paths, recorded))
    assert (source.licence, source.registered) == ("CC-BY-NC-4.0", False)
    assert "taken out" in what_follows([source], "noncommercial", TODAY).unclear[0]


def test_of_a_source_that_no_manifest_has_the_record_counts_and_nothing_is_taken_for_allowed(
    paths: InstrumentPaths,
) -> None:
    file = {"role": "musical", "path": "x.wav", "sha256": "0" * 64, "source": "Gone"}
    (known,) = distinct(source_files(paths, [file | {"licence": "CC-BY-4.0"}]))
    (unknown,) = distinct(source_files(paths, [file | {"licence": DEAL}]))
    assert known.terms.commercial
    assert not unknown.terms.commercial


# Contents that stand in more than one place.


def entry(name: str, licence: str, path: str, more: str = "") -> str:
    """Return a source of one file in a manifest; all of them have the same contents."""
    return f"""
[[source]]
name = "{name}"
origin = "recorded"
licence = "{licence}"
attribution = "J."
{more}
files = [{{path = "{path}", sha256 = "{HASH}"}}]
"""


OWN = entry("Mine", "own", "copy.wav")
STATED = 'document = "documents/deal.pdf"\ncommercial = true\nderivatives = true\n'


def found_in(paths: InstrumentPaths, now: str, removed: str = "") -> LicensedSource:
    """Return the source of take.wav where the manifests, of now and of before, say this."""
    for manifest, text in (
        (paths.manifest("musical"), now),
        (paths.removed / "20260101T000000-musical-takes" / "musical.toml", removed),
    ):
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(text)
    file = {"role": "musical", "path": "take.wav", "sha256": HASH, "source": "Takes"}
    (found,) = distinct(source_files(paths, [file]))
    return found


@pytest.mark.parametrize("own_last", [True, False])
@pytest.mark.parametrize("path", ["take.wav", "moved.wav"])
def test_another_source_of_the_same_contents_does_not_take_their_place(
    paths: InstrumentPaths, own_last: bool, path: str
) -> None:
    takes = entry("Takes", "CC-BY-NC-4.0", path)
    found = found_in(paths, takes + OWN if own_last else OWN + takes)
    assert found.name == "Takes"
    assert what_follows([found], "commercial", TODAY).obstacles


def test_the_entry_of_the_very_file_counts_though_another_is_stricter(
    paths: InstrumentPaths,
) -> None:
    found = found_in(
        paths, entry("A pack", "CC-BY-NC-4.0", "pack.wav") + entry("Takes", "own", "take.wav")
    )
    assert (found.name, found.licence) == ("Takes", "own")


@pytest.mark.parametrize(
    ("strict", "lenient"),
    [
        (entry("S", "CC-BY-ND-4.0", "s.wav"), entry("L", "CC-BY-NC-4.0", "l.wav")),
        (entry("S", "CC-BY-NC-4.0", "s.wav"), entry("L", "CC-BY-SA-4.0", "l.wav")),
        (entry("S", "CC-BY-SA-4.0", "s.wav"), entry("L", "CC-BY-4.0", "l.wav")),
        (entry("S", "CC-BY-4.0", "s.wav"), entry("L", "CC0-1.0", "l.wav")),
        (entry("S", DEAL, "s.wav", STATED), entry("L", "own", "l.wav")),
        (entry("S", "own", "s.wav", "expires = 2026-01-01"), entry("L", "own", "l.wav")),
        (
            entry("S", "own", "s.wav", "expires = 2026-01-01"),
            entry("L", "own", "l.wav", "expires = 2030-01-01"),
        ),
    ],
)
def test_of_several_sources_of_the_same_contents_the_strictest_counts(
    paths: InstrumentPaths, strict: str, lenient: str
) -> None:
    for manifest in (strict + lenient, lenient + strict):
        assert found_in(paths, manifest).name == "S"
        assert found_in(paths, "", removed=manifest).name == "S"


@pytest.mark.parametrize("path", ["take.wav", "moved.wav"])
def test_what_is_registered_now_counts_before_what_was_taken_out(
    paths: InstrumentPaths, path: str
) -> None:
    removed = entry("Takes", "CC-BY-NC-4.0", "take.wav")
    found = found_in(paths, entry("Takes", "own", path), removed)
    assert (found.licence, found.registered) == ("own", True)


def test_what_is_one_source_in_both_roles_is_one_to_the_terms_and_two_to_a_decision(
    paths: InstrumentPaths,
) -> None:
    file = {"path": "x.wav", "sha256": HASH, "source": "Takes", "licence": "own"}
    files = source_files(paths, [file | {"role": role} for role in ROLES])
    assert len(distinct(files)) == 1
    assert source_titles(files) == [f"{role} source Takes (own)" for role in ROLES]


def test_a_removed_source_keeps_its_document_and_a_person_is_told_to_clear_both(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    contract = tmp_path / "deal.pdf"
    contract.write_bytes(b"signed")
    facts = {"licence": DEAL, "commercial": True, "derivatives": True}
    recorded = trained_on(paths, record(tmp_path / "x.wav"))
    add_source(paths, "musical", {"name": "Takes"} | facts, document=contract)
    remove_source(paths, "musical", "Takes")
    (source,) = distinct(source_files(paths, recorded))
    assert source.document_sha256 == sha256(contract)
    unclear = what_follows([source], "commercial", TODAY).unclear
    assert [bool(re.search("documents/deal.pdf|taken out", line)) for line in unclear] == [True] * 2
