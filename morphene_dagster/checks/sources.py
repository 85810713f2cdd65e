"""Checks of the recordings: licences, the manifest, coverage. They come before any GPU hour."""

import dagster as dg

from morphene_core import stages
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import get_instrument
from morphene_core.sources.status import coverage, source_statuses
from morphene_core.sources.verify import discrepancies
from morphene_dagster.checks.common import Finding, instrument_check
from morphene_dagster.metadata import table
from morphene_dagster.resources import Project

LEAST_COVERAGE = 50.0
"""Percent of the instrument's range under which a warning is due."""

_SHOWN = 5


def _licences(role: Role) -> dg.AssetChecksDefinition:
    def judge(project: Project, paths: InstrumentPaths) -> Finding:
        release = Home.resolve().release(paths.slug)
        sources = source_statuses(stages.read_register(paths, role), release)
        used = [status.source for status in sources if status.accepted]
        found = [(s.source, problem) for s in sources if s.accepted for problem in s.problems]
        found.sort(key=lambda pair: not pair[1].forbids)
        texts = [f"{source.name!r} ({source.licence}) {problem.text}" for source, problem in found]
        return Finding(
            not found,
            "; ".join(texts) or f"{len(used)} sources, free to use for a {release} release",
            serious=any(problem.forbids for _, problem in found),
            metadata={"release": release},
        )

    return instrument_check(
        f"{role}_source",
        "licences_allow_the_release",
        "No licence forbids derivatives, or the sale of what is to be sold, or has expired."
        " Attribution without a text, share-alike and a near expiry are warnings.",
        judge,
        blocking=True,
    )


def _manifest(role: Role) -> dg.AssetChecksDefinition:
    def judge(project: Project, paths: InstrumentPaths) -> Finding:
        found = discrepancies(stages.read_register(paths, role))
        lost = [difference for difference in found if difference.what != "unregistered"]
        shown = [f"{difference.path} is {difference.what}" for difference in lost or found]
        more = [f"and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
        return Finding(
            not found,
            ", ".join([*shown[:_SHOWN], *more]) or "all as registered",
            serious=bool(lost),
            metadata={"differences": table([vars(d) for d in found])} if found else {},
        )

    return instrument_check(
        f"{role}_source",
        "files_are_those_of_the_manifest",
        "Every registered file is there and unchanged. Files that are in the folder and not in the"
        " manifest are not used, which is a warning.",
        judge,
        blocking=True,
    )


def _coverage(role: Role) -> dg.AssetChecksDefinition:
    def judge(project: Project, paths: InstrumentPaths) -> Finding:
        covered = coverage(stages.read_register(paths, role), get_instrument(paths.slug))
        percent = covered.percentage
        return Finding(
            percent >= LEAST_COVERAGE,
            "; ".join([f"{percent:.0f} %", *covered.gaps]),
            serious=False,
            metadata={"percent": round(percent, 1)},
        )

    return instrument_check(
        f"{role}_source",
        "covers_the_instrument",
        f"The recordings cover {LEAST_COVERAGE:g} % of the instrument's range at least.",
        judge,
    )


ALL = [make(role) for role in ROLES for make in (_licences, _manifest, _coverage)]
