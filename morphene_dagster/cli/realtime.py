"""`morphene realtime`."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from morphene_dagster.cli.common import json_option, print_json, progress, user_errors
from morphene_dagster.cli.trust import require_trust

if TYPE_CHECKING:
    from morphene_core.realtime import RealtimeReport

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_PATH)
@click.option("--method", "methods", multiple=True, help="One of its methods; again for more.")
@click.option("--block", type=click.IntRange(1), default=2048, show_default=True, help="Samples.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Audio per method.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of torch.")
@click.option(
    "--host",
    type=click.Choice(["standin", "pd"]),
    default="standin",
    show_default=True,
    help="What plays it: a stand-in of nn~, or Pure Data with nn~ itself.",
)
@click.option("--pd", type=_PATH, help="The program pd, if it is not on PATH.")
@click.option("--nn", type=_PATH, help="Folder of nn~, if it is in none of Pure Data's.")
@click.option("--output", type=_PATH, help="Folder for the report and a picture of it.")
@click.option("--yes", is_flag=True, help="Load the model without asking: .ts files are code.")
@json_option
def realtime(
    model: Path,
    methods: tuple[str, ...],
    block: int,
    seconds: float,
    threads: int,
    host: str,
    pd: Path | None,
    nn: Path | None,
    output: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Prove that MODEL, any .ts of RAVE, plays in real time on this machine.

    Each method is played block by block as nn~ does, against the clock; then it is tried what a
    stage does to it: silence, noise, jumps, a reload. A method passes if 99 of 100 blocks take 70 %
    of their time or less. docs/realtime.md says how to read it.

    \b
    Exit codes: 0 it plays; 1 it does not, or cannot be played at all.
    """  # noqa: D301 - click's mark for lines that stay as they are
    if host != "pd" and (pd or nn):
        raise click.UsageError("--pd and --nn are for Pure Data: add --host pd.")
    with user_errors():
        from morphene_core.realtime import prove
        from morphene_core.realtime.intact import require_intact

        require_intact(model)
        require_trust(model, yes)
        files = None
        if host == "pd":
            from morphene_core.realtime.pd import find_pd

            files = find_pd(pd, nn)
            # Python would die of it, and leave Pure Data's files behind.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        if output:
            _require_writable(output)
        with progress() as report:
            found = prove(model, methods or None, block, seconds, threads, None, report, files)
        if as_json:
            print_json(found.to_dict())
        else:
            _say(found, model)
        if output:  # last: what was found is on the screen, whatever becomes of the files
            _write(found, output)
            if not as_json:
                click.echo(f"{output / 'realtime.json'} and .png")
        if not found.passed:
            sys.exit(1)


def _require_writable(folder: Path) -> None:
    """Make a folder, and a file in it, before minutes are spent on what is to lie there."""
    import tempfile

    from morphene_core.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} is no folder that a report can be written to: {error.strerror}. Name"
            " another with --output."
        ) from error


def _write(found: "RealtimeReport", folder: Path) -> None:
    from morphene_core.files import atomic_file, write_json
    from morphene_core.realtime.picture import realtime_png

    write_json(folder / "realtime.json", found.to_dict())
    with atomic_file(folder / "realtime.png") as temporary:
        temporary.write_bytes(realtime_png(found))


def _say(found: "RealtimeReport", model: Path) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_table(found))
    for line in (_machine(found), _latency(found), _memory(found)):
        if line:
            click.echo(line)
    click.echo()
    for finding in found.faults:
        colour = None if finding.passed else "red"
        click.secho(f"{'✓' if finding.passed else '✗'} {finding.name}: {finding.text}", fg=colour)
    if found.not_driven:
        click.echo(f"Not played: {', '.join(found.not_driven)}, of which nothing is known.")
    for warning in found.warnings:
        click.secho(warning, fg="yellow")
    colour = "green" if found.passed else "red"
    click.secho(f"\n{model.name}: {found.verdict}. ", fg=colour, bold=True, nl=False)
    click.echo(found.text)


def _table(found: "RealtimeReport") -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ms", no_wrap=True)
    for head in ("first two", "p50", "p95", "p99", "max", "cpu p99", "late", "load", "level"):
        table.add_column(head, justify="right", no_wrap=True)
    for of in found.methods:
        table.add_row(
            of.name,
            " ".join(f"{ms:.0f}" for ms in of.first_ms),
            *(f"{ms:.1f}" for ms in (of.p50_ms, of.p95_ms, of.p99_ms, of.max_ms, of.cpu_p99_ms)),
            f"{of.misses}/{of.blocks}",
            f"{of.real_time_factor:.0%}",
            f"{of.level_dbfs:.0f} dB",
        )
    return table


def _machine(found: "RealtimeReport") -> str:
    machine = found.machine
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    return (
        f"A block of {found.block:,} samples has {found.deadline_ms:.1f} ms at"
        f" {found.sample_rate:,} Hz, {found.limit:.0%} of which may be taken.\n"
        f"{machine.host}, torch {machine.torch}, {threads}; {machine.cpu}, {machine.cores} cores,"
        f" load {machine.load:g}."
    )


def _latency(found: "RealtimeReport") -> str:
    latency = found.latency
    said = {"computed": latency.computed_ms, "measured": latency.measured_ms}
    own = ", ".join(f"{ms:.0f} ms {how}" for how, ms in said.items() if ms is not None)
    return (
        f"Latency of {latency.method}: {own or 'unknown'}; nn~'s buffers add"
        f" {latency.buffer_ms:.0f} ms ({latency.synchronous_ms:.0f} ms at a buffer size of 0)."
    )


def _memory(found: "RealtimeReport") -> str:
    memory = found.memory
    if memory is None or not memory.mb:
        return ""
    return f"Memory: {memory.mb[-1]:.0f} MB, {memory.growth_mb_per_minute:+.1f} MB a minute."
