"""The `morphene` command.

Imports happen inside the commands, so that `--help` is instant.
"""

import click

from morphene_dagster.cli.audit import audit, calibrate, listen, select
from morphene_dagster.cli.catalogue import instruments, setup
from morphene_dagster.cli.delivery import deliver, rights, verify
from morphene_dagster.cli.forecast import forecast
from morphene_dagster.cli.pipeline import demo, run, up
from morphene_dagster.cli.queue import queue, trainings
from morphene_dagster.cli.realtime import realtime
from morphene_dagster.cli.sources import sources


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="morphene", message="morphene %(version)s")
def main() -> None:
    """Neural audio instruments, from raw recordings to a .ts that plays in nn~.

    Everything lies in one project folder: MORPHENE_HOME, or the demo's ./demo-home.
    """


for command in (
    *(demo, instruments, setup, sources, queue, trainings, forecast),
    *(audit, select, listen, calibrate, realtime, deliver, verify, rights, run, up),
):
    main.add_command(command)
