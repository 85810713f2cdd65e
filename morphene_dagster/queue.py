"""The queue of trainings: what an operator sees and does.

It is Dagster's own run queue and its backfills; nothing is kept beside them.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.tags import PRIORITY_TAG, WILL_RETRY_TAG

from morphene_core.dataset import read_record, source_list
from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.instruments.definition import Tier
from morphene_core.profiles import load_profile
from morphene_core.sources.register import load_register
from morphene_core.training import (
    TrainingFolder,
    TrainingRecord,
    current_training,
    training_id,
)
from morphene_core.training.live import Live, is_running, read_live
from morphene_core.training.requests import Request, ask
from morphene_dagster.backfills import (
    PRIORITIES,
    Choice,
    eligible,
    launch,
    take_out,
    what_is_missing,
)
from morphene_dagster.instance import GPU_POOL, gpu_slots
from morphene_dagster.standing import (
    PAUSED_TAG,
    TIER_TAG,
    Standing,
    instrument_of,
    is_training,
    priority,
    queued_trainings,
    standings,
    why_failed,
)
from morphene_dagster.submit import submit

_STOP_SECONDS = 60.0  # that a cancelled run is waited for
_ASK_AGAIN_SECONDS = 35.0  # longer than a run waits for its trainer to end
_STARTING = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)
"""A run that is cancelled in these counts as failed: Dagster's worker finds it is not to start."""
_DEQUEUE_SECONDS = 2.0  # in which the daemon starts what it had chosen under the limit before
_STABLE_SECONDS = 3.0  # in which the backfill daemon would have undone a change


@dataclass(frozen=True)
class Entry:
    """One instrument in the queue.

    Attributes:
        number: of the instrument, as are its name, slug and tier.
        state: in words.
        why: more about the state, in one line.
        position: in the queue, from 1 on.
        step: batches that were trained, of ``total_steps``; None before a training has begun.
        phase: 1 or 2.
        steps_per_second: lately; this, seconds_left and gpu are known of a running training only.
        attempts: how often its trainer was started.
        last_checkpoint: its step.
        run: id of the Dagster run.
    """

    number: int
    name: str
    slug: str
    tier: Tier
    state: str
    why: str = ""
    position: int | None = None
    training: str | None = None
    step: int | None = None
    total_steps: int | None = None
    phase: int | None = None
    steps_per_second: float | None = None
    seconds_left: float | None = None
    gpu: str | None = None
    attempts: int | None = None
    last_checkpoint: int | None = None
    run: str | None = None


class Queue:
    """The queue of a project folder."""

    def __init__(self, instance: dg.DagsterInstance, home: Home) -> None:
        self._instance, self._home = instance, home

    # What there is.

    @property
    def paused(self) -> bool:
        """Whether nothing is started at all."""
        limits = {limit.name: limit.limit for limit in self._storage.get_pool_limits()}
        return limits.get(GPU_POOL) == 0

    def entries(
        self, instruments: Sequence[Instrument], missing: Mapping[str, str] | None = None
    ) -> list[Entry]:
        """Return how far instruments are.

        Args:
            instruments: which.
            missing: what those that were never queued lack (`what_is_missing`), if it is known.
        """
        known = standings(self._instance)
        return [self._entry(i, known.get(i.slug), missing or {}) for i in instruments]

    def _entry(self, i: Instrument, standing: Standing | None, missing: Mapping[str, str]) -> Entry:
        paths = self._home.instrument(i.slug)
        entry: dict[str, Any] = {
            "number": i.number,
            "name": i.name,
            "slug": i.slug,
            "tier": i.tier,
        }
        if standing is None:
            lacks = missing.get(i.slug)
            lacks = what_is_missing(self._home, i) if lacks is None else lacks
            return Entry(**entry, state="not ready" if lacks else "ready", why=lacks)
        state, why = self._in_words(standing)
        entry |= {"position": standing.position, "run": standing.run and standing.run.run_id}
        try:
            folder = current_training(paths)
            record = folder.read()
        except MorpheneError:  # none yet, or of another version
            return Entry(**entry, state=state, why=why)
        live = read_live(folder) if is_running(folder) else None
        if standing.state == "trained" and sources_changed(paths, record):
            state, why = "trained: sources changed since", ""
        elif live and standing.state == "queued":
            why = "its earlier run is being stopped"
        elif live and live.doing == "waiting for a GPU":
            state, why = live.doing, live.note
        elif live and standing.state == "running":
            why = live.note or live.doing
        return Entry(**entry, **_progress(record, live), state=state, why=why)

    def _in_words(self, standing: Standing) -> tuple[str, str]:
        if standing.state == "failed" and standing.run:
            why = why_failed(self._instance, standing.run.run_id)
            return standing.state, why if is_training(standing.run) else f"preparation: {why}"
        if standing.state == "queued" and standing.position is None:
            retried = standing.run and standing.run.status is dg.DagsterRunStatus.FAILURE
            return standing.state, "is tried again" if retried else "being put into the queue"
        return standing.state, "starting" if standing.state == "running" else ""

    # What is to be trained.

    def add(self, instruments: Sequence[Instrument]) -> None:
        """Queue instruments, whether they were trained before or not.

        Raises:
            InputError: one of them is not ready, or is queued already; then none is.
        """
        known = standings(self._instance)
        for i in instruments:
            standing = known.get(i.slug)
            if standing and standing.state == "paused":
                raise InputError(f"{_name(i)} is paused: `morphene queue resume {i.number}`.")
            if standing and (standing.pending or standing.state == "being prepared"):
                raise InputError(
                    f"{_name(i)} is there already: {standing.state}. See `morphene queue status`."
                )
            if lacks := what_is_missing(self._home, i):
                raise InputError(
                    f"{_name(i)} is not ready ({lacks}). See `morphene sources status {i.number}`."
                )
        for tier in dict.fromkeys(i.tier for i in instruments):
            self._launch([i for i in instruments if i.tier == tier], tier)

    def add_tier(self, instruments: Sequence[Instrument], tier: Tier) -> Choice:
        """Queue the instruments of a tier that are ready and were never trained."""
        choice = eligible(self._instance, self._home, instruments)
        if choice.ready:
            self._launch(choice.ready, tier)
        return choice

    def _launch(self, instruments: Sequence[Instrument], tier: Tier) -> None:
        identifier = f"{tier}-{uuid.uuid4().hex[:8]}"
        launch(self._instance, instruments, tier, backfill_id=identifier)

    def _launch_again(self, run: dg.DagsterRun, place: int) -> None:
        """Queue what a run trained once more, at a place of the queue."""
        tags = {tag: run.tags[tag] for tag in (TIER_TAG,) if tag in run.tags}
        tags |= {PRIORITY_TAG: str(place)}
        submit(self._instance, "train", instrument_of(run) or "", run.run_config, tags)

    # What is not to be trained, or not now.

    def cancel(self, instrument: Instrument) -> None:
        """Take an instrument out of the queue, or stop its training, whose state is saved.

        Raises:
            InputError: it is not in the queue.
            MorpheneError: it did not end in time.
        """
        standing = self._pending(instrument)
        for _ in range(3):  # it may be launched at this moment
            if _is_stopping(standing):
                break
            if standing.run:
                self._stop(standing.run)
            elif standing.backfill_id:
                self._take_out(standing.backfill_id, instrument)
            left = standings(self._instance).get(instrument.slug)
            if left is None or not left.pending:
                return
            standing = left
        self._wait_for_end(instrument, standing.run)

    def pause(self, instrument: Instrument) -> None:
        """Stop a training, or take it out of the queue, until it is resumed.

        Raises:
            InputError: it is not in the queue, or still waits for its preparation.
            MorpheneError: it did not end in time.
        """
        run = self._launched(instrument)
        self._instance.add_run_tags(run.run_id, {PAUSED_TAG: "true"})
        self._stop(run)
        self._wait_for_end(instrument, run)

    def resume(self, instrument: Instrument) -> None:
        """Queue a paused training again, at the place of its priority.

        Raises:
            InputError: it is not paused.
        """
        standing = standings(self._instance).get(instrument.slug)
        if not standing or standing.state != "paused" or not standing.run:
            state = f" ({standing.state})" if standing else ""
            raise InputError(f"{_name(instrument)} is not paused{state}.")
        self._launch_again(standing.run, priority(standing.run))

    def pause_all(self) -> list[str]:
        """Start nothing more; put what runs back to the head of the queue, its state saved.

        Returns:
            The slugs of the trainings that were running.
        """
        self._storage.set_concurrency_slots(GPU_POOL, 0)
        time.sleep(_DEQUEUE_SECONDS)
        running = [
            standing.run
            for standing in standings(self._instance).values()
            if standing.state == "running" and standing.run
        ]
        for run in running:  # before its end, so that nothing is lost in between
            self._launch_again(run, self._place(first=True))
        for run in running:
            self._stop(run)
        slugs = [instrument_of(run) or "" for run in running]
        for slug, run in zip(slugs, running, strict=True):
            self._wait_for_end(get_instrument(slug), run)
        return slugs

    def resume_all(self) -> list[Instrument]:
        """Start trainings again, as many at once as the settings and the GPUs say.

        Returns:
            The instruments that stay paused, because they were paused one by one.
        """
        self._storage.set_concurrency_slots(GPU_POOL, gpu_slots(self._home))
        paused = (
            s for s, standing in standings(self._instance).items() if standing.state == "paused"
        )
        return [get_instrument(slug) for slug in paused]

    def move(self, instrument: Instrument, first: bool) -> None:
        """Move a queued training to the head or to the end of the queue.

        Raises:
            InputError: it is not queued.
        """
        standing = self._pending(instrument)
        if standing.position is None or standing.run is None:
            raise InputError(
                f"{_name(instrument)} has no place in the queue ({standing.state});"
                " what waits for its preparation has one soon."
            )
        place = str(self._place(first))
        self._instance.add_run_tags(standing.run.run_id, {PRIORITY_TAG: place})

    # How long it is trained.

    def finish(self, instrument: Instrument) -> bool:
        """Ask a training to finish early.

        Returns:
            Whether it runs, so that it obeys within seconds; otherwise it does when it is started.

        Raises:
            InputError: there is no training, or it is finished.
        """
        folder = current_training(self._home.instrument(instrument.slug))
        share = folder.read().training_profile.training.finish_share
        ask(folder, Request("finish", share=share))
        return is_running(folder)

    def extend(self, instrument: Instrument, steps: int | None, hours: float | None) -> int:
        """Let a training go on longer; one that is not in the queue is queued again.

        Args:
            instrument: whose current training.
            steps: how many adversarial steps more.
            hours: or how many hours, at the speed that was measured.

        Returns:
            How many steps that is.

        Raises:
            InputError: there is no training, or its sources or its profile have changed since.
        """
        paths = self._home.instrument(instrument.slug)
        folder = current_training(paths)
        record = folder.read()
        self._require_same(instrument, paths, record)
        more = steps if steps is not None else _steps(folder, record, hours or 0.0)
        standing = standings(self._instance).get(instrument.slug)
        ask(folder, Request("extend", steps=more))
        waits = standing and (standing.pending or standing.state == "paused")
        if record.finished or not waits:
            profile = {"profile": record.training_profile.name}
            config = {"resources": {"project": {"config": profile}}}
            tags = {TIER_TAG: instrument.tier, PRIORITY_TAG: str(PRIORITIES[instrument.tier])}
            submit(self._instance, "train", instrument.slug, config, tags)
        return more

    def _require_same(
        self, instrument: Instrument, paths: InstrumentPaths, record: TrainingRecord
    ) -> None:
        profile = load_profile(record.training_profile.name, self._home.profiles)
        dataset = read_record(paths.preprocessed_db)
        if training_id(profile, dataset.version) != record.id:
            raise InputError(
                f"{_name(instrument)}: the sources or the profile have changed since training"
                f" {record.id} began, and would begin another: it cannot be extended."
            )

    # The parts.

    @property
    def _storage(self) -> Any:
        return self._instance.event_log_storage

    def _pending(self, instrument: Instrument) -> Standing:
        standing = standings(self._instance).get(instrument.slug)
        if standing is None or not standing.pending:
            state = f" ({standing.state})" if standing else ""
            raise InputError(f"{_name(instrument)} is not in the queue{state}.")
        return standing

    def _launched(self, instrument: Instrument) -> dg.DagsterRun:
        standing = self._pending(instrument)
        if standing.state == "waiting for preparation" or standing.run is None:
            raise InputError(
                f"{_name(instrument)} is not in the queue yet ({standing.state}):"
                f" `morphene queue cancel {instrument.number}`, or wait for it."
            )
        return standing.run

    def _place(self, first: bool) -> int:
        """Return the priority of the head or of the end of the queue."""
        taken = [priority(run) for run in queued_trainings(self._instance)] or [0]
        return max(*taken, 1000) + 1 if first else min(taken) - 1

    def _stop(self, run: dg.DagsterRun) -> None:
        if run.is_complete_and_waiting_to_retry:
            self._instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
            return

        def starting() -> bool:
            now = self._instance.get_run_by_id(run.run_id)
            return now is not None and now.status in _STARTING

        _wait(lambda: not starting())
        coordinator = self._instance.run_coordinator
        try:
            reached = coordinator is not None and coordinator.cancel_run(run.run_id)
        except DagsterUserCodeUnreachableError:
            reached = False
        now = self._instance.get_run_by_id(run.run_id)
        if not reached and now and not now.is_finished and not self._lives(run):
            # Nobody is there who could end it: everything was killed, or the machine went down.
            self._instance.report_run_canceled(now)

    def _lives(self, run: dg.DagsterRun) -> bool:
        try:
            folder = current_training(self._home.instrument(instrument_of(run) or ""))
        except MorpheneError:
            return False
        return is_running(folder)

    def _take_out(self, backfill_id: str, instrument: Instrument) -> None:
        def submitting() -> bool:
            backfill = self._instance.get_backfill(backfill_id)
            return bool(backfill and backfill.submitting_run_requests)

        _wait(lambda: not submitting())
        if take_out(self._instance, backfill_id, instrument.slug):
            time.sleep(_STABLE_SECONDS)

    def _wait_for_end(self, instrument: Instrument, run: dg.DagsterRun | None) -> None:
        def ended() -> bool:
            now = self._instance.get_run_by_id(run.run_id) if run else None
            return now is None or now.is_finished

        if run and not _wait(ended, _ASK_AGAIN_SECONDS):
            self._stop(run)  # an interrupt that comes at a bad moment may be lost in Python
        if not _wait(ended):
            raise MorpheneError(
                f"{_name(instrument)} was told to stop and has not stopped yet:"
                f" see `morphene queue logs {instrument.number}`."
            )


def sources_changed(paths: InstrumentPaths, record: TrainingRecord) -> bool:
    """Return whether the recordings, as last read, are others than those that were trained on."""
    registers = {role: load_register(paths.register(role)) for role in ROLES}
    known = {role: register for role, register in registers.items() if register}
    if len(known) < len(ROLES):
        return False
    then, now = (
        {(source["role"], source["sha256"]) for source in sources}
        for sources in (record.dataset["sources"], source_list(known))
    )
    return then != now


def _progress(record: TrainingRecord, live: Live | None) -> dict[str, Any]:
    """Return the fields of an entry that tell how far a training is."""
    step = live.step if live and live.step else record.step
    schedule = record.schedule
    gpu = live.gpu if live else None
    return {
        "training": record.id,
        "step": step,
        "total_steps": schedule.total_steps if schedule else None,
        "phase": schedule.phase(step) if schedule else 1,
        "steps_per_second": live.steps_per_second if live else None,
        "seconds_left": live.seconds_left if live else None,
        "gpu": f"{gpu.get('index', '')} {gpu.get('name', '')}".strip() if gpu else None,
        "attempts": record.attempts,
        "last_checkpoint": record.checkpoints[-1].step if record.checkpoints else None,
    }


def _steps(folder: TrainingFolder, record: TrainingRecord, hours: float) -> int:
    """Return how many adversarial steps fill some hours."""
    speed = record.schedule.speed if record.schedule else None
    rate = speed.phase_2 if speed else None
    live = read_live(folder)
    if rate is None and live and live.phase == 2:
        rate = live.steps_per_second
    if not rate:
        raise InputError(
            f"Training {record.id} has no measured speed of its adversarial phase: say --steps."
        )
    return max(1, round(hours * 3600 * rate))


def _is_stopping(standing: Standing) -> bool:
    return standing.run is not None and standing.run.status is dg.DagsterRunStatus.CANCELING


def _name(instrument: Instrument) -> str:
    return f"{instrument.number} {instrument.name}"


def _wait(condition: Callable[[], bool], seconds: float = _STOP_SECONDS) -> bool:
    """Wait for a condition; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True
