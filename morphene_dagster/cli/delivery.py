"""`morphene deliver`, `verify` and `rights`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from morphene_dagster.cli.common import (
    find_instrument,
    json_option,
    open_home,
    print_json,
    print_rows,
    progress,
    user_errors,
)
from morphene_dagster.cli.trust import may_load

if TYPE_CHECKING:
    from morphene_core.delivery.candidate import Candidate
    from morphene_core.home import InstrumentPaths

_PATH = click.Path(path_type=Path)

_PRINTED = (
    "It stays on record, and is printed in the delivery (README.md, LICENCE.md, metadata.json)."
)
NOT_PLAYED = 2
"""Exit code of `morphene verify` where nothing is wrong, but the model was not loaded."""


@click.command()
@click.argument("instrument")
@json_option
def deliver(instrument: str, as_json: bool) -> None:
    """Publish the delivery of INSTRUMENT's selected checkpoint, through the queue.

    It is exported first, if it is not. If something is missing (a criterion, a verdict, a right),
    nothing is published and all of it is listed. Where nothing has changed, the newest version
    stays; it is said whether the version is new.
    """
    with user_errors():
        from rich.console import Console

        from morphene_core.delivery.candidate import candidate
        from morphene_core.delivery.versions import delivered_versions

        home, slug = open_home(), find_instrument(instrument).slug
        paths = home.instrument(slug)
        console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        found, error = candidate(paths), None
        before, delivered = delivered_versions(paths), False
        export_first = found.needs_export
        if export_first or not found.obstacles:
            from morphene_dagster.launch import launch

            stages = ("export", "deliver") if export_first else ("deliver",)
            outcome = launch(home, slug, None, console, stages=stages)
            delivered = outcome.success and not outcome.waits_for
            found, error = candidate(paths), outcome.error
        if as_json:
            print_json(_outcome(found, delivered, before) | {"error": error})
        if not delivered:
            console.print(_why_not(found, error), style="red", markup=False)
            sys.exit(1)
        if not as_json:
            _say_what_is_delivered(paths, before)


def _why_not(found: "Candidate", error: str | None) -> str:
    from morphene_core.gate import closed

    if found.obstacles:
        return closed(found.paths.slug, found.obstacles)
    return error or f"Stopped. `morphene deliver {found.paths.slug}` goes on from what is there."


def _outcome(found: "Candidate", delivered: bool, before: list[int]) -> dict[str, Any]:
    from morphene_core.delivery.verify import read_metadata

    version = read_metadata(found.paths.final)["delivery"]["version"] if delivered else None
    return {
        "delivered": delivered,
        "folder": str(found.paths.final) if delivered else None,
        "version": version,
        "new": version not in before if delivered else None,
        "missing": [asdict(obstacle) for obstacle in found.obstacles],
    }


def _say_what_is_delivered(paths: "InstrumentPaths", before: list[int]) -> None:
    from morphene_core.delivery.verify import read_metadata

    metadata = read_metadata(paths.final)
    version = metadata["delivery"]["version"]
    how = "up to date, nothing has changed" if version in before else "new"
    name = metadata["instrument"]["name"]
    click.secho(f"\nVersion {version} of {name} is {how}: ", bold=True, nl=False)
    click.echo(f"{paths.final}")
    click.echo("  README.md says what it is and how to play it, CHANGES.md what is new in it.")
    if metadata["notice"]:
        click.secho(metadata["notice"], fg="yellow")


@click.command()
@click.argument("delivery", type=_PATH)
@click.option("--yes", is_flag=True, help="Load the model without asking: .ts files are code.")
@click.option("--play/--no-play", default=True, help="Whether to load the model and play it.")
@json_option
def verify(delivery: Path, yes: bool, play: bool, as_json: bool) -> None:
    """Check a delivered folder, or its zip: DELIVERY.

    Checksums, the metadata's schema, that all files are there and none else, the zip, the patches;
    then the model is loaded and played for a few seconds. A .ts is code: unless this project folder
    made it, this asks before.

    \b
    Exit codes: 0 all is well, 1 something is wrong, 2 nothing is wrong so far, but the model was
    not played, because nobody said yes.
    """  # noqa: D301 - click's mark for lines that stay as they are
    with user_errors():
        from morphene_core.delivery.verify import folder_faults, opened, read_metadata

        with opened(delivery) as folder:
            faults = folder_faults(folder, zipped=False)
            metadata = read_metadata(folder)
            wanted = play and not faults
            allowed = wanted and may_load(
                folder / metadata["model"]["file"], yes, f"The .ts in {delivery}"
            )
            if allowed:
                faults = _trial(folder, metadata)
        _say_findings(delivery, metadata, faults, wanted, allowed, as_json)
        if faults:
            sys.exit(1)
        if wanted and not allowed:
            sys.exit(NOT_PLAYED)


def _trial(folder: Path, metadata: dict[str, Any]) -> list[str]:
    from morphene_core.delivery.trial import trial_faults

    with progress() as report:
        report("loading the model and playing it")
        return trial_faults(folder, metadata)


def _say_findings(
    delivery: Path,
    metadata: dict[str, Any],
    faults: list[str],
    wanted: bool,
    played: bool,
    as_json: bool,
) -> None:
    from morphene_core.delivery.comparing import value_at
    from morphene_core.sources.listing import printable

    if as_json:
        print_json(
            {
                "delivery": str(delivery),
                "instrument": metadata.get("instrument"),
                "version": value_at(metadata, "delivery.version"),
                "shippable": metadata.get("shippable"),
                "files": len(metadata["files"]),
                "played": played and not faults,
                "faults": faults,
            }
        )
        return
    for fault in faults:
        click.secho(f"✗ {printable(fault)}", fg="red")
    if faults:
        click.echo(f"{delivery} does not pass. Get another copy of it, or deliver again.")
        return
    name = printable(metadata["instrument"]["name"])
    version = metadata["delivery"]["version"]
    click.echo(f"✓ {name}, version {version}: {len(metadata['files'])} files, as delivered.")
    why = ": --yes loads and plays it" if wanted else " (--no-play)"
    not_loaded = f"The model was not loaded{why}."
    click.echo("✓ The model loads and plays." if played else not_loaded)
    if metadata["notice"]:
        click.secho(printable(metadata["notice"]), fg="yellow")


@click.command()
@click.argument("instrument")
@click.option("--by", "who", help="Who decides: a person's name.")
@click.option("--decision", help=f"What was decided, in words. {_PRINTED}")
@click.option("--document", type=_PATH, help="A contract or an opinion; it is copied.")
@click.option("--withdraw", is_flag=True, help="Take back what was decided before.")
@json_option
def rights(
    instrument: str,
    who: str | None,
    decision: str | None,
    document: Path | None,
    withdraw: bool,
    as_json: bool,
) -> None:
    """Show the rights decisions on INSTRUMENT, or record one with --by and --decision.

    A commercial delivery needs one: that whoever releases the instrument has cleared the licences
    of its recordings and of the tools (RAVE and nn~ are CC BY-NC 4.0). It holds for the sources
    that there are now, with their licences and documents, and is withdrawn by another one. Name
    and words are printed in the delivery.
    """
    with user_errors():
        from morphene_core.delivery.lineage import known_sources
        from morphene_core.delivery.rights import read_decisions, record_decision
        from morphene_core.errors import InputError

        home, slug = open_home(), find_instrument(instrument).slug
        paths, release = home.instrument(slug), home.release(slug)
        if decision is not None:
            record_decision(
                paths,
                "withdraw" if withdraw else "clear",
                release,
                decision,
                who or "",
                known_sources(paths),
                document,
            )
        elif who or document or withdraw:
            raise InputError(f'Say what was decided, in words: --decision "…". {_PRINTED}')
        decisions = [asdict(made) for made in read_decisions(paths)]
        shown = decisions if as_json else [_row(made) for made in decisions]
        print_rows(shown, as_json, f"Nobody has recorded a rights decision on {slug}.")


def _row(made: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": made["at"][:16],
        "who": made["who"],
        "decision": f"{'withdrawn: ' * (made['action'] == 'withdraw')}{made['decision']}",
        "release": made["release"],
        "covers": "; ".join(made["sources"]),
        "document": made["document"],
    }
