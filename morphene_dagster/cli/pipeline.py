"""`morphene demo`, `run` and `up`."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from morphene_dagster.cli.common import find_instrument, listens, user_errors

if TYPE_CHECKING:
    import subprocess

    from rich.console import Console

    from morphene_core.home import Home
    from morphene_dagster.launch import Outcome

_PORT_SECONDS = 4.0

# What the demo's steps take on two cores, in seconds, measured; for an estimate of the whole.
DEMO_SECONDS = {
    "musical_source": 2.0,
    "nonmusical_source": 1.0,
    "musical_audio": 1.5,
    "nonmusical_audio": 1.5,
    "preprocessed_db": 4.0,
    "checkpoints": 95.0,
    "audit_renders": 8.0,
    "selected_checkpoint": 0.5,
    "final_model": 24.0,
    "delivery": 9.0,
}


@click.command()
@click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="Folder with musical/ and nonmusical/ in it: recordings of your own, any audio files.",
)
@click.option(
    "--home",
    "folder",
    type=click.Path(path_type=Path),
    help="Project folder of the demo.  [default: ./demo-home]",
)
def demo(sources: Path | None, folder: Path | None) -> None:
    """Make Pyroviolin small, end to end, in about three minutes on a CPU.

    Run it again to go on where it was interrupted.
    """
    with user_errors():
        from rich.console import Console

        from morphene_core.demo import place_own, place_synthesized
        from morphene_core.home import DEMO_HOME, Home

        console = Console(highlight=False, soft_wrap=True)
        instrument = find_instrument("10")
        home = Home((folder or DEMO_HOME).absolute())
        home.create(profile="demo")
        console.print(f"[bold]{instrument.name}[/], the demo: violin + fire, in {home.path}")
        paths = home.instrument(instrument.slug)
        from morphene_dagster.launch import launch
        from morphene_dagster.services import services

        with services(home):  # Dagster starts while the sources are synthesized
            if sources:
                place_own(paths, sources, console.print)
            else:
                place_synthesized(paths, console.print)
            outcome = launch(home, instrument.slug, "demo", console, DEMO_SECONDS)
        _require_success(outcome, console, again="make demo")
        _say_what_was_made(home, instrument.slug, console)


@click.command()
@click.argument("instrument")
@click.option("--profile", help="Training profile, in place of the one in morphene.toml.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
def run(instrument: str, profile: str | None, as_json: bool) -> None:
    """Materialize all assets of INSTRUMENT (number or slug) in MORPHENE_HOME.

    What is done already is not done again; an interrupted training goes on.
    """
    with user_errors():
        from rich.console import Console

        from morphene_core.home import Home
        from morphene_core.profiles import load_profile

        slug = find_instrument(instrument).slug
        home = Home.resolve()
        home.create()
        load_profile(profile or home.profile_name(slug), home.profiles)
        console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        console.print(f"[bold]{slug}[/] in {home.path}")
        from morphene_dagster.launch import launch

        outcome = launch(home, slug, profile, console)
        delivered = outcome.success and not outcome.waits_for
        if as_json:
            delivery = str(home.instrument(slug).final) if delivered else None
            click.echo(json.dumps(vars(outcome) | {"delivery": delivery}))
        _require_success(outcome, console, again=f"morphene run {instrument}")
        if outcome.waits_for:
            _say_what_it_waits_for(outcome.waits_for, console)
        else:
            _say_what_was_made(home, slug, console)


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
def up(port: int) -> None:
    """Work through the queue and open the Dagster UI on this machine (127.0.0.1), until Ctrl-C.

    The same as `morphene queue start`. Trainings that run when it ends save their state, and go on
    when it is started again.
    """
    with user_errors():
        from morphene_core.errors import InputError
        from morphene_core.home import Home
        from morphene_core.instruments import ALL_INSTRUMENTS  # or Dagster would trip over it
        from morphene_core.settings import read_settings
        from morphene_dagster.instance import gpu_slots, open_instance, set_pool_limits
        from morphene_dagster.services import log_path, running, start

        home = Home.resolve()
        if there := running(home):
            if there.port is None:
                raise InputError(
                    "A `morphene run` or `demo` works through this project folder's queue at the"
                    " moment. Start this when it has ended."
                )
            click.echo(f"It runs already, since {there.since}: {there.address}")
            return
        room = read_settings(home.settings).listening.port
        _require_free(port, "Choose one with --port")
        _require_free(
            room,
            f"It is the listening room's: end what is there, or set another one under"
            f" [listening] in {home.settings}",
        )
        own = bool(os.environ.get("MORPHENE_HOME"))
        home.create("production" if own else "demo")
        with open_instance(home) as instance:
            set_pool_limits(instance, home)
        whose = "yours" if own else "the demo's; set MORPHENE_HOME for yours"
        click.echo(f"Project folder: {home.path} ({whose})")
        click.echo(f"Catalogue:      {len(ALL_INSTRUMENTS)} instruments")
        click.echo(f"Trainings:      {gpu_slots(home)} at once; `morphene queue status` shows them")
        click.echo(f"Dagster UI:     http://127.0.0.1:{port}  (Ctrl-C ends it)")
        click.echo(f"Listening room: http://127.0.0.1:{room}")
        click.echo(f"Log:            {log_path(home)}")
        _serve(start(home, port), port, log_path(home))


def _serve(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Say when the UI is up, and stay until it ends or is ended."""
    import signal

    from morphene_core.errors import MorpheneError
    from morphene_dagster.services import stop

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while process.poll() is None and not listens(port):
            time.sleep(0.5)
        if process.poll() is None:
            click.echo("Ready.")
        if status := process.wait():
            raise MorpheneError(f"Dagster ended with status {status}: see the end of {log}.")
    except KeyboardInterrupt:
        click.echo("\nEnding: trainings save their state, and go on at the next start ...")
        stop(process)


