"""All instruments' recordings in one table."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from morphene_core.home import ROLES, Home
from morphene_core.instruments import Instrument
from morphene_core.profiles import load_profile
from morphene_core.progress import Report, silent
from morphene_core.sources.manifest import read_manifest
from morphene_core.sources.status import RoleStatus, role_status

if TYPE_CHECKING:
    import pandas

_ADDED_UP = ("hours", "wanted_hours", "expected_hours", "files", "rejected", "licence_problems")


def instrument_status(
    home: Home, instrument: Instrument, report: Report = silent
) -> list[RoleStatus]:
    """Return how far both roles' recordings of an instrument are.

    Args:
        home: the project folder.
        instrument: its entry in the catalogue.
        report: takes progress.
    """
    paths = home.instrument(instrument.slug)
    hours = load_profile(home.profile_name(instrument.slug), home.profiles).source_hours
    release = home.release(instrument.slug)
    return [role_status(paths, instrument, role, hours, release, report) for role in ROLES]


def summary(
    home: Home, instruments: Sequence[Instrument], report: Report = silent
) -> "pandas.DataFrame":
    """Return a table of all instruments' recordings, a row for each role of each instrument.

    Columns: number, slug, name, tier, role, source, hours (usable), wanted_hours, expected_hours,
    files (accepted), rejected, rating, coverage (percent; missing where nothing was recorded),
    licence_problems (that forbid the use), complete.
    """
    import pandas

    rows = [
        {
            "number": instrument.number,
            "slug": instrument.slug,
            "name": instrument.name,
            "tier": instrument.tier,
            **_row(instrument, status),
        }
        for instrument in instruments
        for status in instrument_status(home, instrument, report)
    ]
    return pandas.DataFrame(rows)


def totals(table: "pandas.DataFrame") -> "pandas.DataFrame":
    """Return the sums of a summary by tier, and of all of it (row "all")."""
    import pandas

    columns = [*_ADDED_UP, "complete"]
    tiers = table.groupby("tier", sort=False)[columns].sum()
    everything = table[columns].sum().to_frame("all").T
    return pandas.concat([tiers, everything]).rename_axis("tier").reset_index()


def expiring(
    home: Home, instruments: Sequence[Instrument], days: int, today: date | None = None
) -> "pandas.DataFrame":
    """Return the sources whose licences end within a number of days, or have ended.

    Columns: expires, days_left, slug, role, source, licence; the first to expire is the first row.
    """
    import pandas

    day = today or datetime.now(UTC).date()
    rows = [
        (source.expires, (source.expires - day).days, slug, role, source.name, source.licence)
        for slug in (instrument.slug for instrument in instruments)
        for role in ROLES
        for source in read_manifest(home.instrument(slug).manifest(role)).source
        if source.expires and source.expires <= day + timedelta(days=days)
    ]
    columns = ["expires", "days_left", "slug", "role", "source", "licence"]
    return pandas.DataFrame(rows, columns=columns).sort_values("expires", ignore_index=True)


def _row(instrument: Instrument, status: RoleStatus) -> dict[str, object]:
    musical = status.role == "musical"
    return {
        "role": status.role,
        "source": instrument.musical_source if musical else instrument.nonmusical_source,
        "hours": round(status.usable_seconds / 3600, 3),
        "wanted_hours": status.wanted_seconds / 3600,
        "expected_hours": round(status.expected_seconds / 3600, 3),
        "files": status.count("accepted", "warning"),
        "rejected": status.count("rejected"),
        "rating": round(status.rating, 1) if status.rating else None,
        "coverage": round(status.coverage.percentage, 1) if status.register.accepted else None,
        "licence_problems": sum(problem.forbids for _, problem in status.problems),
        "complete": status.complete,
    }
