"""Worker processes through Dagster Pipes, followed while they run.

Dagster's own subprocess client hands over what a process reported when it has ended. A training of
a day has to be seen before: its messages are taken as they come. They lie in the project folder,
not in a temporary one that may be swept meanwhile.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.pipes.utils import PipesFileMessageReader
from dagster._utils.interrupts import capture_interrupts, pop_captured_interrupt

from morphene_core.home import Home

_POLL_SECONDS = 0.5
_KEPT_SECONDS = 2 * 86_400.0  # a worker that lives writes more often
_STOP_SECONDS = 28.0
"""Longer than a trainer takes to end by itself (`morphene_core.training.heartbeat`)."""

Message = Mapping[str, Any]


def run_worker(
    context: dg.AssetExecutionContext,
    command: Sequence[str],
    environment: Mapping[str, str],
    extras: Mapping[str, Any],
    take: Callable[[Message], None],
) -> int:
    """Run a worker process to its end and return its exit status.

    A cancel of the run reaches it as SIGINT; what does not end then is killed.

    Args:
        context: of the step that it works for.
        command: of the process.
        environment: variables beside the present ones.
        extras: what it is told.
        take: is given each of its messages as it comes.
    """
    folder = Home.resolve().dagster / "pipes"
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    messages = folder / f"{context.run.run_id}-{context.retry_number}.jsonl"
    with dg.open_pipes_session(
        context=context,
        context_injector=dg.PipesTempFileContextInjector(),
        message_reader=PipesFileMessageReader(str(messages)),
        extras=dict(extras),
    ) as session:
        process = subprocess.Popen(
            command, env={**os.environ, **environment, **session.get_bootstrap_env_vars()}
        )
        taken = 0
        try:
            # An interrupt raised within a callback of the database's would be lost in Python.
            with capture_interrupts():
                while process.poll() is None:
                    taken = _take_new(session, taken, take)
                    _raise_if_interrupted()
                    time.sleep(_POLL_SECONDS)
                _raise_if_interrupted()
        except BaseException:  # a cancel; or an error of ours, after which nobody would follow it
            context.log.info("The worker process is asked to stop.")
            _stop(process)
            raise
    _take_new(session, taken, take)
    return process.returncode


def _raise_if_interrupted() -> None:
    if pop_captured_interrupt():
        raise DagsterExecutionInterruptedError


def _sweep(folder: Path) -> None:
    """Delete the messages of processes that were killed together with their reader."""
    for file in folder.glob("*.jsonl"):
        if time.time() - file.stat().st_mtime > _KEPT_SECONDS:
            file.unlink(missing_ok=True)


def _take_new(session: dg.PipesSession, taken: int, take: Callable[[Message], None]) -> int:
    messages = session.get_custom_messages()
    for message in messages[taken:]:
        take(message)
    return len(messages)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
