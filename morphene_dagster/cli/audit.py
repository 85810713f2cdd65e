"""`morphene audit`, `select`, `calibrate` and `listen`."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from morphene_dagster.cli.common import (
    find_instrument,
    json_option,
    listens,
    open_home,
    print_json,
    print_rows,
    progress,
    user_errors,
)
from morphene_dagster.cli.trust import require_trust

if TYPE_CHECKING:
    from morphene_core.audits import Audit
    from morphene_core.criteria import Thresholds
    from morphene_core.home import Home
    from morphene_core.selection import Place, Ranking, Selection
    from morphene_core.training import TrainingFolder

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--instrument", help="Number or slug: of the project folder, or for the titles.")
@click.option("--run", "folder", type=_PATH, help="A training's folder, of ours or stock RAVE's.")
@click.option("--checkpoint", type=_PATH, help="One checkpoint (.pt, .ckpt), or any RAVE .ts.")
@click.option("--all", "everything", is_flag=True, help="All checkpoints, not only the newest.")
@click.option("--musical-ref", type=_PATH, help="Audio of the musical source, any format.")
@click.option("--nonmusical-ref", type=_PATH, help="Audio of the non-musical source.")
@click.option("--output", type=_PATH, help="Folder for the audits, one folder per step in it.")
@click.option("--yes", is_flag=True, help="Load a .ts without asking: it is code.")
@json_option
def audit(
    instrument: str | None,
    folder: Path | None,
    checkpoint: Path | None,
    everything: bool,
    musical_ref: Path | None,
    nonmusical_ref: Path | None,
    output: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Render and measure checkpoints: two reconstructions, five morphs, numbers and pictures.

    \b
    Inside a project folder, through its queue; what is audited already is not audited again:
      morphene audit --instrument pyroviolin --all
    Any run folder of RAVE, any checkpoint, any exported model:
      morphene audit --run runs/violin --all --musical-ref violin.wav --nonmusical-ref fire.wav
          --output audits
    """  # noqa: D301 - click's mark for lines that stay as they are
    with user_errors():
        outside = (folder, checkpoint, musical_ref, nonmusical_ref, output)
        if any(value is not None for value in outside):
            name = find_instrument(instrument).name if instrument else ""
            _audit_outside(
                folder, checkpoint, everything, musical_ref, nonmusical_ref, output, name, yes,
                as_json,
            )  # fmt: skip
        elif instrument:
            _audit_inside(open_home(), find_instrument(instrument).slug, everything, as_json)
        else:
            raise click.UsageError("Name an --instrument, a --run or a --checkpoint.")


def _audit_inside(home: "Home", slug: str, everything: bool, as_json: bool) -> None:
    import sys

    from rich.console import Console

    from morphene_core.audits import read_audits
    from morphene_core.training import current_training
    from morphene_dagster.launch import launch

    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    folder = current_training(home.instrument(slug))
    ops = {"audit_renders": {"config": {"newest_only": not everything}}}
    outcome = launch(home, slug, None, console, stages=("audit",), ops=ops)
    if not outcome.success:
        console.print(outcome.error or "Stopped: what is audited stays.", style="red", markup=False)
        sys.exit(1)
    _say_audits(read_audits(folder), folder.audit, as_json)


def _audit_outside(
    run: Path | None,
    checkpoint: Path | None,
    everything: bool,
    musical_ref: Path | None,
    nonmusical_ref: Path | None,
    output: Path | None,
    name: str,
    yes: bool,
    as_json: bool,
) -> None:
    if not (musical_ref and nonmusical_ref and output):
        raise click.UsageError("This takes --musical-ref, --nonmusical-ref and --output.")
    files = _models(run, checkpoint, yes)
    from morphene_core.audits import audit_all, to_audit, write_references
    from morphene_core.rave.models import CheckpointModels

    with progress() as report:

        def say(line: str) -> None:
            if line.startswith("Warning"):
                click.echo(line, err=True)
            report(line)

        models = CheckpointModels()
        title = name or (run or files[0]).stem
        audited = to_audit(files, output, title, models.facts, say)
        chosen = {"musical": musical_ref, "nonmusical": nonmusical_ref}
        refs = write_references(output, chosen, {"musical": (), "nonmusical": ()}, 0, say)  # type: ignore[arg-type]
        audits = audit_all(audited if everything else audited[-1:], refs, models.open, say)
    _say_audits(audits, output, as_json)


