"""What the commands share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas
    from rich.text import Text

    from morphene_core.home import Home
    from morphene_core.instruments import Instrument
    from morphene_core.progress import Report

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


@contextmanager
def user_errors() -> Iterator[None]:
    """Show an error that is meant for the user as such, without a traceback."""
    from morphene_core.errors import MorpheneError, refusal

    try:
        yield
    except MorpheneError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:  # `| head` has seen enough, which click knows
        raise
    except OSError as error:  # a full disk, a folder that may not be written to
        raise click.ClickException(f"{plain(refusal(error))}. Mend that, then again.") from error
    except KeyboardInterrupt:
        raise click.Abort from None


def find_instrument(key: str) -> "Instrument":
    """Return an instrument by number or slug.

    Raises:
        InputError: there is none.
    """
    from morphene_core.errors import InputError
    from morphene_core.instruments import get_instrument

    try:
        return get_instrument(key)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error


def open_home() -> "Home":
    """Return the project folder in use.

    Raises:
        InputError: there is none yet.
    """
    from morphene_core.errors import InputError
    from morphene_core.home import Home

    home = Home.resolve()
    if not home.path.is_dir():
        raise InputError(
            f"{home.path} does not exist. `morphene setup --poc FOLDER` makes a project folder;"
            " then set MORPHENE_HOME to it."
        )
    return home


@contextmanager
def progress() -> Iterator["Report"]:
    """Give a report whose lines replace one another on a terminal's stderr."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: None
        return
    with console.status("") as status:
        yield lambda line: status.update(Text(line, style="dim", overflow="ellipsis"))


def print_json(data: object) -> None:
    """Print data as indented JSON on stdout."""
    import json

    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_rows(rows: Sequence[dict[str, Any]], as_json: bool, nothing: str) -> None:
    """Print rows of the same keys as a table or as JSON; ``nothing`` where there are none."""
    from rich.console import Console
    from rich.table import Table

    if as_json:
        print_json(list(rows))
    elif not rows:
        click.echo(nothing)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for key in rows[0]:
            table.add_column(key.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(plain(value) for value in row.values()))
        Console(highlight=False).print(table)


def plain(value: object) -> "Text":
    """Return a value as text that a table takes as it is, on one line."""
    from rich.text import Text

    from morphene_core.sources.listing import printable

    return Text("" if value is None else printable(str(value)))


def records(table: "pandas.DataFrame") -> list[dict[str, Any]]:
    """Return the rows of a table as plain data; what is missing is None."""
    return [
        {key: None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: "1 file", "2 files"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def listens(port: int) -> bool:
    """Return whether something listens on a port of 127.0.0.1."""
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
