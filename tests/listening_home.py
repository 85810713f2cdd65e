"""A project folder to listen in: audits of made-up checkpoints, without any training.

Every render holds noise of its own, so that a few milliseconds of it tell which file they are from
and where in it.
"""

import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, istft, sosfilt, stft

from morphene_core.audio.loudness import integrated_lufs
from morphene_core.audits import RENDER_NAMES, Audit
from morphene_core.criteria import load_thresholds
from morphene_core.files import point_link, sha256, write_json
from morphene_core.final_model import model_path
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.metrics import ARTIFACTS, METRICS, METRICS_VERSION
from morphene_core.selection import Selection, select_checkpoint
from morphene_core.sources.collect import add_source
from morphene_core.sources.register import survey
from morphene_core.synthesis import fire_takes, violin_takes
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord, checkpoint_name
from morphene_core.training.schedule import Schedule
from morphene_core.verdicts import Verdict, record_verdict
from tests.deliverable import a_model
from tests.recordings import record

RATE = 48_000
SECONDS = 3.0
SLUG = "pyroviolin"
CURRENT, EARLIER = "production-9f8e7d6c", "production-1a2b3c4d"
STEPS = (100_000, 200_000, 300_000, 400_000, 500_000, 600_000)
PHASE_1 = 300_000
RUNNING = "kettlelark"
DAMAGED, UNAUDITED = 200_000, 600_000

_LEVEL_LUFS = -23.0


def make_home(folder: Path) -> Home:
    """Make a project folder in which Pyroviolin waits for ears, with two trainings."""
    home = Home(folder)
    home.create(profile="demo")
    paths = home.instrument(SLUG)
    _add_recordings(home)
    references = _references()
    _add_training(paths, EARLIER, STEPS[:3:2], references, quality=0.6, started="2025-03-01")
    folder_ = _add_training(paths, CURRENT, STEPS, references, quality=1.0, started="2025-03-09")
    (folder_.audit_path(DAMAGED) / "metrics.json").write_text('{"step": 2000')
    selection = select_checkpoint(folder_, load_thresholds(home.path))
    _add_export(paths, selection.step, selection.checkpoint_sha256)
    return home


def add_others(home: Home) -> None:
    """Add instruments in other states, without audio."""
    (home.instrument("pianofrost").preprocessed_db).mkdir(parents=True)
    write_json(home.instrument("pianofrost").preprocessed_db / "dataset.json", {})
    chosen = {"clarinectar": "Ben", "moorhorn": "ranking", "night_freight": "ranking"}
    chosen |= {"petrichoir": "ranking", RUNNING: ""}
    for slug, by in chosen.items():
        _add_trained(home.instrument(slug), by)
    for slug, decision in (
        ("moorhorn", "approved"),
        ("night_freight", "rejected"),
        ("petrichoir", "approved"),
    ):
        paths = home.instrument(slug)
        digest = sha256(paths.training(CURRENT) / "checkpoints" / checkpoint_name(STEPS[1]))
        at = "2026-02-03T10:00:00+00:00"
        verdict = Verdict(slug, CURRENT, STEPS[1], digest, decision, {}, "", "Ada", at)
        record_verdict(paths, verdict)
        if slug == "petrichoir":
            write_json(paths.final / "metadata.json", {"checkpoint": {"sha256": digest}})


def _add_trained(paths: InstrumentPaths, by: str) -> None:
    folder = TrainingFolder(paths.training(CURRENT))
    folder.checkpoints.mkdir(parents=True)
    file = folder.checkpoints / checkpoint_name(STEPS[1])
    file.write_text(paths.slug)
    checkpoint = Checkpoint(STEPS[1], 1, file.name, sha256(file))
    _write_record(folder, paths.slug, "2025-03-10", (checkpoint,))
    point_link(paths.checkpoints, folder.checkpoints)
    live = {"doing": "training", "at": "2026-01-01T00:00:00+00:00", "step": 231_000}
    write_json(folder.live, live | {"total_steps": 600_000, "seconds_left": 30_480.0})
    if by:
        selection = Selection(STEPS[1], checkpoint.sha256, "warm", "2026-01-01T00:00:00+00:00", by)
        write_json(folder.selection, asdict(selection))