def _models(run: Path | None, checkpoint: Path | None, yes: bool) -> list[Path]:
    """Return the files of a run, or the one that is named; ask whether to load code of others."""
    from morphene_core.audits import MODELS, models_in
    from morphene_core.errors import InputError

    if checkpoint and checkpoint.suffix not in MODELS:
        raise InputError(f"{checkpoint} is no model: give a {', '.join(MODELS)}.")
    if checkpoint and run and not checkpoint.exists() and not checkpoint.is_absolute():
        checkpoint = run / checkpoint  # named as it lies in the run's folder
    if not checkpoint and not run:
        raise click.UsageError("Name a --checkpoint, or a --run with its checkpoints.")
    files = [checkpoint] if checkpoint else models_in(run) if run else []
    for file in files:
        if file.suffix == ".ts" and file.exists():
            require_trust(file, yes)
    return files


def _say_audits(audits: "list[Audit]", folder: Path, as_json: bool) -> None:
    from morphene_core.audits import audit_rows

    if as_json:
        from dataclasses import asdict

        print_json([asdict(audit) for audit in audits])
        return
    from rich.console import Console

    # One row a metric: a table as wide as all metrics fits no terminal.
    rows = audit_rows(audits)
    console = Console(highlight=False)
    console.print(_turned(rows))
    console.print(f"{folder}", soft_wrap=True)


