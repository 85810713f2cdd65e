"""Dagster's daemon, in a hurry; Python imports this at its start if the folder is in PYTHONPATH.

It looks every half minute whether a sensor or a backfill has something to do. A test that waits for
a chain of them would mostly wait, so here it looks every few seconds. All else is as ever.
"""

import sys

if "dagster._daemon" in sys.orig_argv:
    from dagster._core.remote_representation.external import RemoteSensor
    from dagster._daemon import controller

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 3
    RemoteSensor.min_interval_seconds = 5
