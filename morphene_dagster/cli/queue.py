"""`morphene queue` and `morphene trainings`: the trainings that wait, run, and were."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from morphene_dagster.cli.common import (
    counted,
    find_instrument,
    json_option,
    open_home,
    plain,
    print_json,
    progress,
    user_errors,
)

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console, RenderableType
    from rich.text import Text

    from morphene_core.home import Home
    from morphene_dagster.queue import Entry, Queue

_WATCH_SECONDS = 3.0
_FOLLOW_SECONDS = 0.5
_STYLES = {
    "running": "green",
    "waiting for a GPU": "yellow",
    "failed": "red",
    "paused": "yellow",
    "cancelled": "yellow",
    "trained": "bold",
}

_instrument = click.argument("instrument")
_one = click.argument("instrument", required=False)
_all = click.option("--all", "everything", is_flag=True, help="All of them.")


@click.group()
def queue() -> None:
    """Train many instruments, one after the other, on the GPUs that there are.

    INSTRUMENT is a number or a slug. What is queued here is in the Dagster UI, too, and the other
    way round. Example: morphene queue add --instrument 10, then morphene queue start.
    """


@queue.command()
@click.option(
    "-i", "--instrument", "keys", required=True, multiple=True, help="Number or slug; repeatable."
)
def add(keys: tuple[str, ...]) -> None:
    """Queue instruments. Example: morphene queue add --instrument 10 --instrument 11."""
    with _opened() as (_, trainings):
        chosen = list({i.slug: i for i in map(find_instrument, keys)}.values())
        with progress():
            trainings.add(chosen)
        click.echo(f"Queued: {', '.join(i.slug for i in chosen)}. {_next()}")


@queue.command("add-tier")
@click.argument("tier", type=click.Choice(["flagship", "strong", "experimental"]))
def add_tier(tier: Any) -> None:
    """Queue what is ready of a tier and was never trained. Example: queue add-tier flagship."""
    with _opened() as (_, trainings):
        from morphene_core.instruments import ALL_INSTRUMENTS

        with progress():
            choice = trainings.add_tier([i for i in ALL_INSTRUMENTS if i.tier == tier], tier)
        others = f" Not queued: {choice.why_not}." if choice.why_not else ""
        if not choice.ready:
            click.echo(f"Nothing to queue.{others}\nWhat is missing: morphene sources summary")
            return
        click.echo(f"Queued: {', '.join(i.slug for i in choice.ready)}.{others}\n{_next()}")


@queue.command()
@_all
@click.option("--watch", is_flag=True, help="Renew it until Ctrl-C.")
@json_option
def status(everything: bool, watch: bool, as_json: bool) -> None:
    """Where every training stands. Example: morphene queue status --watch.

    Instruments without complete sources are counted only, unless --all is given.
    """
    with _opened() as (home, trainings):
        with progress() as report:
            missing = _missing(home, report)
        if as_json:
            entries, _ = _look(trainings, missing, everything)
            print_json({"paused": trainings.paused, "entries": [vars(e) for e in entries]})
            return

        def look() -> "RenderableType":
            return _table(*_look(trainings, missing, everything), paused=trainings.paused)

        if watch:
            _watch(look)
        else:
            wide_console().print(look())


@queue.command()
@_instrument
def cancel(instrument: str) -> None:
    """Take INSTRUMENT out of the queue, or stop its training. Example: queue cancel 10.

    What was trained is saved.
    """
    with _opened() as (_, trainings):
        entry = find_instrument(instrument)
        trainings.cancel(entry)
        click.echo(
            f"{entry.slug} is cancelled; what was trained of it is kept."
            f" `morphene queue add --instrument {entry.number}` queues it again."
        )


@queue.command()
@_one
@_all
def pause(instrument: str | None, everything: bool) -> None:
    """Stop INSTRUMENT's training until it is resumed. Example: queue pause --all.

    Its state is saved. With --all nothing starts any more, and what was running goes to the head
    of the queue.
    """
    _require_one(instrument, everything)
    with _opened() as (_, trainings):
        if instrument:
            entry = find_instrument(instrument)
            trainings.pause(entry)
            click.echo(f"{entry.slug} is paused; `morphene queue resume {entry.number}` goes on.")
        else:
            stopped = trainings.pause_all()
            what = f"Stopped: {', '.join(stopped)}. " if stopped else "Nothing was running. "
            click.echo(f"{what}Nothing starts until `morphene queue resume --all`.")


@queue.command()
@_one
@_all
def resume(instrument: str | None, everything: bool) -> None:
    """Go on with INSTRUMENT, or end the pause of all. Example: queue resume 10."""
    _require_one(instrument, everything)
    with _opened() as (_, trainings):
        if instrument:
            entry = find_instrument(instrument)
            trainings.resume(entry)
            click.echo(f"{entry.slug} is queued again. {_next()}")
        else:
            paused = trainings.resume_all()
            click.echo(f"Trainings start again. {_next()}")
            for entry in paused:
                click.echo(
                    f"{entry.slug} was paused by itself and stays so:"
                    f" `morphene queue resume {entry.number}`"
                )


@queue.command()
@_instrument
@click.option("--first", "place", flag_value="first", help="To the head of the queue.")
@click.option("--last", "place", flag_value="last", help="To its end.")
def move(instrument: str, place: str | None) -> None:
    """Move a queued INSTRUMENT. Example: morphene queue move 10 --first."""
    if place is None:
        raise click.UsageError("Say --first or --last.")
    with _opened() as (_, trainings):
        entry = find_instrument(instrument)
        trainings.move(entry, first=place == "first")
        where = "is trained next, once a GPU is free" if place == "first" else "is trained last"
        click.echo(f"{entry.slug} {where}.")


@queue.command()
@_instrument
@click.option("-f", "--follow", is_flag=True, help="Print what comes, until Ctrl-C.")
def logs(instrument: str, follow: bool) -> None:
    """Print the log of INSTRUMENT's training. Example: morphene queue logs 10 -f."""
    with user_errors():
        from morphene_core.errors import InputError
        from morphene_core.training import current_training

        paths = open_home().instrument(find_instrument(instrument).slug)
        path = paths.training_log(current_training(paths).path.name)
        if not path.exists():
            raise InputError(f"{path} is not there yet: its trainer has not begun.")
        _copy(path, follow)


