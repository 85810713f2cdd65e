"""The terms that follow from the licences of an instrument's sources."""

from datetime import date, timedelta
from itertools import combinations_with_replacement, permutations
from pathlib import Path

import pytest

from morphene_core.delivery.lineage import distinct, known_sources, source_files
from morphene_core.delivery.papers import attributions, attributions_text, licence_link
from morphene_core.delivery.rights import read_decisions, record_decision, standing_decision
from morphene_core.delivery.terms import (
    AT_CHOICE,
    NONE_FITS,
    InstrumentTerms,
    LicensedSource,
    forced_licence,
    what_follows,
)
from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.home import Home, InstrumentPaths, Release
from morphene_core.sources.collect import add_source, remove_source
from morphene_core.sources.licences import OWN, Terms, known_terms
from tests.recordings import record

TODAY = date(2026, 11, 22)
DEAL = "Contract with B. Ember"


def licensed(licence: str, **changes: object) -> LicensedSource:
    """Return a source whose author is named, with the terms that its licence implies or states."""
    stated = Terms(True, True, False, False)
    fields: dict[str, object] = {
        "name": f"Takes under {licence}",
        "origin": "recorded",
        "licence": licence,
        "attribution": "" if licence == OWN else "J. Doe",
        "terms": known_terms(licence) or stated,
    }
    return LicensedSource(**fields | changes)  # type: ignore[arg-type]


def terms(*licences: str, release: Release = "noncommercial") -> InstrumentTerms:
    return what_follows([licensed(licence) for licence in licences], release, TODAY)


# For each licence: may be sold, names its author, is share-alike, may be made into an instrument.
RULES = {
    OWN: (True, False, False, True),
    "CC0-1.0": (True, False, False, True),
    "MIT": (True, True, False, True),
    "CC-BY-3.0": (True, True, False, True),
    "CC-BY-4.0": (True, True, False, True),
    "CC-BY-SA-4.0": (True, True, True, True),
    "CC-BY-NC-4.0": (False, True, False, True),
    "CC-BY-NC-SA-4.0": (False, True, True, True),
    "CC-BY-ND-4.0": (True, True, False, False),
    "CC-BY-NC-ND-4.0": (False, True, False, False),
    "GPL-3.0-only": (True, True, True, True),
    "ODbL-1.0": (True, True, True, True),
}
TOGETHER = {
    # Share-alike licences that go together, and the one that follows.
    frozenset({"CC-BY-SA-4.0", "GPL-3.0-only"}): "GPL-3.0-only",
}


@pytest.mark.parametrize("release", ["commercial", "noncommercial"])
@pytest.mark.parametrize("pair", list(combinations_with_replacement(RULES, 2)), ids="+".join)
def test_of_any_two_licences_the_stricter_term_holds(
    pair: tuple[str, str], release: Release
) -> None:
    rules = [RULES[licence] for licence in pair]
    sold, named, alike, makeable = zip(*rules, strict=True)
    found = terms(*pair, release=release)
    assert found.commercial == all(sold)
    assert found.attribution == any(named)
    assert found.share_alike == any(alike)
    assert bool(found.refused) == (not all(makeable))
    forced = {licence for licence in pair if RULES[licence][2]}
    open_to_all = {licence for licence in forced if RULES[licence][0]}
    fits = len(forced) < 2 or frozenset(forced) in TOGETHER
    fits &= all(sold) or not open_to_all  # no commercial use, and a licence that has to allow it
    if not forced:
        assert found.licence == AT_CHOICE
    elif fits:
        assert found.licence == TOGETHER.get(frozenset(forced), next(iter(forced)))
    else:
        assert found.licence == NONE_FITS
    sellable = all(sold) or release == "noncommercial"
    derivable = [RULES[licence][0] for licence in pair if RULES[licence][3]]
    not_for_sale = release == "commercial" and not all(derivable)
    assert bool(found.obstacles) == (not fits or not_for_sale)
    assert bool(found.obstacles or found.refused) == (not (fits and sellable and all(makeable)))


