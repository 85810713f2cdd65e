"""`morphene sources`: the register of recordings."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from morphene_dagster.cli.common import (
    counted,
    find_instrument,
    json_option,
    open_home,
    print_json,
    print_rows,
    progress,
    records,
    user_errors,
)

if TYPE_CHECKING:
    from morphene_core.home import Role

_ROLES = click.Choice(["musical", "nonmusical"])
_ORIGINS = click.Choice(["recorded", "licensed", "commissioned", "synthesized"])


class _Duration(click.ParamType):
    """Seconds, or h:mm:ss."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        seconds = 0.0
        if re.fullmatch(r"([0-9]+:){0,2}[0-9]+(\.[0-9]+)?", str(value)):
            for part in str(value).split(":"):
                seconds = seconds * 60 + float(part)
        if not 0 < seconds < 1e7:
            self.fail(f"{value!r} is no duration: write 5400 or 1:30:00.", param, context)
        return seconds


class _Day(click.ParamType):
    name = "date"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> date:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no date: write it like 2027-12-31.", param, context)


_instrument = click.option(
    "-i", "--instrument", required=True, metavar="NUMBER|SLUG", help="The instrument."
)
_type = click.option("-t", "--type", "role", type=_ROLES, required=True, help="The role.")


@click.group()
def sources() -> None:
    """The recordings: whose they are, what is there, what is missing.

    All of it is kept in text files beside the recordings, in MORPHENE_HOME:
    sources/{instrument}/musical.toml and nonmusical.toml, which you may edit by hand.
    """


