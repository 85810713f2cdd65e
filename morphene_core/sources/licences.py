"""What the licence of a recording allows."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from morphene_core.home import Release

OWN = "own"
"""Licence of recordings and syntheses of one's own, with all rights."""

EXPIRING_DAYS = 90
"""A licence that ends within this time is worth a warning: a training and a release fit into it."""

_CREATIVE_COMMONS = re.compile(r"CC-BY(-NC)?(-SA)?(-ND)?-\d\.\d(-[A-Z]+)?")
_FREE = {OWN, "CC0-1.0", "CC-PDDC", "PDDL-1.0", "Unlicense", "0BSD", "MIT-0", "WTFPL"}
_NOTICE = {
    "MIT",
    "ISC",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "ODC-By-1.0",
}
_COPYLEFT = re.compile(r"(A|L)?GPL-\d\.\d-(only|or-later)|ODbL-1\.0|OFL-1\.1|FreeArt|LAL-1\.[23]")
_COMMON = (
    "CC0-1.0", "CC-BY-4.0", "CC-BY-3.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC-BY-NC-4.0",
    "CC-BY-ND-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0", "PDDL-1.0", "MIT", "Apache-2.0",
)  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """What a licence allows and asks for.

    Attributes:
        commercial: whether what is made from the recording may be sold.
        derivatives: whether anything may be made from it: an instrument is a derivative.
        attribution: whether the author has to be named.
        share_alike: whether what is made from it has to carry the same licence.
    """

    commercial: bool
    derivatives: bool
    attribution: bool
    share_alike: bool


ProblemKind = Literal[
    "derivatives", "commercial", "expired", "expiring", "attribution", "share_alike"
]


@dataclass(frozen=True)
class Problem:
    """Why a source must not be used (``forbids``), or what to mind when it is."""

    kind: ProblemKind
    text: str

    @property
    def forbids(self) -> bool:
        """Whether the source must not be used."""
        return self.kind in ("derivatives", "commercial", "expired")


def known_terms(licence: str) -> Terms | None:
    """Return the terms of a licence that Morphene knows by its SPDX identifier, else None."""
    if licence in _FREE:
        return Terms(True, True, False, False)
    if licence in _NOTICE:
        return Terms(True, True, True, False)
    if _COPYLEFT.fullmatch(licence):
        return Terms(True, True, True, True)
    if match := _CREATIVE_COMMONS.fullmatch(licence):
        noncommercial, share_alike, no_derivatives, _ = match.groups()
        return Terms(not noncommercial, not no_derivatives, True, bool(share_alike))
    return None


def spdx_identifier(licence: str) -> str | None:
    """Return the SPDX spelling of a licence, or None if SPDX does not list it.

    Source: the SPDX licence list as the `packaging` library carries it. "LicenseRef-..." is well
    formed, and says nothing.
    """
    if licence.strip().casefold() == OWN:
        return OWN
    try:
        spelt = str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        return None
    return None if "LicenseRef-" in spelt else spelt


def similar_licences(licence: str) -> list[str]:
    """Return common SPDX identifiers that look like a misspelt one."""
    by_form = {re.sub(r"[^a-z0-9]", "", known.casefold()): known for known in _COMMON}
    form = re.sub(r"[^a-z0-9]", "", licence.casefold())
    return [by_form[match] for match in get_close_matches(form, by_form, n=3, cutoff=0.6)]


def licence_problems(
    terms: Terms, attribution: str, expires: date | None, release: Release, today: date
) -> list[Problem]:
    """Return what stands between a recording's licence and an instrument made from it.

    Args:
        terms: of the licence.
        attribution: the text that names the author, or nothing.
        expires: last day of the licence.
        release: how the instrument is to be released.
        today: the day to judge for.
    """
    problems = []
    if not terms.derivatives:
        problems.append(Problem("derivatives", "allows no derivatives, and an instrument is one"))
    if not terms.commercial and release == "commercial":
        text = "is for non-commercial use, and the release is commercial"
        problems.append(Problem("commercial", text))
    if expires and expires < today:
        problems.append(Problem("expired", f"expired on {expires}"))
    elif expires and expires <= today + timedelta(days=EXPIRING_DAYS):
        problems.append(Problem("expiring", f"expires on {expires}"))
    if terms.attribution and not attribution:
        problems.append(Problem("attribution", "asks for attribution, and no text is given"))
    if terms.share_alike:
        text = "is share-alike: clear which licence the instrument takes"
        problems.append(Problem("share_alike", text))
    return problems
