"""A run started from the terminal, and followed there through the instance's own event log."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import dagster as dg
from rich.console import Console
from rich.live import Live
from rich.text import Text

from morphene_core.home import Home
from morphene_core.progress import clock
from morphene_dagster import assets
from morphene_dagster.instance import instance_environment

_POLL_SECONDS = 0.25
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its id, Dagster's name for its state, and the error of a failed step."""

    run_id: str
    status: str
    error: str | None = None

    @property
    def success(self) -> bool:
        """Whether every stage succeeded."""
        return self.status == dg.DagsterRunStatus.SUCCESS.value


def launch(
    home: Home,
    slug: str,
    profile: str | None,
    console: Console,
    typical: Mapping[str, float] | None = None,
) -> Outcome:
    """Run all stages of an instrument in a process of its own and show how far it is.

    An interrupt (Ctrl-C, SIGTERM) and a cancel in the UI reach that process; what is done by then
    stays.

    Args:
        home: the project folder.
        slug: the instrument.
        profile: name of the training profile, or None for the settings' one.
        console: where to show it.
        typical: seconds that each step usually takes, for an estimate of the whole.
    """
    environment = instance_environment(home)
    os.environ["DAGSTER_HOME"] = environment["DAGSTER_HOME"]
    run_id = str(uuid.uuid4())
    config = {"resources": {"project": {"config": {"profile": profile}}}} if profile else {}
    log = home.dagster / "logs" / f"{run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.get() as instance, log.open("wb") as output:
        process = _start(run_id, slug, config, environment, output)
        follower = _Follower(instance, run_id, console, typical or {})
        try:
            with _terminate_as_interrupt():
                follower.follow(process)
        except KeyboardInterrupt:
            console.print("Stopping: what is done stays ...")
            run = instance.get_run_by_id(run_id)
            if run and not run.is_finished:
                instance.report_run_canceling(run)  # or its end would count as a failure
            _stop(process)
            return Outcome(run_id, dg.DagsterRunStatus.CANCELED.value)
        run = instance.get_run_by_id(run_id)
        if run is None:
            return Outcome(run_id, "NOT_STARTED", f"The run did not start: see {log}")
        return Outcome(run_id, run.status.value, follower.error)


def _start(
    run_id: str,
    slug: str,
    config: Mapping[str, object],
    environment: Mapping[str, str],
    output: IO[bytes],
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "morphene_dagster.execute", run_id, slug, json.dumps(config)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        # Its own session: Ctrl-C comes here only, and is passed on once.
        start_new_session=True,
    )


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a run's process and see it end; what does not end in time is killed."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Follower:
    """Shows a run's events as they come."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        run_id: str,
        console: Console,
        typical: Mapping[str, float],
    ) -> None:
        self.error: str | None = None
        self._instance, self._run_id, self._console = instance, run_id, console
        self._typical = dict(typical)
        self._cursor: str | None = None
        self._assets = {asset.key.to_user_string() for asset in assets.ALL}
        self._started = 0  # steps
        self._step: str | None = None
        self._step_began = 0.0
        self._line = "starting Dagster"
        self._cancelled = False

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Show events until the process ends.

        Raises:
            KeyboardInterrupt: at Ctrl-C, and when the run is cancelled from the UI.
        """
        with Live(self._status(), console=self._console, transient=True) as live:
            while process.poll() is None:
                self.drain()
                live.update(self._status())
                if self._cancelled:
                    raise KeyboardInterrupt
                time.sleep(_POLL_SECONDS)
            self.drain()
            live.update("")

    def drain(self) -> None:
        """Show the events that came since the last time."""
        while True:
            batch = self._instance.get_records_for_run(self._run_id, self._cursor, limit=200)
            self._cursor = batch.cursor
            for record in batch.records:
                self._show(record.event_log_entry)
            if not batch.has_more:
                return

    def _show(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            # What a stage reports, but for what Dagster says of its pipes.
            reported = self._step is not None and entry.step_key == self._step
            if reported and not entry.user_message.startswith("[pipes]"):
                self._line = entry.user_message
                if not self._console.is_terminal:
                    self._console.print(f"  {self._line}", highlight=False, soft_wrap=True)
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            self._check(event.asset_check_evaluation_data)
        elif event.step_key not in self._assets | {None}:
            pass  # a check's own step: its evaluation says what there is to say
        elif event.event_type is dg.DagsterEventType.STEP_START:
            self._begin(str(event.step_key))
        elif event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            self._end("[green]✓[/]")
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            self._fail(event)
        elif event.event_type in (
            dg.DagsterEventType.RUN_CANCELING,
            dg.DagsterEventType.RUN_CANCELED,
        ):
            self._cancelled = True

    def _begin(self, step: str) -> None:
        self._started += 1
        self._step, self._step_began, self._line = step, time.monotonic(), ""
        if not self._console.is_terminal:
            self._console.print(f"{self._count()} {step}{self._left()}", highlight=False)

    def _end(self, mark: str) -> None:
        spent = time.monotonic() - self._step_began
        self._typical.pop(self._step or "", None)
        self._console.print(f"{self._count()} {mark} {self._step}  {clock(spent)}", highlight=False)
        self._step = None

    def _fail(self, event: dg.DagsterEvent) -> None:
        self._end("[red]✗[/]")
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            self.error = data.user_failure_data.description
        elif data.error:
            self.error = data.error.message.strip()

    def _check(self, check: dg.AssetCheckEvaluation) -> None:
        """Show a check that did not pass; a blocking one ends the run."""
        if check.passed:
            return
        name = f"{check.asset_key.to_user_string()}: {check.check_name.replace('_', ' ')}"
        text = f"{name}: {check.description or 'failed'}"
        if check.blocking and check.severity is dg.AssetCheckSeverity.ERROR:
            self.error = self.error or text
        else:
            self._console.print(Text(f"        ! {text}", style="yellow"))

    def _count(self) -> str:
        return f"[{self._started:>2}/{len(self._assets)}]"

    def _left(self) -> str:
        """Return roughly how long the whole run still takes, if that is known."""
        if not self._typical:
            return ""
        spent = time.monotonic() - self._step_began if self._step else 0
        now = self._typical.get(self._step or "", 0)
        left = sum(self._typical.values()) - min(spent, now)
        return f"  (about {clock(left)} in all)"

    def _status(self) -> Text:
        if self._step is None:
            return Text(f"        {self._line} ...{self._left()}", style="dim")
        line = self._line or clock(time.monotonic() - self._step_began)
        return Text(f"{self._count()} … {self._step}{self._left()}  {line}", overflow="ellipsis")
