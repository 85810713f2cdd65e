"""The terms of an instrument that follow from the licences of what it was trained on.

The most restrictive rule decides: what one source forbids is forbidden, what one source asks for is
asked for. None of this is legal advice.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from morphene_core.home import Release
from morphene_core.sources.licences import ProblemKind, Terms, known_terms, licence_problems

AT_CHOICE = "at the choice of whoever releases it"
"""In place of a licence, where no source forces one."""

NONE_FITS = "none: the licences of the sources exclude one another"
"""In place of a licence, where share-alike sources force what cannot be had together."""


@dataclass(frozen=True)
class LicensedSource:
    """A source that an instrument was trained on, with its licence as it is known now.

    Attributes:
        name: of the source.
        origin: recorded, licensed, commissioned or synthesized.
        licence: SPDX identifier, "own", or the name of a licence with a document.
        attribution: text that names the author, or nothing.
        terms: what the licence allows and asks for.
        expires: its last day.
        document: contract or consent, relative to the instrument's folder of sources.
        document_sha256: its hash.
        registered: whether the source is still in the manifest.
        instrument: whose source it is.
        role: what it is to the instrument. Sources that differ in nothing else are one to the
            terms.
    """

    name: str
    origin: str
    licence: str
    attribution: str
    terms: Terms
    expires: date | None = None
    document: str | None = None
    document_sha256: str | None = None
    registered: bool = True
    instrument: str = field(default="", compare=False)
    role: str = field(default="", compare=False)

    @property
    def is_known(self) -> bool:
        """Whether the name of the licence tells its terms, and nothing else was agreed."""
        return known_terms(self.licence) == self.terms

    @property
    def asks_for_attribution(self) -> bool:
        """Whether the author has to be named: where Morphene cannot tell, if a text is given."""
        unknown = known_terms(self.licence) is None
        return self.terms.attribution or (unknown and bool(self.attribution))

    @property
    def title(self) -> str:
        """The source and its licence in a few words."""
        return f"{self.name} ({self.licence})"

    @property
    def covered_as(self) -> str:
        """What a rights decision records of it: whatever gives another text needs another one.

        A document may be the whole licence, so that its hash is part of it.
        """
        digest = self.document_sha256
        document = f", document {digest[:8]}" if digest else ""
        return f"{self.role} source {self.name} ({self.licence}{document})"


@dataclass(frozen=True)
class Obstacle:
    """What stands between an instrument and its delivery.

    Attributes:
        text: what it is, a sentence.
        remedy: what to do about it, a sentence.
    """

    text: str
    remedy: str

    @property
    def line(self) -> str:
        """Both on one line."""
        return f"{self.text} {self.remedy}"


@dataclass(frozen=True)
class InstrumentTerms:
    """The terms that follow for the instrument.

    Attributes:
        licence: the one that share-alike sources force, by its SPDX identifier; else AT_CHOICE, or
            NONE_FITS.
        commercial: whether it may be sold, as far as the sources are concerned.
        share_alike: whether it has to be passed on under ``licence``.
        attribution: whether authors have to be named.
        conditions: what whoever passes it on has to keep, in plain words.
        unclear: what a person has to clear, because Morphene cannot know it.
        refused: what forbids that the instrument is made at all.
        obstacles: what forbids its release as it is planned.
    """

    licence: str
    commercial: bool
    share_alike: bool
    attribution: bool
    conditions: list[str]
    unclear: list[str]
    refused: list[Obstacle]
    obstacles: list[Obstacle]


def what_follows(
    sources: Sequence[LicensedSource], release: Release, today: date
) -> InstrumentTerms:
    """Return the terms of an instrument.

    Args:
        sources: that it was trained on.
        release: how it is to be released.
        today: the day to judge for: licences end.
    """
    alike = [source for source in sources if source.terms.share_alike]
    licence = forced_licence(sources)
    refused, obstacles = _obstacles(sources, release, today)
    if alike and licence is None:
        obstacles.append(_contradiction(sources))
    named = [source for source in sources if source.asks_for_attribution]
    return InstrumentTerms(
        licence=licence or (NONE_FITS if alike else AT_CHOICE),
        commercial=all(source.terms.commercial for source in sources),
        share_alike=bool(alike),
        attribution=bool(named),
        conditions=_conditions(sources, alike, named, licence),
        unclear=[line for source in sources for line in _unclear(source)],
        refused=refused,
        obstacles=obstacles,
    )


def forced_licence(sources: Sequence[LicensedSource]) -> str | None:
    """Return the licence that share-alike sources force; None without such, or if none fits all.

    Where several fit, it is one that a source has itself, and else the newest.
    """
    alike = [source for source in sources if source.terms.share_alike]
    if not alike:
        return None
    fitting = frozenset.intersection(*(admitted(source.licence) for source in alike))
    if not all(source.terms.commercial for source in sources):
        closed = {source.licence for source in alike if not source.terms.commercial}
        fitting = frozenset(name for name in fitting if "-NC-" in name or name in closed)
    own = {source.licence for source in alike}
    return max(fitting, key=lambda name: (name in own, name), default=None)


_SHARE_ALIKE = re.compile(r"(CC-BY(?:-NC)?-SA)-(\d\.\d)(-[A-Z]+)?")
_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
_GPL_3 = ("GPL-3.0-only", "GPL-3.0-or-later")
_ADMITTED = {
    # https://creativecommons.org/share-your-work/licensing-considerations/compatible-licenses
    "CC-BY-SA-4.0": ("CC-BY-SA-4.0", "LAL-1.3", "GPL-3.0-only"),
    "LAL-1.3": ("LAL-1.3", "CC-BY-SA-4.0"),
    # "or later" leaves the choice of the version, and the LGPL that of the GPL.
    "GPL-2.0-or-later": ("GPL-2.0-only", "GPL-2.0-or-later", *_GPL_3),
    "GPL-3.0-or-later": _GPL_3,
    "LGPL-3.0-only": ("LGPL-3.0-only", "GPL-3.0-only"),
    "LGPL-3.0-or-later": ("LGPL-3.0-only", "LGPL-3.0-or-later", *_GPL_3),
}


def admitted(licence: str) -> frozenset[str]:
    """Return the licences under which something made from share-alike material may be released.

    Creative Commons' licences admit later versions with the same elements (from 2.0 on), and
    those that Creative Commons has declared compatible. Of what is not listed here, nothing but
    the licence itself is taken for granted.
    """
    if licence in _ADMITTED:
        return frozenset(_ADMITTED[licence])
    match = _SHARE_ALIKE.fullmatch(licence)
    if not match or match[2] == "1.0":
        return frozenset({licence})
    later = (f"{match[1]}-{version}" for version in _VERSIONS if version >= match[2])
    return frozenset({licence, *later})


def _obstacles(
    sources: Sequence[LicensedSource], release: Release, today: date
) -> tuple[list[Obstacle], list[Obstacle]]:
    refused: list[Obstacle] = []
    obstacles: list[Obstacle] = []
    for source in sources:
        problems = licence_problems(
            source.terms, source.attribution, source.expires, release, today
        )
        for problem in problems:
            if problem.forbids:
                text = f"The licence of {source.title} {problem.text}."
                found = Obstacle(text, _REMEDIES[problem.kind])
                (obstacles if source.terms.derivatives else refused).append(found)
            elif problem.kind == "attribution":
                text = f"{source.title} asks for attribution, and no text names its author."
                obstacles.append(Obstacle(text, _how_to_name(source)))
    return refused, obstacles


_REMEDIES: dict[ProblemKind, str] = {
    "derivatives": "Train without it, or attach the document that allows more.",
    "commercial": 'Set release = "noncommercial" in morphene.toml, or train without it.',
    "expired": "Renew it, or train without it.",
}


def _how_to_name(source: LicensedSource) -> str:
    if not source.registered:
        return "Register it again, with the text that names its author, or train without it."
    place = f"-i {source.instrument} -t {source.role} --name {shlex.quote(source.name)}"
    return f"Name its author: `morphene sources add {place} --attribution TEXT`."


def _contradiction(sources: Sequence[LicensedSource]) -> Obstacle:
    alike = [source for source in sources if source.terms.share_alike]
    others = [s for s in sources if not (s.terms.share_alike or s.terms.commercial)]
    one_fits = bool(frozenset.intersection(*(admitted(source.licence) for source in alike)))
    if one_fits:
        text = f"{_titles(alike)} must be passed on for commercial use as well, which"
        text += f" {_titles(others or alike)} forbids."
    else:
        text = f"Share-alike licences that exclude one another: {_titles(alike)}."
    return Obstacle(text, "Train without one of them, or agree on other terms with its owner.")


def _conditions(
    sources: Sequence[LicensedSource],
    alike: Sequence[LicensedSource],
    named: Sequence[LicensedSource],
    licence: str | None,
) -> list[str]:
    conditions = []
    if closed := [source for source in sources if not source.terms.commercial]:
        conditions.append(f"No commercial use, because of {_titles(closed)}.")
    if licence:
        text = f"It is passed on under {licence} and no other terms, because of"
        conditions.append(f"{text} {_titles(alike)}.")
    if named:
        conditions.append(f"ATTRIBUTIONS.md goes with it, because of {_titles(named)}.")
    conditions += [
        f"The licence of {source.title} ends on {source.expires}."
        for source in sources
        if source.expires
    ]
    return conditions


def _unclear(source: LicensedSource) -> list[str]:
    lines = []
    where = "there is no document"
    if source.document:
        where = f"see {source.document}, which stays with whoever releases the instrument"
    if known_terms(source.licence) is None:
        lines.append(f"Morphene does not know the licence of {source.title}: {where}.")
    elif not source.is_known:
        lines.append(f"Other terms than its licence's were agreed for {source.title}: {where}.")
    if not source.registered:
        lines.append(
            f"{source.title} was taken out of the sources after the training: may what was made"
            " from it still be released?"
        )
    return lines


def _titles(sources: Sequence[LicensedSource]) -> str:
    return ", ".join(source.title for source in sources)
