"""What the pages show of a project folder, as plain data for JSON. Nothing here writes."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from morphene_core.audio.loudness import integrated_lufs
from morphene_core.audio.wav import SAMPLE_RATE, read_mono
from morphene_core.audits import RENDER_NAMES, Audit, read_audit
from morphene_core.criteria import CriterionResult, Thresholds, faults, judge, load_thresholds
from morphene_core.errors import DAMAGED, InputError
from morphene_core.files import read_json
from morphene_core.final_model import export_of
from morphene_core.home import Home, InstrumentPaths
from morphene_core.instruments import ALL_INSTRUMENTS, Instrument, get_instrument
from morphene_core.listening.answers import HttpError
from morphene_core.listening.places import (
    is_inside,
    reference_file,
    render_file,
    training_folder,
)
from morphene_core.listening.states import (
    Standing,
    all_trainings,
    current,
    running,
    selection_of,
    standing,
)
from morphene_core.metrics import ARTIFACTS, METRICS
from morphene_core.sections import SECTIONS
from morphene_core.selection import rank
from morphene_core.training import Checkpoint, TrainingFolder
from morphene_core.verdicts import CRITERIA, DECISIONS, RATINGS, read_verdicts

Data = dict[str, Any]


def catalogue(home: Home) -> Data:
    """Return all instruments: how far each one is, and which wait for ears."""
    rows = [_row(i, standing(home.instrument(i.slug))) for i in ALL_INSTRUMENTS]
    return {"home": home.path.name, "instruments": rows}


def instrument(home: Home, paths: InstrumentPaths) -> Data:
    """Return an instrument: its trainings with all checkpoints and their numbers, its verdicts."""
    entry = get_instrument(paths.slug)
    thresholds = load_thresholds(home.path)
    verdicts = read_verdicts(paths)
    shipping = current(paths)
    return {
        **_row(entry, standing(paths)),
        "idea": entry.idea,
        "metrics": [
            asdict(metric) | {"threshold": thresholds.metrics[name].value}
            for name, metric in METRICS.items()
        ],
        "artifacts": [asdict(artifact) for artifact in ARTIFACTS.values()],
        "criteria": list(CRITERIA),
        "ratings": list(RATINGS),
        "decisions": list(DECISIONS),
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "trainings": [
            _training(folder, thresholds, folder.path == getattr(shipping, "path", None))
            for folder in all_trainings(paths)
        ],
    }


def checkpoint(home: Home, paths: InstrumentPaths, training: str, step: int) -> Data:
    """Return all that can be heard and read of one checkpoint's audit.

    Raises:
        HttpError: there is no such training or checkpoint.
    """
    folder = training_folder(paths, training)
    found = next((c for c in folder.read().checkpoints if c.step == step), None)
    if found is None:
        raise HttpError(404, f"Training {training} has no checkpoint of step {step:,}.")
    audit, problem = _audit(folder, found)
    return {
        "training": training,
        "step": step,
        "phase": found.phase,
        "sha256": found.sha256,
        "problem": problem,
        "sounds": list(_sounds(home, paths, training, found, audit)),
        "exports": list(_exports(paths, training, found)),
        "artifacts": audit.artifacts if audit else {},
        "path": audit.path if audit else None,
        "criteria": (_criteria(audit, load_thresholds(home.path)) if audit else {})
        | _playback(paths, training, found),
    }


def _row(entry: Instrument, state: Standing) -> Data:
    return {
        "number": entry.number,
        "slug": entry.slug,
        "name": entry.name,
        "tier": entry.tier,
        "musical": entry.musical_source,
        "nonmusical": entry.nonmusical_source,
        "waits": state.waits,
        **asdict(state),
    }


def _training(folder: TrainingFolder, thresholds: Thresholds, ships: bool) -> Data:
    try:
        record = folder.read()
        audits = [(c, *_audit(folder, c)) for c in record.checkpoints]
        selection = selection_of(folder)
        sound = [audit for _, audit, _ in audits if audit]
        return {
            "id": record.id,
            "current": ships,
            "profile": str(record.profile.get("name", "")),
            "started": record.started,
            "finished": record.finished,
            "failure": record.failure,
            "running": running(folder),
            "phase_1_steps": record.schedule.phase_1_steps if record.schedule else None,
            "total_steps": record.schedule.total_steps if record.schedule else None,
            "selection": asdict(selection) if selection else None,
            "ranking": _ranking(sound, thresholds),
            "checkpoints": [
                _checkpoint(found, audit, problem, thresholds) for found, audit, problem in audits
            ],
        }
    except DAMAGED as error:
        return {"id": folder.path.name, "current": ships, "problem": str(error), "checkpoints": []}


def _audit(folder: TrainingFolder, found: Checkpoint) -> tuple[Audit | None, str]:
    """Return a checkpoint's audit, or why there is none."""
    path = folder.audit_path(found.step) / "metrics.json"
    if not path.exists():
        return None, "Not audited yet. The queue does it, or `morphene audit`."
    audit = read_audit(folder, found.step)
    if audit is None or not _is_whole(audit):
        return None, f"{path} is damaged or of an older version. Delete its folder to audit anew."
    if audit.checkpoint_sha256 != found.sha256:
        return None, "The checkpoint has changed since it was audited. It is audited anew soon."
    return audit, ""


