"""Everything that Dagster loads. It imports no torch: that happens in worker processes."""

import dagster as dg

from morphene_dagster import assets, checks, jobs, schedules, sensors
from morphene_dagster.resources import Project, Workers

defs = dg.Definitions(
    assets=assets.ALL,
    asset_checks=checks.ALL,
    jobs=jobs.ALL,
    schedules=schedules.ALL,
    sensors=sensors.ALL,
    resources={"project": Project(), "workers": Workers()},
    # What is heavy has a process of its own already; another one per step costs seconds each.
    executor=dg.in_process_executor,
)