def render_path(home: Home, training: str, step: int, name: str) -> Path:
    """Return where a render lies, or a reference ("musical_reference")."""
    folder = TrainingFolder(home.instrument(SLUG).training(training))
    if name.endswith("_reference"):
        return folder.audit / "references" / f"{name.removesuffix('_reference')}.wav"
    return folder.audit_path(step) / f"{name}.wav"


def _add_recordings(home: Home) -> None:
    paths = home.instrument(SLUG)
    takes = {"musical": violin_takes(15), "nonmusical": fire_takes(12)}
    names = {"musical": "Violin, studio B", "nonmusical": "Beech fire"}
    for role in ROLES:
        for take in takes[role]:
            path = paths.sources(role) / names[role] / f"{take.name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, take.audio, RATE, subtype="PCM_24")
        licence = {"origin": "recorded", "licence": "own", "rating": 4}
        add_source(paths, role, {"name": names[role], **licence}, [paths.sources(role)])
        clipped = np.clip(3 * next(iter(violin_takes(8))).audio, -0.5, 0.5)
        if role == "musical":
            other = paths.sources(role) / "Archive" / "old_take.wav"
            other.parent.mkdir()
            soundfile.write(other, clipped * 2, RATE, subtype="PCM_16")
            terms = {"origin": "licensed", "licence": "CC-BY-NC-4.0", "attribution": "A. Player"}
            add_source(paths, role, {"name": "Archive", **terms}, [other])
            soundfile.write(paths.sources(role) / "Archive" / "silence.wav", np.zeros(RATE), RATE)
            record(paths.sources(role) / "found.wav", seed=7)
        survey(paths, role)
    add_source(
        home.instrument("breakwater"),
        "musical",
        {"name": "Cello", "origin": "recorded", "licence": "own"},
        [record(home.path / "cello.wav", seed=3)],
    )
    survey(home.instrument("breakwater"), "musical")


def _references() -> dict[str, np.ndarray]:
    violin = list(violin_takes(5 * SECONDS))[3].audio
    fire = next(iter(fire_takes(4 * SECONDS))).audio
    return {"musical": _level(violin), "nonmusical": _level(fire)}


def _add_training(
    paths: InstrumentPaths,
    name: str,
    steps: tuple[int, ...],
    references: dict[str, np.ndarray],
    quality: float,
    started: str,
) -> TrainingFolder:
    folder = TrainingFolder(paths.training(name))
    folder.checkpoints.mkdir(parents=True)
    checkpoints = []
    for step in steps:
        file = folder.checkpoints / checkpoint_name(step)
        file.write_bytes(f"{name} {step}".encode())
        phase = 1 if step <= PHASE_1 else 2
        checkpoints.append(Checkpoint(step, phase, file.name, sha256(file)))
    for role in ROLES:
        _write(folder.audit / "references" / f"{role}.wav", references[role])
    for checkpoint in checkpoints:
        if checkpoint.step != UNAUDITED:
            _add_audit(folder, checkpoint, references, quality)
    _write_record(folder, paths.slug, started, tuple(checkpoints))
    point_link(paths.checkpoints, folder.checkpoints)
    point_link(paths.audit, folder.audit)
    return folder


def _write_record(
    folder: TrainingFolder, slug: str, started: str, checkpoints: tuple[Checkpoint, ...]
) -> None:
    record = TrainingRecord(
        id=folder.path.name,
        instrument=slug,
        profile={"name": "production", "shippable": True},
        dataset={"version": "0" * 64, "sources": []},
        started=f"{started}T08:00:00+00:00",
        finished=f"{started}T20:00:00+00:00",
        step=checkpoints[-1].step,
        schedule=Schedule(PHASE_1, STEPS[-1], PHASE_1),
        checkpoints=checkpoints,
    )
    folder.write(record)