def _is_whole(audit: Audit) -> bool:
    """Whether what JSON gave is of the types that an audit has."""
    tables = (audit.metrics, audit.artifacts, audit.loudness_lufs, audit.gain_db)
    return all(isinstance(table, dict) for table in tables) and all(
        value is None or isinstance(value, (int, float)) for value in audit.metrics.values()
    )


def _checkpoint(
    found: Checkpoint, audit: Audit | None, problem: str, thresholds: Thresholds
) -> Data:
    data: Data = {
        "step": found.step,
        "phase": found.phase,
        "sha256": found.sha256,
        "problem": problem,
        "metrics": {},
        "scores": {},
        "faults": [],
    }
    if audit:
        data["metrics"] = {name: audit.metrics.get(name) for name in METRICS}
        data["scores"] = {n: result.score for n, result in judge(audit, thresholds).items()}
        data["faults"] = faults(audit, thresholds)
    return data


def _ranking(audits: list[Audit], thresholds: Thresholds) -> Data | None:
    """Return the order of audited checkpoints, or None if there is none to tell."""
    try:
        ranking = rank(audits, thresholds)
    except DAMAGED:  # one odd audit leaves what can be heard as it is
        return None
    if not ranking.places:
        return None
    return {
        "order": [place.step for place in ranking.places],
        "left_out": [place.step for place in ranking.places if place.faults],
        "champions": {phase: place.step for phase, place in ranking.champions.items()},
        "reason": ranking.reason,
        "plateau": ranking.plateau.text,
        "provisional": ranking.provisional,
    }


def _criteria(audit: Audit, thresholds: Thresholds) -> Data:
    return {name: _result(result) for name, result in judge(audit, thresholds).items()}


def _result(result: CriterionResult) -> Data:
    return {
        "passed": result.passed,
        "score": result.score,
        "text": result.text,
        "provisional": result.provisional,
    }


def _playback(paths: InstrumentPaths, training: str, found: Checkpoint) -> Data:
    """Return how the export of a checkpoint plays in real time, if there is one."""
    try:
        model = export_of(paths, training, found.step, found.sha256)
        report = model.proof if model else None
    except DAMAGED:
        return {}
    if report is None:
        return {}
    said = {"passed": report.passed, "score": None, "text": report.text, "provisional": False}
    return {"real_time_playback": said}


def _sounds(
    home: Home, paths: InstrumentPaths, training: str, found: Checkpoint, audit: Audit | None
) -> Iterator[Data]:
    """Give the references and renders that are there, in the order of their keys."""
    musical, nonmusical, *morphs = RENDER_NAMES
    order = ("musical_reference", musical, "nonmusical_reference", nonmusical, *morphs)
    for name in order:
        try:
            if name.endswith("_reference"):
                role = name.removesuffix("_reference")
                file = reference_file(home, paths.slug, training, role)
                url = _url("audio", "references", paths.slug, training, role)
            else:
                file = render_file(home, paths.slug, training, found.step, name)
                url = _url("audio", "audits", paths.slug, training, str(found.step), name)
        except HttpError:
            continue
        yield {
            "name": name,
            "url": f"{url}?{file.stat().st_mtime_ns:x}",  # another file is another address
            "lufs": audit.loudness_lufs.get(name) if audit else None,
            "gain_db": audit.gain_db.get(name) if audit else None,
        }


def _exports(paths: InstrumentPaths, training: str, found: Checkpoint) -> Iterator[Data]:
    """Give what was rendered by the exported .ts of a checkpoint."""
    stem = f"{paths.slug}-{training}-{found.step:06d}"
    folder, record = paths.exports / stem, paths.exports / f"{stem}.json"
    try:
        if read_json(record)["checkpoint_sha256"] != found.sha256:
            return
    except DAMAGED:
        return
    for name in SECTIONS:
        file = folder / f"{name}.wav"
        if file.is_file() and is_inside(folder, file):
            url = _url("audio", "exports", paths.slug, stem, name)
            changed = file.stat().st_mtime_ns
            yield {"name": name, "url": f"{url}?{changed:x}", "lufs": _lufs(file, changed)}


@lru_cache(maxsize=256)
def _lufs(file: Path, _changed: int) -> float | None:
    """Return the loudness of a file, measured once for each time that it changes."""
    try:
        lufs = integrated_lufs(read_mono(file), SAMPLE_RATE)
    except InputError:
        return None
    return round(lufs, 2) if math.isfinite(lufs) else None


def _url(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)