@sources.command()
@_instrument
@_type
@click.option("-n", "--name", required=True, help="What you call this source.")
@click.option("--origin", type=_ORIGINS, help="Where it comes from.")
@click.option(
    "--license", "--licence", "licence", help='SPDX identifier, "own", or a name with --document.'
)
@click.option("--document", type=click.Path(path_type=Path), help="Contract or consent.")
@click.option("--commercial/--no-commercial", default=None, help="If the licence does not say it.")
@click.option("--derivatives/--no-derivatives", default=None, help="Likewise.")
@click.option("--share-alike/--no-share-alike", default=None, help="Likewise.")
@click.option("--attribution", help="Text that names the author.")
@click.option("--expires", type=_Day(), help="Last day of the licence.")
@click.option("--rating", type=click.IntRange(1, 5), help="Quality, 5 is best.")
@click.option("--notes", help="Anything else.")
@click.option("--duration", type=_Duration(), help="Of a source that is expected, not there yet.")
@click.option("--link", is_flag=True, help="Link the files in place of copying them.")
@json_option
@click.argument("recordings", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
def add(
    instrument: str,
    role: str,
    recordings: tuple[Path, ...],
    document: Path | None,
    duration: float | None,
    link: bool,
    as_json: bool,
    **facts: Any,
) -> None:
    """Register a source: files and folders (PATH), or one that is expected (--duration).

    Files are copied into the project folder, or linked; files that are in it already are
    registered where they are. Every file is read and gets a verdict. With the name of a source
    that is there, files are added to it, and what else is given changes it.
    """
    if recordings and duration:
        raise click.UsageError("--duration is for sources without files: theirs is measured.")
    with user_errors():
        from morphene_core.sources.collect import add_source
        from morphene_dagster.cli.status import added_json, print_added

        paths = open_home().instrument(find_instrument(instrument).slug)
        facts = facts | {"expected_seconds": duration}
        with progress() as report:
            added = add_source(paths, cast("Role", role), facts, recordings, document, link, report)
        if as_json:
            print_json(added_json(added))
        else:
            print_added(added, instrument)
        if recordings and not added.known and not any(f.verdict != "rejected" for f in added.files):
            raise SystemExit(1)


@sources.command()
@_instrument
@_type
@click.option("-n", "--name", required=True, help="The source.")
def remove(instrument: str, role: str, name: str) -> None:
    """Take a source out. Its files are kept, in sources/{instrument}/removed/."""
    with user_errors():
        from morphene_core.sources.collect import remove_source
        from morphene_core.sources.usage import where_used

        home = open_home()
        paths = home.instrument(find_instrument(instrument).slug)
        target = remove_source(paths, cast("Role", role), name)
        click.echo(f"{name!r} is out; its files and its entry are in {target}")
        made = [u for u in where_used(home, name) if not u.kind.endswith("recordings")]
        if made:
            things = counted(len(made), "thing")
            click.echo(f"Made from it, or perhaps: {things}. See `morphene sources where-used`.")


@sources.command()
@click.argument("instrument")
@json_option
def status(instrument: str, as_json: bool) -> None:
    """What is there for INSTRUMENT (number or slug), what is expected, what is missing."""
    with user_errors():
        from morphene_core.sources.overview import instrument_status
        from morphene_dagster.cli.status import print_status, status_json

        entry, home = find_instrument(instrument), open_home()
        with progress() as report:
            roles = instrument_status(home, entry, report)
        if as_json:
            print_json({"instrument": entry.slug} | {str(r.role): status_json(r) for r in roles})
        else:
            print_status(entry, roles)


@sources.command()
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout.")
def summary(as_json: bool, as_csv: bool) -> None:
    """All instruments in one table by tier, with totals."""
    with user_errors():
        from morphene_core.instruments import ALL_INSTRUMENTS
        from morphene_core.sources.overview import summary as summarize
        from morphene_core.sources.overview import totals
        from morphene_dagster.cli.status import print_summary

        home = open_home()
        with progress() as report:
            table = summarize(home, ALL_INSTRUMENTS, report)
        if as_csv:
            click.echo(table.to_csv(index=False), nl=False)
        elif as_json:
            print_json({"sources": records(table), "totals": records(totals(table))})
        else:
            print_summary(table, totals(table))


@sources.command()
@click.argument("instrument", required=False)
@json_option
def verify(instrument: str | None, as_json: bool) -> None:
    """Compare every file with its hash: changed, missing and unregistered ones.

    Of one INSTRUMENT, or of all. Ends with 1 if any differs.
    """
    with user_errors():
        from morphene_core.home import ROLES
        from morphene_core.instruments import ALL_INSTRUMENTS
        from morphene_core.sources.verify import verify_sources

        home = open_home()
        chosen = [find_instrument(instrument)] if instrument else ALL_INSTRUMENTS
        with progress() as report:
            found: list[dict[str, str]] = [
                {"instrument": i.slug, **vars(difference)}
                for i in chosen
                for role in ROLES
                for difference in verify_sources(home.instrument(i.slug), role, report)
            ]
        print_rows(found, as_json, "All files are as they were registered.")
        if found:
            raise SystemExit(1)


@sources.command("where-used")
@click.argument("name")
@json_option
def where_used(name: str, as_json: bool) -> None:
    """Everything that contains the source NAME: datasets, checkpoints, exports, deliveries.

    Ends with 1 if something may contain it whose record is missing or damaged; each is named.
    """
    with user_errors():
        from morphene_core.sources.usage import where_used as find_uses

        uses = [vars(use) for use in find_uses(open_home(), name)]
        doubtful = [use for use in uses if use["doubt"]]
        if as_json:
            print_json(uses)
        else:
            _print_uses([use for use in uses if not use["doubt"]], doubtful)
        if doubtful:
            raise SystemExit(1)


def _print_uses(found: list[dict[str, Any]], doubtful: list[dict[str, Any]]) -> None:
    from morphene_core.sources.listing import printable

    if found or not doubtful:
        shown = [{key: use[key] for key in use if key != "doubt"} for use in found]
        print_rows(shown, False, "Nowhere.")
    for use in doubtful:
        line = f"{use['what']} ({use['kind']}) may hold it: {use['doubt']}"
        click.secho(printable(line), fg="yellow")


@sources.command()
@click.option(
    "--days",
    type=click.IntRange(0, 36_500),
    default=90,
    show_default=True,
    help="How far to look ahead.",
)
@json_option
def expiring(days: int, as_json: bool) -> None:
    """Sources whose licence ends soon, or has ended."""
    with user_errors():
        from morphene_core.instruments import ALL_INSTRUMENTS
        from morphene_core.sources.overview import expiring as find_expiring

        rows = records(find_expiring(open_home(), ALL_INSTRUMENTS, days))
        print_rows(rows, as_json, f"No licence ends within {days} days.")
