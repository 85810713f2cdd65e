"""The Dagster instance of a project folder."""

import os

from morphene_core.files import write_text
from morphene_core.home import Home

_CONFIG = """\
# The Dagster instance of this Morphene project folder: runs, events and logs lie beside this file.
telemetry:
  enabled: false
nux:
  enabled: false
"""


def instance_environment(home: Home) -> dict[str, str]:
    """Return the environment in which Dagster uses a project folder and the instance in it.

    The instance is set up if it was not.
    """
    config = home.dagster / "dagster.yaml"
    if not config.exists():
        write_text(config, _CONFIG)
    return os.environ | {"MORPHENE_HOME": str(home.path), "DAGSTER_HOME": str(home.dagster)}