def _turned(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    shown = [rows[0], *rows[1:][-6:]] if len(rows) > 7 else rows
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step", no_wrap=True)
    for row in shown:
        table.add_column(f"{row['step']:,}" if row["step"] else "-", justify="right")
    for key in [key for key in rows[0] if key != "step"]:
        values = (row[key] for row in shown)
        table.add_row(key, *("-" if value is None else f"{value:.4g}" for value in values))
    return table


@click.command()
@click.argument("instrument")
@click.argument("step", type=int, required=False)
@click.option("--reason", help="Why this checkpoint. It stays on record.")
@click.option("--who", help="Your name.  [default: of the user who is logged in]")
@click.option("--withdraw", is_flag=True, help="Take the choice back: the ranking decides again.")
@json_option
def select(
    instrument: str,
    step: int | None,
    reason: str | None,
    who: str | None,
    withdraw: bool,
    as_json: bool,
) -> None:
    """Show how INSTRUMENT's checkpoints rank, or choose the one of STEP: a person's choice wins."""
    with user_errors():
        from morphene_core.criteria import load_thresholds
        from morphene_core.errors import InputError
        from morphene_core.selection import (
            choose_checkpoint,
            select_checkpoint,
            withdraw_choice,
        )
        from morphene_core.training import current_training

        home = open_home()
        folder = current_training(home.instrument(find_instrument(instrument).slug))
        thresholds = load_thresholds(home.path)
        if (step is not None or withdraw) and not reason:
            raise InputError('Say why, in a few words: --reason "…". It stays on record.')
        if step is not None and withdraw:
            raise InputError("Choose a step, or withdraw a choice: not both.")
        if withdraw:
            withdraw_choice(folder, str(reason), who or getpass.getuser())
        elif step is not None:
            choose_checkpoint(folder, step, str(reason), who or getpass.getuser())
        if step is not None or withdraw:
            select_checkpoint(folder, thresholds)
        _say_ranking(_ranking(folder, thresholds), _selection(folder), as_json)


def _ranking(folder: "TrainingFolder", thresholds: "Thresholds") -> "Ranking | None":
    """Return the ranking, or None if nothing is audited: a person may choose all the same."""
    from morphene_core.errors import InputError
    from morphene_core.selection import rank_checkpoints

    try:
        return rank_checkpoints(folder, thresholds)
    except InputError:
        return None


def _selection(folder: "TrainingFolder") -> "Selection | None":
    from morphene_core.selection import read_selection

    return read_selection(folder) if folder.selection.exists() else None


def _say_ranking(ranking: "Ranking | None", selection: "Selection | None", as_json: bool) -> None:
    selected = selection.step if selection else None
    rows = [_place(place, selected) for place in ranking.places] if ranking else []
    if as_json:
        print_json(
            {
                "selected": vars(selection) if selection else None,
                "ranking": rows,
                "champions": {phase: p.step for phase, p in ranking.champions.items()}
                if ranking
                else {},
                "plateau": vars(ranking.plateau) if ranking else None,
                "provisional": ranking.provisional if ranking else None,
            }
        )
        return
    print_rows(rows, False, "No checkpoint is audited: `morphene audit` does it.")
    if ranking:
        _say_of_ranking(ranking)
    _say_selection(ranking, selection)


def _say_of_ranking(ranking: "Ranking") -> None:
    champions = ", ".join(
        f"of phase {phase}: step {place.step:,}" for phase, place in ranking.champions.items()
    )
    click.echo(f"\nThe best {champions}." if champions else "\nAll of them have faults.")
    click.echo(ranking.plateau.text)


def _say_selection(ranking: "Ranking | None", selection: "Selection | None") -> None:
    if selection is None:
        click.echo("Nothing is selected yet: the job `audit` selects, or `morphene select` a step.")
        return
    click.secho(f"Selected: step {selection.step:,}, by {selection.by}.", bold=True)
    click.echo(selection.reason)
    first = ranking.first if ranking else None
    if first and selection.by == "ranking" and first.step != selection.step:
        click.echo(
            f"By now the ranking has step {first.step:,} first, by other thresholds or audits: the"
            " job `audit` selects it."
        )


def _place(place: "Place", selected: int | None) -> dict[str, Any]:
    scores = {name.split("_")[0]: f"{of.score:.2f}" for name, of in place.results.items()}
    return {
        "place": f"{place.number}{' *' if place.step == selected else ''}",
        "step": f"{place.step:,}",
        "phase": place.phase,
        "front": place.front,
        **scores,
        "distance": f"{place.distance:.2f}",
        "left out because": "; ".join(place.faults),
    }


@click.command()
@click.option("--write", is_flag=True, help="Write them into the project folder's criteria.toml.")
@json_option
def calibrate(write: bool, as_json: bool) -> None:
    """Recompute the criteria's thresholds from all audited checkpoints with a verdict.

    Where too few were given, or where a number does not tell what people liked from what they did
    not, a threshold stays as it is, and this says why.
    """
    with user_errors():
        from morphene_core.criteria import load_thresholds
        from morphene_core.criteria.calibration import calibrate as recompute
        from morphene_core.criteria.calibration import collect, write_thresholds
        from morphene_core.metrics import METRICS

        home = open_home()
        rows = recompute(collect(home), load_thresholds(home.path))
        shown = [
            {
                "metric": METRICS[row.metric].title,
                "of": METRICS[row.metric].criterion.replace("_", " "),
                "threshold": row.old.value,
                "recomputed": row.new.value if row.new else None,
                "why": row.reason,
            }
            for row in rows
        ]
        print_rows(shown, as_json, "")
        if write:
            path = write_thresholds(home.path, rows)
            click.echo(f"Written: {path}" if path else "Nothing to write.", err=as_json)
        elif any(row.new for row in rows):
            click.echo("Not written: add --write.", err=as_json)


@click.command()
@click.argument("instrument", required=False)
@click.option("--port", type=int, help="Of the listening room.  [default: 3001, or morphene.toml]")
@click.option("--browser/--no-browser", default=True, help="Whether to open the browser.")
def listen(instrument: str | None, port: int | None, browser: bool) -> None:
    """Open the listening room in the browser, for INSTRUMENT or the whole catalogue.

    It is served on this machine only (127.0.0.1), until Ctrl-C. What you decide in it is taken up
    by `morphene up`.
    """
    with user_errors():
        from morphene_core.listening import serve
        from morphene_core.settings import read_settings
        from morphene_dagster.services import running

        home = open_home()
        place = f"instruments/{find_instrument(instrument).slug}" if instrument else ""
        of_up = running(home) is not None and port is None
        port = port or read_settings(home.settings).listening.port
        if of_up and listens(port):
            address = f"http://127.0.0.1:{port}/{place}"
            click.echo(f"The listening room of `morphene up` is open: {address}")
            if browser:
                click.launch(address)
            return
        serve(home, port, browser, click.echo, place)
