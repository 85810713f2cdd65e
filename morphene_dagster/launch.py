"""The stages of an instrument, run through the queue and followed in the terminal."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from rich.console import Console
from rich.live import Live
from rich.text import Text

from morphene_core.delivery.candidate import candidate
from morphene_core.gate import closed
from morphene_core.home import Home, InstrumentPaths
from morphene_core.progress import clock
from morphene_core.stages import approval_of
from morphene_dagster import assets
from morphene_dagster.instance import open_instance, set_pool_limits
from morphene_dagster.jobs import STAGES
from morphene_dagster.services import services
from morphene_dagster.submit import submit

_POLL_SECONDS = 0.25
_STOP_SECONDS = 60.0
_RETRY_SECONDS = 180.0  # within which a retry begins, though Dagster missed it at first
_START_SECONDS = 30.0  # that Dagster may need to start a run that nothing stands before


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        run_id: of the last run.
        status: Dagster's name for its state.
        error: of a failed step.
        run_ids: of all runs.
        waits_for: why it is not delivered although nothing failed: nobody has listened yet, and
            whatever else is missing.
    """

    run_id: str
    status: str
    error: str | None = None
    run_ids: tuple[str, ...] = ()
    waits_for: str | None = None

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
    stages: Sequence[str] = STAGES,
    ops: Mapping[str, object] | None = None,
) -> Outcome:
    """Run stages of an instrument, a run each, and show how far they are.

    A delivery that takes a person's approval is left out until somebody gave it. Each stage waits
    in the queue like any other run. An interrupt (Ctrl-C, SIGTERM) cancels the run; a cancel in the
    UI ends this, too. What is done by then stays. Where the project folder's services do not run,
    they run for as long as this takes.

    Args:
        home: the project folder.
        slug: the instrument.
        profile: name of the training profile, or None for the settings' one.
        console: where to show it.
        typical: seconds that each step usually takes, for an estimate of the whole.
        stages: names of the jobs, in their order.
        ops: configuration of their assets, by the assets' names.
    """
    config: dict[str, object] = {"ops": ops} if ops else {}
    if profile:
        config["resources"] = {"project": {"config": {"profile": profile}}}
    with open_instance(home) as instance, services(home, console.print):
        set_pool_limits(instance, home)
        count = sum(
            group in stages for asset in assets.ALL for group in asset.group_names_by_key.values()
        )
        follower = _Follower(instance, console, typical or {}, count)
        with _terminate_as_interrupt():
            return _run_stages(instance, follower, home.instrument(slug), config, stages)


def _run_stages(
    instance: dg.DagsterInstance,
    follower: "_Follower",
    paths: InstrumentPaths,
    config: Mapping[str, object],
    stages: Sequence[str],
) -> Outcome:
    run_ids: list[str] = []
    status = dg.DagsterRunStatus.NOT_STARTED
    for job in stages:
        if job == "deliver" and approval_of(paths).state == "waiting":
            missing = closed(paths.slug, candidate(paths).obstacles)
            last = run_ids[-1] if run_ids else ""
            return Outcome(last, status.value, None, tuple(run_ids), missing)
        run_ids.append(submit(instance, job, paths.slug, config))
        try:
            status = follower.follow(run_ids[-1])
        except KeyboardInterrupt:
            status = follower.stop()
        if status is not dg.DagsterRunStatus.SUCCESS:
            break
    return Outcome(run_ids[-1], status.value, follower.error, tuple(run_ids))


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Follower:
    """Shows runs' events as they come, one run after the other."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        console: Console,
        typical: Mapping[str, float],
        count: int,
    ) -> None:
        self.error: str | None = None
        self._instance, self._console = instance, console
        self._typical = dict(typical)
        self._run_id = ""
        self._cursor: str | None = None
        self._assets = {asset.key.to_user_string() for asset in assets.ALL}
        self._started, self._steps = 0, count
        self._step: str | None = None
        self._step_began = 0.0
        self._line = ""

    def follow(self, run_id: str) -> dg.DagsterRunStatus:
        """Show a run's events until it has ended, its retries by Dagster included.

        Raises:
            KeyboardInterrupt: at Ctrl-C.
        """
        self._run_id, self._cursor, self._step = run_id, None, None
        self._line = "waiting for Dagster"
        patience = time.monotonic() + _START_SECONDS
        with Live(self._status(), console=self._console, transient=True) as live:
            while True:
                run = self._instance.get_run_by_id(self._run_id)
                assert run is not None
                if run.status is dg.DagsterRunStatus.QUEUED and time.monotonic() > patience:
                    self._say_once("in the queue: it begins when those before it have ended")
                self.drain()
                live.update(self._status())
                if run.is_finished:
                    retry = self._retry_of(run)
                    if retry is None:
                        live.update("")
                        return run.status
                    self._run_id, self._cursor, self.error = retry, None, None
                time.sleep(_POLL_SECONDS)

    def stop(self) -> dg.DagsterRunStatus:
        """Cancel the run that is followed; return how it ended."""
        self._console.print("Stopping: what is done stays ...")
        coordinator = self._instance.run_coordinator
        deadline = time.monotonic() + _STOP_SECONDS
        coordinator.cancel_run(self._run_id)
        while True:
            run = self._instance.get_run_by_id(self._run_id)
            if run is None or run.is_finished or time.monotonic() > deadline:
                return run.status if run else dg.DagsterRunStatus.CANCELED
            time.sleep(_POLL_SECONDS)

    def _retry_of(self, run: dg.DagsterRun) -> str | None:
        """Return the run that takes up one whose process died, or None.

        Dagster says that a run has failed, and a moment later whether it is tried again.
        """
        deadline = time.monotonic() + _RETRY_SECONDS
        while run.status is dg.DagsterRunStatus.FAILURE and time.monotonic() < deadline:
            latest = self._instance.get_run_by_id(run.run_id)
            if latest is None or latest.tags.get(WILL_RETRY_TAG) == "false":
                return None
            if retry := latest.tags.get(AUTO_RETRY_RUN_ID_TAG):
                self._console.print("The run's process died: it is started again.")
                return retry
            time.sleep(_POLL_SECONDS)
        return None

    def _say_once(self, line: str) -> None:
        if line != self._line:
            self._line = line
            if not self._console.is_terminal:
                self._console.print(f"  {line}", highlight=False)

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
        return f"[{self._started:>2}/{self._steps}]"

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
