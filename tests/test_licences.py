"""What licences allow, and what that means for a release."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.home import Home, Release
from morphene_core.instruments import ALL_INSTRUMENTS
from morphene_core.sources.collect import add_source
from morphene_core.sources.licences import (
    EXPIRING_DAYS,
    OWN,
    known_terms,
    licence_problems,
    similar_licences,
    spdx_identifier,
)
from morphene_core.sources.manifest import Manifest, Source
from morphene_core.sources.overview import expiring

TODAY = date(2026, 11, 22)


def problems(licence: str, release: Release, **more: object) -> dict[str, bool]:
    """Return the problems of a licence whose author is named: text, and whether it forbids."""
    source = Source.model_validate(
        {"name": "x", "origin": "recorded", "licence": licence, "attribution": "J. D."} | more
    )
    found = licence_problems(source.terms, source.attribution, source.expires, release, TODAY)
    return {problem.text: problem.forbids for problem in found}


@pytest.mark.parametrize(
    ("licence", "commercial", "noncommercial", "warns_of"),
    [
        ("own", True, True, ""),
        ("CC0-1.0", True, True, ""),
        ("PDDL-1.0", True, True, ""),
        ("MIT", True, True, ""),
        ("CC-BY-3.0", True, True, ""),
        ("CC-BY-4.0", True, True, ""),
        ("CC-BY-3.0-DE", True, True, ""),
        ("CC-BY-SA-4.0", True, True, "share-alike"),
        ("GPL-3.0-or-later", True, True, "share-alike"),
        ("ODbL-1.0", True, True, "share-alike"),
        ("OFL-1.1", True, True, "share-alike"),
        ("CC-BY-NC-4.0", False, True, ""),
        ("CC-BY-NC-SA-4.0", False, True, "share-alike"),
        ("CC-BY-ND-4.0", False, False, ""),
        ("CC-BY-NC-ND-4.0", False, False, ""),
    ],
)
def test_a_licence_allows_a_release_warns_of_something_or_forbids_it(
    licence: str, commercial: bool, noncommercial: bool, warns_of: str
) -> None:
    allowed: dict[Release, bool] = {"commercial": commercial, "noncommercial": noncommercial}
    for release, expected in allowed.items():
        found = problems(licence, release)
        assert (not any(found.values())) == expected
        warnings = [text for text, forbids in found.items() if not forbids]
        assert all(warns_of and warns_of in text for text in warnings)
        assert bool(warnings) == bool(warns_of)


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "MIT", "CC-BY-SA-4.0", "Apache-2.0"])
def test_an_author_who_has_to_be_named_and_is_not_is_a_warning(licence: str) -> None:
    found = problems(licence, "commercial", attribution="")
    assert [text for text in found if "attribution" in text]
    assert not any(found.values())


@pytest.mark.parametrize("licence", [OWN, "CC0-1.0"])
def test_where_nobody_has_to_be_named_nothing_is_said(licence: str) -> None:
    assert problems(licence, "commercial", attribution="") == {}


@pytest.mark.parametrize(
    ("days", "forbids"),
    [(-1, True), (0, False), (1, False), (EXPIRING_DAYS, False), (EXPIRING_DAYS + 1, None)],
)
def test_a_licence_is_valid_on_its_last_day_and_ends_with_it(
    days: int, forbids: bool | None
) -> None:
    last = TODAY + timedelta(days=days)
    found = problems("CC0-1.0", "noncommercial", expires=last)
    assert list(found.values()) == ([] if forbids is None else [forbids])
    assert all(str(last) in text for text in found)


def test_stated_terms_go_before_those_of_the_identifier() -> None:
    bought = problems("CC-BY-NC-4.0", "commercial", commercial=True, document="documents/deal.pdf")
    assert bought == {}
    held_back = problems("CC0-1.0", "commercial", commercial=False)
    assert list(held_back.values()) == [True]


@pytest.mark.parametrize(
    ("typed", "identifier"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        ("Own", "own"),
        (" own ", "own"),
        ("mit", "MIT"),
        ("mit or cc0-1.0", "MIT OR CC0-1.0"),
        ("CC BY 4.0", None),
        ("LicenseRef-Splice", None),
        ("MIT OR LicenseRef-Splice", None),
        ("", None),
        ("((MIT", None),
    ],
)
def test_identifiers_are_spelt_as_spdx_spells_them(typed: str, identifier: str | None) -> None:
    assert spdx_identifier(typed) == identifier


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("CC0", "CC0-1.0"),
        ("cc_by_nc_4.0", "CC-BY-NC-4.0"),
        ("Apache 2", "Apache-2.0"),
    ],
)
def test_a_misspelt_licence_names_a_similar_one(typed: str, meant: str) -> None:
    assert meant in similar_licences(typed)


@given(st.text() | st.from_regex(r"[(]{0,4}(MIT|AND|OR|WITH| |[)]){0,6}", fullmatch=True))
def test_whatever_is_typed_is_a_licence_or_none(typed: str) -> None:
    known_terms(typed)
    similar_licences(typed)
    if spelt := spdx_identifier(typed):
        assert spdx_identifier(spelt) == spelt


def test_what_is_ones_own_was_recorded_or_synthesized() -> None:
    for origin, fine in (
        ("recorded", True),
        ("synthesized", True),
        ("licensed", False),
        ("commissioned", False),
    ):
        entry = {"source": [{"name": "x", "origin": origin, "licence": "own"}]}
        if fine:
            Manifest.model_validate(entry)
        else:
            with pytest.raises(ValueError, match="recorded or synthesized yourself"):
                Manifest.model_validate(entry)


def test_licences_that_end_soon_are_listed_the_first_one_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for slug, days in (("pyroviolin", 30), ("breakwater", -2), ("petrichoir", 91), ("moorhorn", 0)):
        expires = TODAY + timedelta(days=days)
        facts = {"name": slug, "origin": "licensed", "licence": "CC0-1.0", "expires": expires}
        add_source(home.instrument(slug), "nonmusical", facts)
    rows = expiring(home, ALL_INSTRUMENTS, 90, TODAY).to_dict("records")
    found = [(row["slug"], row["role"], row["days_left"]) for row in rows]
    assert found == [
        ("breakwater", "nonmusical", -2),
        ("moorhorn", "nonmusical", 0),
        ("pyroviolin", "nonmusical", 30),
    ]
    assert len(expiring(home, ALL_INSTRUMENTS, 91, TODAY)) == 4
    assert list(expiring(Home(tmp_path / "empty"), ALL_INSTRUMENTS, 90, TODAY).columns)
