"""The terms that follow from the licences of an instrument's sources."""

import shlex
from datetime import timedelta
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.terms import (
    AT_CHOICE,
    NONE_FITS,
    InstrumentTerms,
    LicensedSource,
    forced_licence,
    what_follows,
)
from morphene_core.home import Release
from morphene_core.sources.collect import remove_source
from morphene_core.sources.licences import OWN, ProblemKind, Terms, licence_problems
from morphene_dagster.cli import main
from tests.deliverable import make_deliverable
from tests.licensed import DEAL, TODAY, licensed


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
    "OFL-1.1": (True, True, True, True),
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


@pytest.mark.parametrize(
    ("licence", "agreed"),
    [
        ("CC-BY-NC-4.0", Terms(True, True, True, False)),
        ("CC-BY-ND-4.0", Terms(True, True, True, False)),
        ("CC-BY-SA-4.0", Terms(True, True, True, False)),
    ],
)
def test_what_was_agreed_beside_the_licence_holds_and_is_for_a_person_to_clear(
    licence: str, agreed: Terms
) -> None:
    bought = licensed(licence, terms=agreed, document="documents/deal.pdf")
    found = what_follows([bought], "commercial", TODAY)
    assert found.commercial and found.obstacles == found.refused == []
    assert found.licence == AT_CHOICE
    (line,) = found.unclear
    assert "documents/deal.pdf, which stays with whoever releases the instrument" in line


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


YESTERDAY = TODAY - timedelta(days=1)
FORBIDDEN = [
    ("derivatives", licensed("CC-BY-ND-4.0"), "an instrument is one", "attach the document"),
    ("commercial", licensed("CC-BY-NC-4.0"), "the release is commercial", '"noncommercial"'),
    ("expired", licensed("CC0-1.0", expires=YESTERDAY), f"on {YESTERDAY}", "Renew it"),
    ("attribution", licensed("CC-BY-4.0", attribution=""), "names its author", "--attribution"),
]
MINDED = [
    ("expiring", licensed("CC0-1.0", expires=TODAY)),
    ("share_alike", licensed("CC-BY-SA-4.0")),
]


@pytest.mark.parametrize(
    ("kind", "source", "said", "remedy"), FORBIDDEN, ids=lambda part: str(part)[:20]
)
def test_what_forbids_a_release_is_named_with_its_own_remedy(
    kind: str, source: LicensedSource, said: str, remedy: str
) -> None:
    (problem,) = licence_problems(
        source.terms, source.attribution, source.expires, "commercial", TODAY
    )
    assert problem.kind == kind
    found = what_follows([source], "commercial", TODAY)
    assert bool(found.refused) == (kind == "derivatives")
    (obstacle,) = found.refused + found.obstacles
    assert source.title in obstacle.text and obstacle.text.endswith(f"{said}.")
    assert remedy in obstacle.remedy


@pytest.mark.parametrize(("kind", "source"), MINDED, ids=lambda part: str(part)[:20])
def test_what_is_only_to_be_minded_forbids_nothing(kind: str, source: LicensedSource) -> None:
    (problem,) = licence_problems(
        source.terms, source.attribution, source.expires, "commercial", TODAY
    )
    assert (problem.kind, problem.forbids) == (kind, False)
    found = what_follows([source], "commercial", TODAY)
    assert found.refused == found.obstacles == []


def test_every_kind_of_problem_is_among_them() -> None:
    assert {kind for kind, *_ in (*FORBIDDEN, *MINDED)} == set(get_args(ProblemKind))


NAMELESS = {"licence": "CC-BY-4.0", "origin": "licensed", "name": 'Bo\'s "takes" $HOME'}


def test_the_remedy_for_an_author_whom_nothing_names_is_a_command_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make_deliverable(tmp_path / "home", **NAMELESS)
    (obstacle,) = candidate(paths).terms.obstacles
    _, command, _ = obstacle.remedy.split("`")
    program, *arguments = shlex.split(command)
    assert (program, arguments[-1]) == ("morphene", "TEXT")
    monkeypatch.setenv("MORPHENE_HOME", str(paths.home))
    done = CliRunner().invoke(main, [*arguments[:-1], "A. Bow"])
    assert done.exit_code == 0, done.output
    assert candidate(paths).terms.obstacles == []


def test_the_author_of_a_source_that_was_taken_out_is_not_named_by_that_command(
    tmp_path: Path,
) -> None:
    paths = make_deliverable(tmp_path / "home", **NAMELESS)
    remove_source(paths, "musical", NAMELESS["name"])
    (obstacle,) = candidate(paths).terms.obstacles
    assert "`" not in obstacle.remedy and "train without it" in obstacle.remedy
