"""`morphene instruments` and `morphene setup`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from morphene_dagster.cli.common import (
    counted,
    find_instrument,
    json_option,
    plain,
    print_json,
    user_errors,
)

if TYPE_CHECKING:
    from morphene_core.instruments import Instrument

_TIERS = click.Choice(["flagship", "strong", "experimental"])


@click.group(invoke_without_command=True)
@click.option("--tier", type=_TIERS, help="Only this tier.")
@json_option
@click.pass_context
def instruments(context: click.Context, tier: str | None, as_json: bool) -> None:
    """List the catalogue; `instruments show 10` shows one.

    MORPHENE_CATALOG names a catalogue of your own, which extends or replaces Morphene's.
    """
    if context.invoked_subcommand:
        return
    with user_errors():
        from morphene_core.instruments import ALL_INSTRUMENTS

        chosen = [i for i in ALL_INSTRUMENTS if tier in (None, i.tier)]
        if as_json:
            print_json([i.model_dump(mode="json") for i in chosen])
        else:
            _print_list(chosen)


@instruments.command()
@click.argument("instrument")
@json_option
def show(instrument: str, as_json: bool) -> None:
    """Show one INSTRUMENT (number or slug): the brief for its recordists."""
    with user_errors():
        entry = find_instrument(instrument)
        if as_json:
            print_json(entry.model_dump(mode="json"))
        else:
            _print_one(entry)


@click.command()
@click.option("--poc", is_flag=True, help="The proof of concept, number 10.")
@click.option("--all", "everything", is_flag=True, help="All instruments of the catalogue.")
@click.option("--tier", type=_TIERS, help="The instruments of one tier.")
@click.argument("path", type=click.Path(path_type=Path, file_okay=False))
def setup(poc: bool, everything: bool, tier: str | None, path: Path) -> None:
    """Make PATH a project folder: a place for every recording, and a brief for its recordist.

    Safe to run again, also for more instruments; nothing that is there is overwritten.
    """
    if [poc, everything, tier is not None].count(True) != 1:
        raise click.UsageError("Choose one of --poc, --all and --tier.")
    with user_errors():
        from morphene_core.errors import InputError
        from morphene_core.home import Home
        from morphene_core.instruments import ALL_INSTRUMENTS
        from morphene_core.setup import set_up

        chosen = [i for i in ALL_INSTRUMENTS if everything or i.tier == tier]
        if poc:
            chosen = [find_instrument("10")]
        if not chosen:
            raise InputError(f"The catalogue has no {tier} instrument. Choose another tier.")
        home = Home(path.expanduser().absolute())
        made = set_up(home, chosen)
        things = "1 file or folder" if len(made) == 1 else f"{len(made)} files and folders"
        made_what = f"made {things}" if made else "everything was there"
        click.echo(f"{home.path}: {counted(len(chosen), 'instrument')}, {made_what}")
        click.echo("\nNext")
        click.echo(f"  export MORPHENE_HOME={shlex.quote(str(home.path))}")
        click.echo(f"  read the briefs      {home.path}/sources/*/*/README.md")
        click.echo("  add recordings       morphene sources add --help")
        click.echo("  see what is missing  morphene sources summary")


def _print_list(chosen: list["Instrument"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("no.", "name", "slug", "musical", "non-musical"):
        number = column == "no."
        table.add_column(
            column, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    tier = None
    for i in chosen:
        if i.tier != tier:
            tier = i.tier
            table.add_row("", Text(tier, style="bold"))
        cells = (str(i.number), i.name, i.slug, i.musical_source, i.nonmusical_source)
        table.add_row(*map(plain, cells))
    Console(highlight=False).print(table)


def _print_one(entry: "Instrument") -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"{entry.number}  {entry.name}  ({entry.slug}, {entry.tier})", style="bold")
    console.print(f"{entry.musical_source} + {entry.nonmusical_source}\n")
    console.print(f"{entry.idea}\n")
    rows = {
        f"{entry.musical_source}, range": f"{entry.lowest_note} to {entry.highest_note}",
        "techniques": "\n".join(entry.techniques),
        "articulations": "\n".join(entry.articulations),
        "dynamics": " ".join(entry.dynamics),
        f"{entry.nonmusical_source}, kind": entry.texture,
        "variety": "\n".join(entry.variety),
        "avoid": "\n".join(entry.avoid),
        "risks": entry.risks,
    }
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for label, text in rows.items():
        table.add_row(plain(label), Text(text))
    console.print(table)
