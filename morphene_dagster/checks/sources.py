"""Checks of the recordings: licences, the manifest, coverage. They come before any GPU hour."""

import dagster as dg

from morphene_core import stages
from morphene_core.home import ROLES, Home, Role
from morphene_core.instruments import get_instrument
from morphene_core.sources.status import coverage, source_statuses
from morphene_core.sources.verify import discrepancies
from morphene_dagster.metadata import table
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, user_errors

LEAST_COVERAGE = 50.0
"""Percent of the instrument's range under which a warning is due."""


def _licences(role: Role) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{role}_source",
        name="licences_allow_the_release",
        partitions_def=instruments,
        blocking=True,
        description="No licence forbids derivatives, or the sale of what is to be sold, or has"
        " expired. Attribution without a text, share-alike and a near expiry are warnings.",
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        paths = project.paths(context)
        with user_errors():
            register = stages.read_register(paths, role)
            release = Home.resolve().release(paths.slug)
        used = [s for s in source_statuses(register, release) if s.accepted]
        found = [(s.source.name, s.source.licence, problem) for s in used for problem in s.problems]
        found.sort(key=lambda row: not row[2].forbids)
        forbidden = any(problem.forbids for _, _, problem in found)
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if forbidden else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{name!r} ({licence}) {p.text}" for name, licence, p in found)
            or f"{len(used)} sources, all free to use for a {release} release",
            metadata={"release": release},
        )

    return check


def _manifest(role: Role) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{role}_source",
        name="files_are_those_of_the_manifest",
        partitions_def=instruments,
        blocking=True,
        description="Every registered file is there and unchanged. Files that are in the folder and"
        " not in the manifest are not used, which is a warning.",
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        with user_errors():
            found = discrepancies(stages.read_register(project.paths(context), role))
        lost = [d for d in found if d.what != "unregistered"]
        shown = [f"{d.path} is {d.what}" for d in (lost or found)[:5]]
        more = f" and {len(lost or found) - 5} more" if len(lost or found) > 5 else ""
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
            description=", ".join(shown) + more if found else "all as registered",
            metadata={"differences": table([vars(d) for d in found])} if found else {},
        )

    return check


def _coverage(role: Role) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{role}_source",
        name="covers_the_instrument",
        partitions_def=instruments,
        description=f"The recordings cover {LEAST_COVERAGE:g} % of the instrument at least.",
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        paths = project.paths(context)
        with user_errors():
            covered = coverage(stages.read_register(paths, role), get_instrument(paths.slug))
        return dg.AssetCheckResult(
            passed=covered.percentage >= LEAST_COVERAGE,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{covered.percentage:.0f} %" + "".join(f"; {gap}" for gap in covered.gaps),
            metadata={"percent": round(covered.percentage, 1)},
        )

    return check


ALL = [make(role) for role in ROLES for make in (_licences, _manifest, _coverage)]