def _add_audit(
    folder: TrainingFolder,
    checkpoint: Checkpoint,
    references: dict[str, np.ndarray],
    quality: float,
) -> None:
    progress = checkpoint.step / STEPS[-1]
    renders = _renders(references, quality * progress, f"{folder.path.name} {checkpoint.step}")
    for name, audio in renders.items():
        _write(folder.audit_path(checkpoint.step) / f"{name}.wav", audio)
    loudness = {name: integrated_lufs(audio, RATE) for name, audio in renders.items()}
    loudness |= {
        f"{role}_reference": integrated_lufs(audio, RATE) for role, audio in references.items()
    }
    worst = {"clicks": 0.1, "frame_buzz": 3.0 * progress, "dc_offset": 2e-4}
    audit = Audit(
        step=checkpoint.step,
        phase=checkpoint.phase,
        checkpoint_sha256=checkpoint.sha256,
        references_sha256={role: "1" * 64 for role in ROLES},
        metrics=_metrics(progress, checkpoint.phase, quality),
        artifacts={name: {a: worst.get(a, 0.0) for a in ARTIFACTS} for name in RENDER_NAMES},
        loudness_lufs={name: round(value, 2) for name, value in loudness.items()},
        gain_db={name: -0.4 for name in RENDER_NAMES},
        path={
            "amount": [i / 20 for i in range(21)],
            "to_musical": [i / 20 for i in range(21)],
            "to_nonmusical": [1 - i / 20 for i in range(21)],
            "step": [0.05] * 20,
        },
        version=METRICS_VERSION,
    )
    write_json(folder.audit_path(checkpoint.step) / "metrics.json", asdict(audit))


def _metrics(progress: float, phase: int, quality: float) -> dict[str, float | None]:
    """Return plausible numbers: better with more training, the spectral distance misleading."""
    thresholds = load_thresholds(None)
    found: dict[str, float | None] = {}
    for number, (name, metric) in enumerate(METRICS.items()):
        limit = thresholds.metrics[name].value
        wave = 1 + 0.12 * np.sin(5 * progress * (number + 1))
        spread = {"musical": 1.0, "nonmusical": 0.8, "morph": 1.2}[name.split("_")[0]]
        badness = spread * (1.9 - 1.6 * quality * progress) * wave
        if name == "musical_spectral_distance" and phase == 2:
            badness += 0.35
        found[name] = round(float(metric.best + badness * (limit - metric.best)), 4)
    if progress < 0.2:
        found["nonmusical_modulation_distance"] = None  # nothing to measure yet
    return found


def _renders(references: dict[str, np.ndarray], quality: float, key: str) -> dict[str, np.ndarray]:
    cutoff = 700 * 25 ** min(1.0, quality)
    sections = butter(2, min(cutoff, 20_000), fs=RATE, output="sos")
    ends = {role: sosfilt(sections, audio) for role, audio in references.items()}
    renders = {f"{role}_recon": ends[role] for role in ROLES}
    spectra = {role: stft(ends[role], RATE, nperseg=1024)[2] for role in ROLES}
    logs = {role: np.log(np.abs(s) + 1e-5) for role, s in spectra.items()}
    for name in RENDER_NAMES:
        if name.startswith("morph_"):
            amount = int(name.removeprefix("morph_")) / 100
            magnitude = np.exp((1 - amount) * logs["musical"] + amount * logs["nonmusical"])
            phase = spectra["nonmusical" if amount > 0.5 else "musical"]
            morph = istft(magnitude * np.exp(1j * np.angle(phase)), RATE, nperseg=1024)[1]
            renders[name] = morph[: len(ends["musical"])]
    return {name: _marked(_level(audio), f"{key} {name}") for name, audio in renders.items()}


def _marked(audio: np.ndarray, key: str) -> np.ndarray:
    """Return audio with soft noise in it that no other render has."""
    noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(len(audio))
    return audio + 0.012 * noise


def _level(audio: np.ndarray) -> np.ndarray:
    return audio * 10 ** ((_LEVEL_LUFS - integrated_lufs(audio, RATE)) / 20)


def _write(path: Path, audio: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, RATE, subtype="PCM_24")


def _add_export(paths: InstrumentPaths, step: int, digest: str) -> None:
    path = model_path(paths, CURRENT, step)
    a_model(path, digest, step, training=CURRENT)
    audit = TrainingFolder(paths.training(CURRENT)).audit_path(step)
    for name, source in (
        ("musical_recon", "musical_recon"),
        ("nonmusical_recon", "nonmusical_recon"),
        ("morph_sweep", "morph_50"),
    ):
        audio = soundfile.read(audit / f"{source}.wav")[0]
        _write(paths.exports / path.stem / f"{name}.wav", _marked(audio, f"export {name}"))
