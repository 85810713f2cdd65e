"""An instrument that is ready to be delivered, without any training."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from morphene_core.audio.prepared import AudioSettings, Piece, PreparedAudio, write_index
from morphene_core.audio.wav import write_wav
from morphene_core.audits.record import write_audit
from morphene_core.dataset import DatasetRecord, dataset_version
from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.metadata import describe
from morphene_core.delivery.rights import record_decision
from morphene_core.files import point_link, sha256, write_json
from morphene_core.final_model import (
    Attribute,
    FinalModel,
    Latent,
    Method,
    model_path,
    write_final_model,
)
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.profiles import load_profile
from morphene_core.realtime.machine import Machine
from morphene_core.realtime.report import (
    Finding,
    Latency,
    Memory,
    MethodTimes,
    RealtimeReport,
)
from morphene_core.selection import Selection
from morphene_core.sources.collect import add_source
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord
from morphene_core.training.schedule import Schedule
from morphene_core.verdicts import Verdict, record_verdict
from tests.constructed import an_audit

RATE = 48_000
SLUG, TRAINING, STEP = "pyroviolin", "production-9f8e7d6c", 300_000
FACTS = {"origin": "recorded", "licence": "own", "rating": 4}
LATENTS = 16


def a_report(verdict: str = "plays", p99_ms: float = 20.0) -> RealtimeReport:
    """Return a real-time proof with this verdict."""
    times = MethodTimes("morph", 230, [300.0, 90.0], 12.0, 15.0, p99_ms, 25.0, 19.0, 0, 0.3, -21.0)
    return RealtimeReport(
        verdict=verdict,  # type: ignore[arg-type]
        text=f"morph: {p99_ms} ms of 42.7 ms.",
        sample_rate=RATE,
        block=2048,
        seconds=10.0,
        deadline_ms=42.667,
        limit=0.7,
        machine=Machine("A processor", 2, 0.4, 1, "2.13.0", "the stand-in"),
        methods=[times],
        latency=Latency(3000, 62.5, 2990, 3010, 62.7, 8128, 169.3, 4032, 84.0),
        memory=Memory("morph", [900.0, 901.0], 0.1, 0.5),
        faults=[Finding("silence", True, "It stays silent.")],
    )


def a_model(path: Path, checkpoint_sha256: str, step: int = STEP, **changes: Any) -> FinalModel:
    """Write an export that is no model, with its record, under a path of `model_path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(changes.pop("contents", b"a model"))
    ends = (1, 1), (LATENTS, 2048)
    model = FinalModel(
        file=path.name,
        sha256=sha256(path),
        bytes=path.stat().st_size,
        profile="production",
        shippable=True,
        training=TRAINING,
        step=step,
        checkpoint_sha256=checkpoint_sha256,
        name="Pyroviolin",
        version=f"{TRAINING}@{step}",
        sample_rate=RATE,
        ratio=2048,
        latency_samples=3000,
        latents=[Latent(n, 0.5**n, 1.1, "louder", 6.0, 0.25) for n in range(1, LATENTS + 1)],
        methods=[
            Method("encode", *ends[0], *ends[1]),
            Method("decode", *ends[1], *ends[0]),
            Method("forward", *ends[0], *ends[0]),
            Method("morph", 3, 1, *ends[0]),
        ],
        attributes=[
            Attribute("temperature", ["float"], [1.0], "Noise in the latents that are not shown."),
            Attribute("encoder_noise", ["float"], [1.0], "Noise of the encoder."),
            Attribute("latent", ["int", "float"], [0, 0.0], "Offset of a latent, in deviations."),
        ],
        realtime=a_report().to_dict(),
    )
    model = replace(model, **changes)
    write_final_model(path, model)
    return model


def make_deliverable(folder: Path, **facts: Any) -> InstrumentPaths:
    """Make a project folder in which Pyroviolin may be delivered, and return its paths.

    It was trained with the profile `production`, holds all criteria, was approved by Ada, and its
    rights are cleared by Bo.

    Args:
        folder: of the project.
        facts: of the musical source, in place of FACTS.
    """
    home = Home(folder)
    home.create()
    paths = home.instrument(SLUG)
    sources, audio = [], {}
    for number, role in enumerate(ROLES):
        noise = np.random.default_rng(number).standard_normal(RATE).astype(np.float32) / 10
        take = paths.sources(role) / "take.wav"
        take.parent.mkdir(parents=True)
        write_wav(take, noise)
        given = FACTS | (facts if role == "musical" else {})
        given = {"name": f"The {role} takes"} | given
        add_source(paths, role, given, [take])
        known = {key: given.get(key, "") for key in ("origin", "licence", "attribution")}
        file = {"role": role, "path": "take.wav", "sha256": sha256(take)}
        sources.append(file | {"source": given["name"]} | known)
        audio[role] = _prepared(paths.audio(role), noise, sha256(take))
    profile = load_profile("production", home.profiles)
    version = dataset_version(audio, profile.training.n_signal)
    training = TrainingFolder(paths.training(TRAINING))
    checkpoint = training.checkpoints / f"checkpoint_{STEP}.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    point_link(paths.checkpoints, training.checkpoints)
    training.write(
        TrainingRecord(
            id=TRAINING,
            instrument=SLUG,
            profile=profile.model_dump(mode="json"),
            dataset=asdict(DatasetRecord(version, 131072, 9, {}, sources)),
            started="2026-01-01T08:00:00+00:00",
            finished="2026-01-02T04:00:00+00:00",
            seconds=72_000.0,
            attempts=1,
            runs=("run-1",),
            step=STEP,
            device="A card",
            schedule=Schedule(200_000, STEP, 200_000),
            versions={"acids-rave": "2.3.1", "cached-conv": "2.5.0"},
            checkpoints=(Checkpoint(STEP, 2, checkpoint.name, sha256(checkpoint)),),
        )
    )
    select(paths, sha256(checkpoint))
    decide(paths)
    clear_rights(paths)
    return paths


def metadata_of(folder: Path, **facts: Any) -> dict[str, Any]:
    """Return the metadata of such a delivery as they are read from its file, without checksums."""
    found = candidate(make_deliverable(folder, **facts))
    described: dict[str, Any] = json.loads(json.dumps(describe(found, 1, None)))
    return described


def select(
    paths: InstrumentPaths, checkpoint_sha256: str, step: int = STEP, **changes: Any
) -> None:
    """Audit a checkpoint, select it and export it; changes are those of `an_audit`."""
    folder = TrainingFolder(paths.training(TRAINING))
    audit = an_audit(step, checkpoint_sha256=checkpoint_sha256, **changes)
    write_audit(folder.audit_path(step), audit)
    for name in ("musical", "nonmusical", "morph"):
        (folder.audit_path(step) / f"{name}.png").write_bytes(_PIXEL)
    selection = Selection(
        step, checkpoint_sha256, "It is warm.", "2026-01-03T08:00:00+00:00", "Ada"
    )
    write_json(folder.selection, asdict(selection))
    a_model(model_path(paths, TRAINING, step), checkpoint_sha256, step)


def decide(paths: InstrumentPaths, decision: str = "approved", step: int = STEP) -> None:
    """Give a verdict on the checkpoint of a step."""
    digest = TrainingFolder(paths.training(TRAINING)).read().checkpoint(step).sha256
    at = "2026-01-04T10:00:00+00:00"
    record_verdict(paths, Verdict(SLUG, TRAINING, step, digest, decision, {}, "", "Ada", at))


def clear_rights(paths: InstrumentPaths, sources: tuple[str, ...] | None = None) -> None:
    """Record a rights decision for the sources that there are."""
    from morphene_core.delivery.candidate import candidate
    from morphene_core.delivery.lineage import source_titles

    known = source_titles(candidate(paths).files) if sources is None else sources
    record_decision(paths, "clear", "commercial", "Cleared with the tools' owners.", "Bo", known)


def _prepared(folder: Path, noise: np.ndarray, digest: str) -> PreparedAudio:
    (folder / "heldout").mkdir(parents=True)
    held = folder / "heldout" / "0.wav"
    write_wav(held, noise)
    piece = Piece("heldout/0.wav", "heldout", "take.wav", digest, ((0, 1),), RATE, sha256(held))
    prepared = PreparedAudio(folder, "v1", AudioSettings(), (), (piece,))
    write_index(prepared)
    return prepared


_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)
