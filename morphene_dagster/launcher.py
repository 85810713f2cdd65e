"""Launches runs as Dagster's default launcher does, and knows whether their workers live.

The default one cannot tell: after a reboot its runs would stay STARTED for ever and hold their
slots. With this, Dagster's run monitoring fails them, and its run retries queue them again.
"""

from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

_MISSES = 2  # a code server that starts anew, or is busy, is asked once more


class LocalRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher with a health check of the runs' workers."""

    def __init__(self, inst_data: Any = None) -> None:
        super().__init__(inst_data)
        self._missed: dict[str, int] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the code server that started a run whether it still knows it."""
        if self._is_known(run.run_id):
            self._missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._missed[run.run_id] = self._missed.get(run.run_id, 0) + 1
        if self._missed[run.run_id] < _MISSES:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        del self._missed[run.run_id]
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its process is gone (a reboot, or it was killed)"
        )

    def _is_known(self, run_id: str) -> bool:
        client = self._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return False
        try:
            answer = client.can_cancel_execution(
                CanCancelExecutionRequest(run_id=run_id), timeout=5
            )
        except DagsterUserCodeUnreachableError:
            return False
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel
