"""Sensors: what happens without anybody asking for it."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, PARTITION_NAME_TAG, WILL_RETRY_TAG

from morphene_core.audits import unaudited_steps
from morphene_core.errors import DAMAGED, MorpheneError
from morphene_core.final_model import export_of
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import ALL_INSTRUMENTS, Instrument, get_instrument
from morphene_core.notices import notify
from morphene_core.selection import read_choices, read_selection
from morphene_core.sources.listing import fingerprint, source_paths
from morphene_core.sources.manifest import read_manifest
from morphene_core.sources.register import load_register
from morphene_core.training import TrainingFolder, checkpoint_name, current_training
from morphene_core.verdicts import verdict_on
from morphene_dagster import jobs
from morphene_dagster.backfills import what_is_missing
from morphene_dagster.standing import (
    CHECKPOINTS,
    Standing,
    instrument_of,
    is_training,
    standings,
    why_failed,
)

_SETTLED_SECONDS = 30.0  # a folder that changed just now is being copied to, perhaps
_AUDIT = dg.AssetKey("audit_renders")
_SELECTED = dg.AssetKey("selected_checkpoint")
_FINAL_MODEL = dg.AssetKey("final_model")
_DELIVERY = dg.AssetKey("delivery")
_MUSICALITY = dg.AssetCheckKey(_DELIVERY, "musicality")
_AUDITED_AFTER_SECONDS = 60.0
_RETRIES_CURSOR = "EVENT_LOG_CONSUMER_CURSOR-PIPELINE_FAILURE"
_TRIES = 3
_AT_ONCE = 50  # events that a tick looks at


@dg.sensor(
    job_name="prepare",
    description="Prepares instruments whose recordings are new or changed.",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def source_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Prepares instruments whose recordings are new or changed, once both sources are complete.

    Until then what has changed is only read. What was made of the old recordings is stale.
    """
    home = Home.resolve()
    seen: dict[str, dict[str, Any]] = json.loads(context.cursor or "{}")
    standing, requests = standings(context.instance), []
    for instrument in ALL_INSTRUMENTS:
        paths, slug = home.instrument(instrument.slug), instrument.slug
        now = {role: _fingerprint(paths, role) for role in ROLES}
        if None in now.values() or not (any(now.values()) or slug in seen):
            continue
        known = seen.setdefault(slug, _known_before(context.instance, slug, now))
        changed = [role for role in ROLES if now[role] != known.get(role)]
        known |= {str(role): print_ for role, print_ in now.items()}
        if changed:
            known["to do"] = "yes"
        if known.get("to do") and _can_be_prepared(home, instrument, standing.get(slug), known):
            del known["to do"]
            requests.append(
                dg.RunRequest(
                    f"{slug} prepare {time.time():.0f}", partition_key=slug, job_name="prepare"
                )
            )
        elif read := [dg.AssetKey(f"{role}_source") for role in changed if now[role]]:
            requests.append(
                dg.RunRequest(
                    f"{slug} read {now}",
                    partition_key=slug,
                    job_name="prepare",
                    asset_selection=read,
                )
            )
    return dg.SensorResult(requests, cursor=json.dumps(seen))


def _fingerprint(paths: InstrumentPaths, role: Role) -> str | None:
    """Return what tells recordings from themselves as they were.

    It is "" if none are registered, and None while the folder or the manifest is being changed.
    """
    folder, manifest = paths.sources(role), paths.manifest(role)
    if not manifest.exists():
        return ""
    below = [folder / path for path in source_paths(folder)] if folder.is_dir() else []
    files = [file for file in (manifest, *below) if file.exists()]
    if any(time.time() - file.lstat().st_mtime < _SETTLED_SECONDS for file in files):
        return None
    return fingerprint(files)


def _known_before(
    instance: dg.DagsterInstance, slug: str, now: Mapping[Role, str | None]
) -> dict[str, Any]:
    """Return what to compare an instrument with that the sensor sees for the first time.

    Recordings that were read without it are known as they are.
    """
    return {
        role: now[role]
        for role in ROLES
        if slug in instance.get_materialized_partitions(dg.AssetKey(f"{role}_source"))
    }


def _can_be_prepared(
    home: Home, instrument: Instrument, standing: Standing | None, known: dict[str, Any]
) -> bool:
    """Whether the sources are complete, and nobody works with what was prepared before.

    A training that is stopped and goes on needs the dataset that it began with.
    """
    if standing and (standing.pending or standing.state in ("being prepared", "paused")):
        return False
    paths = home.instrument(instrument.slug)
    registers = [paths.register(role) for role in ROLES]
    if not all(_is_read(paths, role) for role in ROLES):
        return False
    looked_at = fingerprint([*registers, home.settings] if home.settings.exists() else registers)
    if known.get("incomplete") == looked_at and not standing:
        return False
    if what_is_missing(home, instrument):
        known["incomplete"] = looked_at
        return False
    known.pop("incomplete", None)
    return True


def _is_read(paths: InstrumentPaths, role: Role) -> bool:
    """Whether every registered file was read as it is now: reading takes longer than a tick may."""
    register = load_register(paths.register(role))
    try:
        manifest = read_manifest(paths.manifest(role))
    except MorpheneError:  # the run that reads it says what is wrong
        return False
    if register is None:
        return False
    read = {file.path: file.modified_ns for file in register.files}
    for source in manifest.source:
        for file in source.files:
            path = paths.sources(role) / file.path
            if path.exists() and read.get(file.path) != path.stat().st_mtime_ns:
                return False
    return True


@dg.sensor(
    job_name="audit",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_checkpoints(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Audits the checkpoints of unfinished trainings, in runs of their own that hold no GPU slot.

    Not before they are a minute old: several that come at once, and those of a training that ends
    just now, are audited together.
    """
    requests = []
    for paths, folder in _trained(Home.resolve()):
        waiting = _waiting_for_audit(folder)
        if waiting and not _is_on_its_way(context.instance, "audit", paths.slug):
            requests.append(
                dg.RunRequest(
                    f"{paths.slug} {folder.path.name} {waiting[-1]}",
                    partition_key=paths.slug,
                    job_name="audit",
                    asset_selection=[_AUDIT],
                )
            )
    return dg.SensorResult(requests)


def _trained(home: Home) -> Iterator[tuple[InstrumentPaths, TrainingFolder]]:
    """Give the instruments that have a current training, with that."""
    for instrument in ALL_INSTRUMENTS:
        paths = home.instrument(instrument.slug)
        if paths.checkpoints.is_symlink():
            folder = current_training(paths)
            if folder.exists:
                yield paths, folder


def _waiting_for_audit(folder: TrainingFolder) -> list[int]:
    """Return the steps of an unfinished training that are to be audited now."""
    try:
        if folder.read().finished:
            return []
        return [step for step in unaudited_steps(folder) if _has_settled(folder, step)]
    except DAMAGED:  # one instrument stops no other
        return []


def _has_settled(folder: TrainingFolder, step: int) -> bool:
    file = folder.checkpoints / checkpoint_name(step)
    return file.exists() and time.time() - file.stat().st_mtime > _AUDITED_AFTER_SECONDS


def _is_on_its_way(instance: dg.DagsterInstance, job: str, slug: str) -> bool:
    """Whether a run of a job for an instrument waits or runs."""
    runs = dg.RunsFilter(
        job_name=job, statuses=NOT_FINISHED_STATUSES, tags={PARTITION_NAME_TAG: slug}
    )
    return bool(instance.get_run_ids(runs, limit=1))


@dg.sensor(
    job_name="export",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_selections(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Exports a checkpoint when it was selected, so that a person can listen to the export."""
    requests, cursor = [], context.cursor
    for record in _news(context, _SELECTED):
        cursor = str(record.storage_id)
        slug = record.partition_key
        waits = slug and _waits_for_export(Home.resolve().instrument(slug))
        if slug and waits and not _asked_for_since(context.instance, _FINAL_MODEL, record):
            key = f"{slug} {cursor}"
            requests.append(dg.RunRequest(key, partition_key=slug, job_name="export"))
    return dg.SensorResult(requests, cursor=cursor)


@dg.sensor(
    jobs=[job for job in jobs.ALL if job.name in ("audit", "deliver")],
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def listeners(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Takes up what people decided in the listening room or by `morphene select`.

    A choice is selected. A verdict on the selected checkpoint becomes a result of the check
    `musicality`; if it approves, the instrument is delivered, as soon as it is exported.
    """
    known: dict[str, dict[str, str]] = json.loads(context.cursor or "{}")
    requests = []
    for paths, folder in _trained(Home.resolve()):
        try:
            requests += _decided(paths, folder, known.setdefault(paths.slug, {}))
        except DAMAGED as error:  # one instrument stops no other
            context.log.warning(f"{paths.slug}: {error}")
    return dg.SensorResult(requests, cursor=json.dumps(known))


def _decided(
    paths: InstrumentPaths, folder: TrainingFolder, known: dict[str, str]
) -> list[dg.RunRequest]:
    """Return the run that follows from what people decided on an instrument since the last time.

    Args:
        paths: of the instrument.
        folder: of its current training.
        known: what was taken up before; it is brought up to date.
    """
    if (choice := _choice_to_select(folder)) and choice != known.get("choice"):
        known["choice"] = choice
        return [_select(paths.slug, choice)]
    if not folder.selection.exists():
        return []
    selection = read_selection(folder)
    verdict = verdict_on(paths, selection.checkpoint_sha256)
    if verdict is None:
        return []
    # An approved checkpoint that is selected again is delivered again.
    what = f"{verdict.checkpoint_sha256[:8]} {verdict.at} {selection.chosen_at}"
    approved = verdict.decision == "approved"
    if what == known.get("verdict") or (approved and not _is_exported(paths, folder)):
        return []
    known["verdict"] = what
    return [_take_up(paths.slug, what, approved)]


def _choice_to_select(folder: TrainingFolder) -> str | None:
    """Return when the latest choice (or its withdrawal) was made, or None if there is none."""
    choices = read_choices(folder)
    return f"{folder.path.name} {len(choices)}" if choices else None


def _select(slug: str, choice: str) -> dg.RunRequest:
    return dg.RunRequest(
        f"{slug} choice {choice}",
        partition_key=slug,
        job_name="audit",
        asset_selection=[_SELECTED],
    )


def _take_up(slug: str, what: str, approved: bool) -> dg.RunRequest:
    return dg.RunRequest(
        f"{slug} verdict {what}",
        partition_key=slug,
        job_name="deliver",
        asset_selection=[_DELIVERY] if approved else [],
        asset_check_keys=None if approved else [_MUSICALITY],  # None: all of the delivery's
    )


def _waits_for_export(paths: InstrumentPaths) -> bool:
    """Whether the current training has a selected checkpoint that is not exported."""
    try:
        folder = current_training(paths)
        return folder.selection.exists() and not _is_exported(paths, folder)
    except DAMAGED:  # the run that reads it says what is wrong
        return False


def _is_exported(paths: InstrumentPaths, folder: TrainingFolder) -> bool:
    """Whether the selected checkpoint of a training is exported."""
    selection = read_selection(folder)
    step, sha256 = selection.step, selection.checkpoint_sha256
    return export_of(paths, folder.path.name, step, sha256) is not None


@dg.sensor(
    job_name="audit",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def finished_trainings(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Audits a training when it is complete, in a run of its own that holds no GPU slot."""
    requests, cursor = [], context.cursor
    for record in _news(context, CHECKPOINTS):
        cursor = str(record.storage_id)
        slug = record.partition_key
        if slug and not _asked_for_since(context.instance, _SELECTED, record):
            requests.append(dg.RunRequest(f"{slug} {cursor}", partition_key=slug, job_name="audit"))
    return dg.SensorResult(requests, cursor=cursor)


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def instruments_to_listen_to(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Gives a notice when a checkpoint was selected: the instrument can be listened to."""
    cursor, said = context.cursor, []
    for record in _news(context, _SELECTED):
        cursor = str(record.storage_id)
        slug = record.partition_key
        if slug and not _selected_before(context.instance, record, slug):
            metadata = record.asset_materialization.metadata if record.asset_materialization else {}
            step, reason = (metadata[key].value for key in ("step", "reason"))
            url = metadata["listen"].value if "listen" in metadata else "the listening room"
            said.append(
                notify(
                    Home.resolve(),
                    _name(slug),
                    "ready to be listened to",
                    f"step {step:,} was selected, {reason}",
                    f"Listen and decide: `morphene listen {slug}`, or {url}",
                )
            )
    reason = "\n".join(said) or "No checkpoint was selected since the last tick."
    return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=cursor)


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def lost_retries(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Hands a failed run to Dagster's retries once more where these have missed it.

    They read a run's failure, now and then, in the moment before the run is marked as failed, and
    never look at it again. Their place in the event log is set back to it; what they have retried
    already they do not retry again.
    """
    tried: dict[str, int] = json.loads(context.cursor or "{}")
    lost = {
        record.dagster_run.run_id
        for record in context.instance.get_run_records(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY_TAG: "true"}),
            limit=_AT_ONCE,
        )
        if AUTO_RETRY_RUN_ID_TAG not in record.dagster_run.tags
        and time.time() - (record.end_time or 0) > _SETTLED_SECONDS
        and tried.get(record.dagster_run.run_id, 0) < _TRIES
    }
    failures = context.instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, _AT_ONCE)
    places = [event.storage_id for event in failures.records if event.run_id in lost]
    if not places:
        return dg.SensorResult(skip_reason="No run waits for its retry.", cursor=context.cursor)
    storage = context.instance.daemon_cursor_storage
    storage.set_cursor_values({_RETRIES_CURSOR: str(min(places) - 1)})
    tried |= {run: tried.get(run, 0) + 1 for run in lost}
    return dg.SensorResult(
        skip_reason=f"Handed to Dagster's retries again: {', '.join(sorted(lost))}",
        cursor=json.dumps(dict(list(tried.items())[-4 * _AT_ONCE :])),
    )


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Gives a notice when a run failed for good; one that is tried again is not announced."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return
    slug = instrument_of(run)
    what, to_do = _what_failed(run, slug or "INSTRUMENT")
    why = why_failed(context.instance, run.run_id)
    notify(Home.resolve(), _name(slug) if slug else "Morphene", what, why, to_do)


def _what_failed(run: dg.DagsterRun, slug: str) -> tuple[str, str]:
    """Return what a failed run was to do, and what a person does about it."""
    if is_training(run):
        to_do = f"See `morphene queue logs {slug}`; `morphene queue add --instrument {slug}`"
        return "training failed", f"{to_do} tries again."
    selected = {key.path[-1] for key in run.asset_selection or ()}
    if run.job_name == "prepare" or any(name.endswith("_source") for name in selected):
        return "preparation failed", f"See `morphene sources status {slug}`."
    return f"{run.job_name} failed", f"See run {run.run_id[:8]} in the UI."


def _asked_for_since(
    instance: dg.DagsterInstance, asset: dg.AssetKey, record: dg.EventLogRecord
) -> bool:
    """Whether a run that makes an asset was launched since an event of the same instrument.

    Whoever trained or selected may have launched what follows as well, as `morphene run` does.
    """
    planned = instance.event_log_storage.get_latest_planned_materialization_info(
        asset, record.partition_key
    )
    return planned is not None and planned.storage_id > record.storage_id


def _news(context: dg.SensorEvaluationContext, asset: dg.AssetKey) -> Iterator[dg.EventLogRecord]:
    """Give the materializations of an asset since the last tick, the oldest first."""
    after = int(context.cursor) if context.cursor else None
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, after_storage_id=after), _AT_ONCE, ascending=True
    )
    yield from found.records


def _selected_before(instance: dg.DagsterInstance, record: dg.EventLogRecord, slug: str) -> bool:
    """Whether the same checkpoint was selected the time before."""
    before = instance.fetch_materializations(
        dg.AssetRecordsFilter(_SELECTED, [slug], before_storage_id=record.storage_id), limit=1
    ).records
    return bool(before) and _data_version(before[0]) == _data_version(record)


def _data_version(record: dg.EventLogRecord) -> str | None:
    made = record.asset_materialization
    return made.tags.get("dagster/data_version") if made and made.tags else None


def _name(slug: str) -> str:
    try:
        instrument = get_instrument(slug)
    except KeyError:  # of another catalogue
        return slug
    return f"{instrument.number} {instrument.name}"


ALL = [
    source_changes,
    new_checkpoints,
    finished_trainings,
    new_selections,
    listeners,
    instruments_to_listen_to,
    lost_retries,
    failed_runs,
]
