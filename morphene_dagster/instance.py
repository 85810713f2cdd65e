"""The Dagster instance of a project folder, which nobody has to set up by hand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import OperationalError

from morphene_core.errors import InputError
from morphene_core.files import write_text
from morphene_core.gpus import list_gpus
from morphene_core.home import Home
from morphene_core.settings import read_settings

GPU_POOL, AUDIT_POOL, PREPARE_POOL = "gpu", "audit", "prepare"
"""Pools: runs that train, audit and prepare. A run holds its slot as long as it runs."""

_CONFIG = """\
# Made by Morphene, and made anew when Morphene's own changes: settings belong into morphene.toml.
# The Dagster instance of this project folder: runs, events and logs lie beside this file.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: run # what waits has no process
  runs:
    max_concurrent_runs: -1 # the pools say how many
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
run_launcher:
  module: morphene_dagster.launcher
  class: LocalRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60 # a training that is cancelled has ended by then
run_retries:
  enabled: true # of runs whose process died: reboots, restarts of the services
  max_retries: 100 # over weeks; a trainer bounds the attempts that bring nothing
  retry_on_asset_or_op_failure: false # these the step itself tries again, if that can help
"""


def instance_environment(home: Home) -> dict[str, str]:
    """Return the environment in which Dagster uses a project folder and the instance in it.

    The instance is set up if it was not, or was by another version.

    Raises:
        InputError: this user may not write there, which everything in Dagster takes.
    """
    config = home.dagster / "dagster.yaml"
    if not config.exists() or config.read_text(encoding="utf-8") != _CONFIG:
        write_text(config, _CONFIG)
    if not os.access(home.dagster, os.W_OK, effective_ids=True):
        raise InputError(
            f"{home.dagster} cannot be written to: use the account that the project folder"
            " belongs to, or give this one the right."
        )
    return os.environ | {"MORPHENE_HOME": str(home.path), "DAGSTER_HOME": str(home.dagster)}


@contextmanager
def open_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of a project folder, and name the folder to this process.

    Raises:
        InputError: this user may not write there, or its records cannot be (a full disk).
    """
    os.environ["DAGSTER_HOME"] = instance_environment(home)["DAGSTER_HOME"]
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except OperationalError as error:
        raise InputError(
            f"Dagster's records in {home.dagster} cannot be read or written ({error.orig}). Free"
            " disk space if the disk is full, then try again."
        ) from error


def gpu_slots(home: Home) -> int:
    """Return how many trainings may run at once: as set, else one per GPU, at least one.

    Raises:
        InputError: the settings are wrong.
    """
    return read_settings(home.settings).queue.gpus or max(1, len(list_gpus()))


def set_pool_limits(instance: dg.DagsterInstance, home: Home) -> None:
    """Give the pools as many slots as the settings and the GPUs say.

    A pool of trainings without a slot stays so: an operator has paused it.

    Raises:
        InputError: the settings are wrong.
    """
    settings = read_settings(home.settings).queue
    storage = instance.event_log_storage
    paused = any(p.name == GPU_POOL and p.limit == 0 for p in storage.get_pool_limits())
    if not paused:
        storage.set_concurrency_slots(GPU_POOL, gpu_slots(home))
    storage.set_concurrency_slots(AUDIT_POOL, settings.audits)
    storage.set_concurrency_slots(PREPARE_POOL, settings.preparations)
