"""A project folder with small instruments, and what has become of their trainings."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import CodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from morphene_core.dataset import DatasetRecord, write_record
from morphene_core.files import point_link
from morphene_core.home import ROLES, Home
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.profiles import load_profile
from morphene_core.sources.collect import add_source
from morphene_core.training import TrainingFolder, open_training
from morphene_dagster.definitions import defs
from morphene_dagster.instance import instance_environment, set_pool_limits
from morphene_dagster.services import services
from tests.conftest import TINY
from tests.recordings import facts, record


def small_home(path: Path) -> Home:
    """Make a project folder whose profile asks for no hours of recordings."""
    home = Home(path)
    home.create(profile="tiny")
    home.profiles.mkdir()
    (home.profiles / "tiny.toml").write_text(TINY)
    return home


def collect(home: Home, *numbers: int, licence: str = "own") -> list[Instrument]:
    """Add recordings of both roles to instruments, which are ready then."""
    instruments = [get_instrument(number) for number in numbers]
    with tempfile.TemporaryDirectory() as folder:
        for i in instruments:
            for seed, role in enumerate(ROLES):
                take = record(Path(folder) / f"{i.slug}-{role}.wav", 100 * i.number + seed)
                terms = facts(licence=licence)
                add_source(home.instrument(i.slug), role, terms, [take])
    return instruments


def launched(
    instance: dg.DagsterInstance,
    instrument: Instrument,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED,
    job: str = "train",
    **tags: str,
) -> dg.DagsterRun:
    """Create a run of a job of an instrument, as Dagster does when one is launched.

    If it fails it is not tried again, unless a tag says so (`dagster__max_retries`).
    """
    names = {name.replace("__", "/"): value for name, value in tags.items()}
    names = {"dagster/max_retries": "0"} | names
    location = RegisteredCodeLocationOrigin("morphene_dagster.definitions")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)
    return instance.create_run_for_job(
        defs.resolve_job_def(job),
        status=status,
        tags={"dagster/partition": instrument.slug} | names,
        remote_job_origin=origin,
        job_code_origin=_code_origin(job),
    )


def _code_origin(job: str) -> JobPythonOrigin:
    pointer = CodePointer.from_module("morphene_dagster.definitions", "defs", None)
    return JobPythonOrigin(job, RepositoryPythonOrigin(sys.executable, pointer))


@contextmanager
def at_work(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Give a project folder's instance, with Dagster's services working through its queue."""
    environment = instance_environment(home)
    for name in ("MORPHENE_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, environment[name])
    with dg.DagsterInstance.get() as instance, services(home):
        set_pool_limits(instance, home)
        yield instance


def read(instance: dg.DagsterInstance, *instruments: Instrument) -> None:
    """Report that recordings were read; else the sensor has them read, in runs of their own."""
    for instrument in instruments:
        for role in ROLES:
            event = dg.AssetMaterialization(f"{role}_source", partition=instrument.slug)
            instance.report_runless_asset_event(event)


def trained(instance: dg.DagsterInstance, instrument: Instrument) -> None:
    """Report that a training of an instrument is complete."""
    event = dg.AssetMaterialization("checkpoints", partition=instrument.slug)
    instance.report_runless_asset_event(event)


def begun(home: Home, instrument: Instrument, profile: str = "tiny") -> TrainingFolder:
    """Begin the folder of a training, as the trainer does before its first step."""
    paths = home.instrument(instrument.slug)
    dataset = DatasetRecord("v1", 8192, 9, {"musical": 1.0, "nonmusical": 1.0}, [])
    write_record(paths.preprocessed_db, dataset)
    folder = open_training(paths, load_profile(profile, home.profiles), dataset)
    folder.checkpoints.mkdir(exist_ok=True)
    point_link(paths.checkpoints, folder.checkpoints)
    return folder