def _require_free(port: int, remedy: str) -> None:
    """See to it that a port can be used, by then: services that were killed take seconds to go."""
    import socket

    from morphene_core.errors import InputError

    deadline = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise InputError(
                        f"Port {port} is taken (another `morphene up` or `listen`?). {remedy}."
                    ) from error
        time.sleep(0.2)


def _require_success(outcome: "Outcome", console: "Console", again: str) -> None:
    if outcome.success:
        return
    if outcome.error:
        console.print(outcome.error, style="red", markup=False, soft_wrap=True)
    else:
        console.print(f"Stopped. `{again}` goes on from what is there.")
    sys.exit(1)


def _say_what_it_waits_for(text: str, console: "Console") -> None:
    console.print("\n[bold]Exported.[/]")
    console.print(text, markup=False)
    console.print("Once it is approved, and nothing else is missing, a running `morphene up`")
    console.print("delivers it within a minute; without one, run this command again.")


def _say_what_was_made(home: "Home", slug: str, console: "Console") -> None:
    from morphene_core.files import read_json
    from morphene_core.home import Home

    paths = home.instrument(slug)
    metadata = read_json(paths.final / "metadata.json")
    console.print(f"\n[bold]Delivered[/] to {paths.final}")
    console.print(f"  {slug}.ts       the model, for nn~ (Max, Pure Data) and RAVE VST")
    console.print(f"  {slug}.pd       a patch to play it at once; {slug}.maxpat for Max")
    console.print("  demo.wav            what it makes of audio that it was not trained on")
    console.print("  README.md           what it is, how to play it, what it is good and bad at")
    console.print("  LICENCE.md          under which terms; metadata.json has all of it")
    if metadata["notice"]:
        console.print(f"[yellow]{metadata['notice']}[/]")
    console.print("\n[bold]Next[/]")
    console.print(f"  play        {paths.final / 'demo.wav'}")
    # The commands take the home in use, which is not the demo's once the user has one.
    where = "" if home == Home.resolve() else f"MORPHENE_HOME={home.path} "
    console.print(f"  listen      {where}morphene listen {slug}  (each checkpoint, in the browser)")
    console.print(f"  look        {where}make up  (the Dagster UI: runs, lineage, pictures)")
