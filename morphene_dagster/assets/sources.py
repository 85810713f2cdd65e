"""The raw recordings of an instrument, compared with their manifest, read and judged."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from morphene_core import stages
from morphene_core.home import Home, Role
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.sources.listing import printable
from morphene_core.sources.register import SourceFile, SourceRegister
from morphene_core.sources.status import SourceStatus, coverage, source_statuses
from morphene_dagster.instance import PREPARE_POOL
from morphene_dagster.metadata import duration, overview, picture, table
from morphene_dagster.partitions import PREPARATION, instruments
from morphene_dagster.resources import Project, user_errors

_SHOWN_FILES = 500  # the page has to load; {role}.verdicts.json has all of them


def _source(role: Role) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{role}_source",
        partitions_def=instruments,
        group_name="prepare",
        kinds={"wav"},
        pool=PREPARE_POOL,
        backfill_policy=PREPARATION,
        description=f"The raw {role} recordings: whose they are, under which licence, and a verdict"
        " on each file. Never changed.",
    )
    def source(context: dg.AssetExecutionContext, project: Project) -> dg.MaterializeResult:
        paths = project.paths(context)
        with user_errors():
            register = stages.register(paths, role, context.log.info)
            release = Home.resolve().release(paths.slug)
        sources = source_statuses(register, release)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(register.data_version),
            metadata={
                "seconds": duration(register.seconds),
                "origin": ", ".join(sorted({s.source.origin for s in sources})),
                "licence": ", ".join(sorted({s.source.licence for s in sources})),
                **_rating(sources),
                "sources": table([_source_row(s) for s in sources]),
                "accepted": len(register.accepted),
                "with a warning": sum(f.verdict == "warning" for f in register.files),
                "rejected": sum(f.verdict == "rejected" for f in register.files),
                "verdicts": table([_file_row(file) for file in _first_the_bad(register.files)]),
                **_coverage(register, get_instrument(paths.slug)),
                "manifest": dg.MetadataValue.path(str(paths.manifest(role))),
                "folder": dg.MetadataValue.path(str(paths.sources(role))),
                "overview": overview(
                    [paths.sources(role) / file.path for file in register.accepted],
                    f"{paths.slug}: {role} source, as recorded",
                ),
            },
        )

    return source


def _rating(sources: Sequence[SourceStatus]) -> dict[str, int]:
    rated = [s.source.rating for s in sources if s.source.rating]
    return {"lowest rating": min(rated)} if rated else {}


def _source_row(status: SourceStatus) -> dict[str, Any]:
    source = status.source
    return {
        "source": source.name,
        "origin": source.origin,
        "licence": source.licence,
        "attribution": source.attribution,
        "rating": source.rating,
        "seconds": round(status.seconds, 1),
        "expected seconds": source.expected_seconds,
        "files": f"{len(status.accepted)} of {len(status.files)}",
        "problems": "; ".join(problem.text for problem in status.problems),
    }


def _first_the_bad(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Return the files whose verdicts are shown: all that are not fine come first."""
    order = ("rejected", "warning", "accepted")
    return sorted(files, key=lambda file: order.index(file.verdict))[:_SHOWN_FILES]


def _file_row(file: SourceFile) -> dict[str, Any]:
    return {
        "verdict": file.verdict,
        "file": printable(file.path),
        "reason": file.reason,
        "source": file.source,
        "seconds": round(file.seconds, 3),
        "format": file.examination.format,
        "sample rate": file.examination.sample_rate,
        "channels": file.examination.channels,
        "sha256": file.examination.sha256,
    }


def _coverage(register: SourceRegister, instrument: Instrument) -> dict[str, Any]:
    from morphene_core.audio.pictures import coverage_png

    covered = coverage(register, instrument)
    title = f"{instrument.slug}: coverage of the {register.role} source"
    return {
        "coverage in percent": round(covered.percentage, 1),
        "onsets": covered.onsets,
        "not covered": dg.MetadataValue.md("\n".join(f"- {gap}" for gap in covered.gaps) or "-"),
        "coverage": picture(coverage_png(covered, title)),
    }


musical_source = _source("musical")
nonmusical_source = _source("nonmusical")