@pytest.mark.parametrize(
    ("licences", "follows"),
    [
        (["CC-BY-SA-1.0"], "CC-BY-SA-1.0"),
        (["CC-BY-SA-1.0", "CC-BY-SA-4.0"], None),
        (["CC-BY-SA-2.0", "CC-BY-SA-3.0"], "CC-BY-SA-3.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-3.0-DE", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-AT"], "CC-BY-SA-4.0"),
        (["CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"], None),
        (["CC-BY-NC-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], None),
        (["CC-BY-SA-4.0", "LAL-1.3"], "LAL-1.3"),
        (["CC-BY-SA-4.0", "GPL-3.0-or-later"], "GPL-3.0-only"),
        (["CC-BY-SA-3.0", "GPL-3.0-or-later"], None),
        (["GPL-2.0-only", "GPL-3.0-only"], None),
        (["GPL-2.0-or-later", "GPL-3.0-only"], "GPL-3.0-only"),
        (["GPL-2.0-or-later", "GPL-3.0-or-later"], "GPL-3.0-or-later"),
        (["LGPL-3.0-or-later", "GPL-3.0-or-later"], "GPL-3.0-or-later"),
        (["ODbL-1.0", "CC-BY-SA-4.0"], None),
        ([OWN, "CC-BY-4.0", "MIT"], None),
    ],
)
def test_share_alike_licences_force_the_one_that_all_of_them_admit(
    licences: list[str], follows: str | None
) -> None:
    for order in permutations(licences):
        assert forced_licence([licensed(licence) for licence in order]) == follows
    found = terms(*licences)
    if follows:
        assert found.licence == follows and found.obstacles == []
        assert f"under {follows}" in " ".join(found.conditions)
    elif found.share_alike:
        (obstacle,) = found.obstacles
        assert all(licence in obstacle.text for licence in licences)


def test_a_licence_that_only_a_document_tells_is_for_a_person_to_clear() -> None:
    deal = licensed(DEAL, document="documents/deal.pdf", document_sha256="0" * 64)
    found = what_follows([deal, licensed("CC-BY-4.0")], "commercial", TODAY)
    assert found.obstacles == [] and found.commercial
    (line,) = found.unclear
    assert DEAL in line and "documents/deal.pdf" in line


def test_what_was_agreed_beside_the_licence_holds_and_is_for_a_person_to_clear() -> None:
    agreed = Terms(True, True, True, False)
    bought = licensed("CC-BY-NC-4.0", terms=agreed, document="documents/deal.pdf")
    found = what_follows([bought], "commercial", TODAY)
    assert found.commercial and found.obstacles == []
    assert "documents/deal.pdf" in found.unclear[0]


def test_two_documents_that_ask_for_their_own_licence_exclude_one_another() -> None:
    alike = Terms(True, True, True, True)
    sources = [licensed(name, terms=alike) for name in ("Deal A", "Deal B")]
    assert what_follows(sources[:1], "commercial", TODAY).licence == "Deal A"
    found = what_follows(sources, "commercial", TODAY)
    assert found.licence == NONE_FITS
    assert "Deal A" in found.obstacles[0].text and "Deal B" in found.obstacles[0].text


@pytest.mark.parametrize(("days", "forbidden"), [(-1, True), (0, False), (400, False)])
def test_a_licence_that_has_ended_forbids_the_release_and_one_that_ends_is_named(
    days: int, forbidden: bool
) -> None:
    last = TODAY + timedelta(days=days)
    found = what_follows([licensed("CC0-1.0", expires=last)], "commercial", TODAY)
    assert [str(last) in obstacle.text for obstacle in found.obstacles] == [True] * forbidden
    assert f"ends on {last}" in found.conditions[0]


def test_an_author_whom_nothing_names_forbids_the_release_and_the_remedy_is_a_command() -> None:
    found = what_follows([licensed("CC-BY-4.0", attribution="")], "noncommercial", TODAY)
    assert "--attribution" in found.obstacles[0].line
    assert what_follows([licensed("CC0-1.0", attribution="")], "commercial", TODAY).obstacles == []


# Whom to name.


@pytest.mark.parametrize(
    ("licence", "link"),
    [
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC-BY-3.0-DE", "https://creativecommons.org/licenses/by/3.0/de/"),
        ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("MIT", "https://spdx.org/licenses/MIT.html"),
        (OWN, ""),
        (DEAL, ""),
    ],
)
def test_a_licence_is_linked_where_it_can_be_read(licence: str, link: str) -> None:
    assert licence_link(licence) == link


def test_those_who_have_to_be_named_are_and_nobody_else() -> None:
    sources = [
        licensed(OWN),
        licensed("CC0-1.0", attribution="Nobody asked"),
        licensed("CC-BY-4.0", name="Violin *solo*", attribution="A. Bow", origin="licensed"),
        licensed(DEAL, attribution="B. Ember"),
        licensed("Another deal", attribution=""),
    ]
    entries = attributions(sources)
    assert [entry["attribution"] for entry in entries] == ["A. Bow", "B. Ember"]
    text = attributions_text("Pyroviolin", entries)
    assert (
        r'"Violin \*solo\*" by A. Bow (licensed), licensed under CC-BY-4.0'
        " (https://creativecommons.org/licenses/by/4.0/). Modified: "
    ) in text
    assert "Nobody asked" not in text
    assert "No source asks" in attributions_text("Pyroviolin", [])


# Which sources an instrument has, and what is decided of them.


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
    assert [known.name for known in known_sources(paths)] == ["Takes"]
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


def test_a_rights_decision_stands_until_it_is_withdrawn_and_all_stay_on_record(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    contract = tmp_path / "contract.pdf"
    contract.write_bytes(b"signed")
    record_decision(paths, "clear", "commercial", "Cleared.", "Bo", ["Takes (own)"], contract)
    standing = standing_decision(paths, "commercial")
    assert standing is not None and standing.who == "Bo"
    assert standing.missing(["Takes (own)", "Fire (own)"]) == ["Fire (own)"]
    kept = paths.documents.parent / str(standing.document)
    assert kept.read_bytes() == b"signed" and standing.document_sha256 == sha256(contract)
    assert standing_decision(paths, "noncommercial") is None
    record_decision(paths, "withdraw", "commercial", "A heir objects.", "Bo", [])
    assert standing_decision(paths, "commercial") is None
    record_decision(paths, "clear", "commercial", "Settled.", "Bo", ["Takes (own)"])
    assert standing_decision(paths, "commercial") is not None
    said = [decision.decision for decision in read_decisions(paths)]
    assert said == ["Cleared.", "A heir objects.", "Settled."]


@pytest.mark.parametrize("line", ['{"action": "withdraw", "release": "comm', '{"who": 3}', "\0"])
def test_a_damaged_decision_is_not_passed_over_since_it_may_have_been_a_withdrawal(
    paths: InstrumentPaths, line: str
) -> None:
    record_decision(paths, "clear", "commercial", "Cleared.", "Bo", ["Takes (own)"])
    with paths.rights.open("a") as journal:
        journal.write(f"{line}\n")
    with pytest.raises(InputError, match=r"rights\.jsonl, line 2, is damaged"):
        standing_decision(paths, "commercial")


@pytest.mark.parametrize(
    ("decision", "who", "complaint"),
    [("", "Bo", "name and words"), (" ", "Bo", "name and words"), ("Yes.", "", "name and words"),
     ("Yes.", "B" * 81, "at most"), ("Y" * 9000, "Bo", "at most")],
)  # fmt: skip
def test_a_rights_decision_without_name_or_words_is_refused(
    paths: InstrumentPaths, decision: str, who: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        record_decision(paths, "clear", "commercial", decision, who, ["Takes (own)"])
    assert read_decisions(paths) == []


def test_where_there_is_nothing_to_clear_nothing_is_cleared(paths: InstrumentPaths) -> None:
    with pytest.raises(InputError, match="has no sources yet"):
        record_decision(paths, "clear", "commercial", "Yes.", "Bo", [])


def test_a_document_that_is_none_is_refused(paths: InstrumentPaths, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pdf"):
        with pytest.raises(InputError, match=path.name):
            record_decision(paths, "clear", "commercial", "Yes.", "Bo", ["Takes (own)"], path)
    assert read_decisions(paths) == []