@queue.command()
@_instrument
def finish(instrument: str) -> None:
    """Finish the training of INSTRUMENT early. Example: morphene queue finish 10.

    It enters the adversarial phase now, if it has not, and trains a share of it (finish_share of
    the profile).
    """
    with _opened() as (_, trainings):
        entry = find_instrument(instrument)
        when = "within seconds" if trainings.finish(entry) else "when it is started the next time"
        click.echo(f"{entry.slug} is asked to finish early, which it obeys {when}.")


@queue.command()
@_instrument
@click.option("--steps", type=click.IntRange(1), help="How many adversarial steps more.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="How many hours more.")
def extend(instrument: str, steps: int | None, hours: float | None) -> None:
    """Train INSTRUMENT longer. Example: morphene queue extend 10 --hours 4.

    Hours become steps at the measured speed. A training that is finished is queued again.
    """
    if (steps is None) == (hours is None):
        raise click.UsageError("Say either --steps or --hours.")
    with _opened() as (_, trainings):
        entry = find_instrument(instrument)
        more = trainings.extend(entry, steps, hours)
        click.echo(f"{entry.slug} is trained for {counted(more, 'step')} more. {_next()}")


@queue.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.pass_context
def start(context: click.Context, port: int) -> None:
    """Work through the queue, with the Dagster UI. Example: queue start --port 3001.

    The same as `make up`, which notices it, and is noticed.
    """
    from morphene_dagster.cli.pipeline import up

    context.invoke(up, port=port)


@click.command()
@_instrument
@json_option
def trainings(instrument: str, as_json: bool) -> None:
    """All trainings of INSTRUMENT side by side. Example: morphene trainings 10.

    First, last and best are distances to the held-out audio; they rise in the adversarial phase
    although the sound gets better. The training's name begins with its profile's.
    """
    with user_errors():
        from morphene_core.comparison import compare
        from morphene_dagster.cli.common import print_rows

        entry = find_instrument(instrument)
        rows = compare(open_home().instrument(entry.slug))
        if not as_json:
            rows = [_short(row) for row in rows]
        print_rows(rows, as_json, f"{entry.slug} was never trained.")


@contextmanager
def opened() -> Iterator[tuple["Home", "dg.DagsterInstance"]]:
    """Open the project folder and its Dagster instance."""
    from morphene_dagster.instance import open_instance

    home = open_home()
    with open_instance(home) as instance:
        yield home, instance


@contextmanager
def _opened() -> Iterator[tuple["Home", "Queue"]]:
    """Open the queue; errors for the user are shown as such."""
    with user_errors(), opened() as (home, instance):
        from morphene_dagster.queue import Queue

        yield home, Queue(instance, home)


def _next() -> str:
    return "`morphene queue status` shows how far it is; `morphene queue start` works through it."


def _require_one(instrument: str | None, everything: bool) -> None:
    if (instrument is None) != everything:
        raise click.UsageError("Name one INSTRUMENT, or say --all.")


def _missing(home: "Home", report: Callable[[str], None]) -> dict[str, str]:
    """Return what each instrument lacks; looked at once, for new recordings are read for it."""
    from morphene_core.instruments import ALL_INSTRUMENTS
    from morphene_dagster.backfills import what_is_missing

    missing = {}
    for entry in ALL_INSTRUMENTS:
        report(f"Looking at the sources of {entry.slug}")
        missing[entry.slug] = what_is_missing(home, entry)
    return missing


def _look(
    trainings: "Queue", missing: dict[str, str], everything: bool
) -> tuple[list["Entry"], int]:
    """Return the entries to show, in the order in which they matter, and how many are not shown."""
    from morphene_core.instruments import ALL_INSTRUMENTS

    entries = trainings.entries(ALL_INSTRUMENTS, missing)
    shown = [e for e in entries if everything or e.state != "not ready"]
    order = ["running", "waiting for a GPU", "stopping", "queued", "waiting for preparation"]
    rank = {state: place for place, state in enumerate(order)}
    shown.sort(key=lambda e: (rank.get(e.state, len(order)), e.position or 10**6, e.number))
    return shown, len(entries) - len(shown)


def _table(entries: list["Entry"], hidden: int, paused: bool) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = [_cells(entry) for entry in entries]
    # Columns that tell nothing (a GPU, where there is none) leave their place to the others.
    columns = [name for name in rows[0] if any(row[name].plain for row in rows)] if rows else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        number = name in ("no.", "step", "phase", "steps/s", "ETA", "tries", "checkpoint")
        table.add_column(
            name,
            justify="right" if number else "left",
            no_wrap=name not in ("instrument", "state", "GPU"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    lines: list[RenderableType] = [table] if entries else [Text("The queue is empty.")]
    if paused:
        text = "Everything is paused: nothing starts until `morphene queue resume --all`."
        lines.insert(0, Text(text, style="yellow"))
    if hidden:
        lines.append(
            Text(f"{counted(hidden, 'instrument')} without complete sources (--all lists them)")
        )
    return Group(*lines)


def _cells(entry: "Entry") -> dict[str, "Text"]:
    """Return an entry's cells by their columns."""
    from morphene_core.progress import clock

    state = f"{entry.state} ({entry.position})" if entry.position else entry.state
    said = f"{state}: {entry.why}" if entry.why else state
    step = "" if entry.step is None else f"{entry.step:,}"
    if entry.total_steps:
        step += f" of {entry.total_steps:,}"
    values: dict[str, object] = {
        "no.": entry.number,
        "instrument": entry.name,
        "tier": entry.tier,
        "state": state,
        "step": step,
        "phase": entry.phase,
        "steps/s": f"{entry.steps_per_second:.1f}" if entry.steps_per_second else None,
        "ETA": clock(entry.seconds_left) if entry.seconds_left is not None else None,
        "GPU": entry.gpu,
        "tries": entry.attempts,
        "checkpoint": f"{entry.last_checkpoint:,}" if entry.last_checkpoint else None,
    }
    cells = {name: plain(value) for name, value in values.items()}
    cells["state"] = plain(said)
    cells["state"].stylize(_STYLES.get(entry.state, ""))
    return cells


def wide_console() -> "Console":
    """Return a console that breaks no rows for a file, or a program that looks for a word."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    return console


def _watch(look: Callable[[], "RenderableType"]) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(look(), console=Console(highlight=False), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_WATCH_SECONDS)
                live.update(look(), refresh=True)
        except KeyboardInterrupt:
            return


def _copy(path: Path, follow: bool) -> None:
    """Print a file, and what is added to it."""
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            while True:
                if text := file.read():
                    click.echo(text, nl=False)
                elif not follow:
                    return
                else:
                    time.sleep(_FOLLOW_SECONDS)
        except KeyboardInterrupt:
            return


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return a training's row as a person reads it."""
    distances = {which: row[f"{which}_distance"] for which in ("first", "last", "best")}
    return {
        "training": row["id"],
        "state": f"{row['state']}, current" if row["current"] else row["state"],
        "step": f"{row['step']:,} of {row['total_steps']:,}" if row["total_steps"] else row["step"],
        "phase 1": row["phase_1_steps"],
        **{which: value and f"{value:.2f}" for which, value in distances.items()},
        "hours": f"{row['hours']:.2f}",
        "tries": row["attempts"],
    }
