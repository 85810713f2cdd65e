"""Puts a job's run for one instrument into the queue, without a code server at hand."""

import sys
from collections.abc import Mapping

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import BaseWorkspaceRequestContext

_LOCATION = "morphene_dagster.definitions"
"""Dagster's name of the place where our definitions are, which the daemon looks up."""


def submit(
    instance: dg.DagsterInstance,
    job: str,
    slug: str,
    run_config: Mapping[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Queue a run of a job for one instrument; return its id.

    Args:
        instance: of the project folder.
        job: its name.
        slug: the partition.
        run_config: in place of the defaults.
        tags: beside the partition's.
    """
    from morphene_dagster.definitions import defs

    definition = defs.resolve_job_def(job)
    partition = definition.partitions_def
    assert partition is not None
    run = instance.create_run_for_job(
        job_def=definition,
        run_config=run_config or {},
        tags={**definition.tags, **partition.get_tags_for_partition_key(slug), **(tags or {})},
        asset_selection=set(definition.asset_layer.selected_asset_keys),
        remote_job_origin=_remote_origin(job),
        job_code_origin=_code_origin(job),
    )
    workspace: BaseWorkspaceRequestContext = None  # type: ignore[assignment]  # not looked at
    instance.submit_run(run.run_id, workspace)
    return run.run_id


def _remote_origin(job: str) -> RemoteJobOrigin:
    target = LoadableTargetOrigin(module_name=_LOCATION)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, _LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)


def _code_origin(job: str) -> JobPythonOrigin:
    repository = RepositoryPythonOrigin(
        executable_path=sys.executable,
        code_pointer=ModuleCodePointer(_LOCATION, "defs", working_directory=None),
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )
    return JobPythonOrigin(job, repository)
