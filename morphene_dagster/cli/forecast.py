"""`morphene forecast`: what the open trainings will take."""

from typing import TYPE_CHECKING

import click

from morphene_dagster.cli.common import counted, json_option, print_json, user_errors
from morphene_dagster.cli.queue import opened, wide_console

if TYPE_CHECKING:
    from morphene_core.forecast import Row


@click.command()
@click.option(
    "--gpus", type=click.IntRange(1), help="How many trainings run at once.  [default: as set]"
)
@json_option
def forecast(gpus: int | None, as_json: bool) -> None:
    """GPU hours, days and disk space of what is not trained yet. Example: forecast --gpus 4.

    From the speeds and sizes of this project's own trainings. Where there are none yet, the
    profile's budget in hours is used, which is a plan.
    """
    with user_errors(), opened() as (home, instance):
        from shutil import disk_usage

        from morphene_core.forecast import forecast as foresee
        from morphene_core.instruments import ALL_INSTRUMENTS
        from morphene_dagster.instance import gpu_slots
        from morphene_dagster.standing import standings

        known = standings(instance)
        trained = {slug for slug, standing in known.items() if standing.state == "trained"}
        to_train = [i for i in ALL_INSTRUMENTS if i.slug not in trained]
        slots = gpus or gpu_slots(home)
        rows = foresee(home, ALL_INSTRUMENTS, to_train, slots)
        free = disk_usage(home.path).free / 1e9
        if as_json:
            print_json({"gpus": slots, "free_gigabytes": free, "tiers": [vars(r) for r in rows]})
        else:
            _print(rows, slots, free)


def _print(rows: list["Row"], gpus: int, free: float) -> None:
    from rich.table import Table

    from morphene_core.forecast import KNOWN_SIZES

    console = wide_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    days = f"days at {counted(gpus, 'GPU')}"
    for column in ("tier", "open", "GPU hours", days, "disk", "how it is known"):
        left = column in ("tier", "how it is known")
        table.add_column(column, justify="left" if left else "right")
    for row in rows:
        known = row.open - row.unknown
        table.add_row(
            f"[bold]{row.tier}[/]",
            str(row.open),
            f"{row.hours:,.1f}" if known else "",
            f"{row.days:,.1f}" if known else "",
            f"{row.gigabytes:,.1f} GB" if row.open > row.unknown_gigabytes else "",
            _how(row),
        )
    console.print(table)
    if rows[-1].unknown_gigabytes:
        console.print(
            f"\nDisk of {counted(rows[-1].unknown_gigabytes, 'training')}: not measured yet"
            f" ({KNOWN_SIZES})."
        )
    console.print(f"Free disk space: {free:,.0f} GB")


def _how(row: "Row") -> str:
    planned = row.hours - row.measured_hours
    parts = [f"{row.measured_hours:,.1f} h measured"] if row.measured_hours else []
    parts += [f"{planned:,.1f} h planned, not measured yet"] if planned > 1e-9 else []
    parts += [f"{counted(row.unknown, 'training')} not measured yet"] if row.unknown else []
    return ", ".join(parts)
