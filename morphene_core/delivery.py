"""The delivery: a folder with the instrument, what it is, and how it sounds."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from morphene_core.approval import Approval
from morphene_core.audio.excerpt import excerpt
from morphene_core.audio.wav import SAMPLE_RATE, Mono, write_wav
from morphene_core.audits import Audit
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, read_json, sha256, write_json
from morphene_core.final_model import FinalModel
from morphene_core.instruments import Instrument
from morphene_core.progress import Report, silent
from morphene_core.sections import play_sections
from morphene_core.selection import Selection
from morphene_core.training import TrainingRecord, now

_SECTION_SECONDS = 15.0
_FADE_SECONDS = 0.05
_GAP_SECONDS = 0.4
_LEVEL_DBFS = -20.0
_PEAK = 10 ** (-1 / 20)

TOOLS_LICENCE = (
    "Made with RAVE and played with nn~ (IRCAM): the licence in their repositories is CC BY-NC 4.0,"
    " the metadata of the acids-rave package says MIT. Clear this before any commercial release."
)


def deliver(
    folder: Path,
    instrument: Instrument,
    model_file: Path,
    metadata: dict[str, Any],
    heldout: tuple[list[Path], list[Path]],
    report: Report = silent,
) -> dict[str, Any]:
    """Publish a delivery in one step: ``{instrument}.ts``, ``demo.wav`` and ``metadata.json``.

    Args:
        folder: where it is published; what stood there before is replaced as a whole.
        instrument: the instrument.
        model_file: the exported .ts.
        metadata: what `describe` returned.
        heldout: held-out musical and non-musical files, which the demo plays.
        report: takes progress.

    Returns:
        The metadata as written, with the checksums of the other files.

    Raises:
        InputError: the .ts is not the one that the metadata describes.
    """
    if sha256(model_file) != metadata["model"]["sha256"]:
        raise InputError(f"{model_file} has changed since it was exported. Export it again.")
    with atomic_folder(folder) as temporary:
        model = temporary / f"{instrument.slug}.ts"
        shutil.copyfile(model_file, model)
        report("playing the demo through the delivered model")
        musical, nonmusical = (excerpt(files, _SECTION_SECONDS) for files in heldout)
        write_wav(temporary / "demo.wav", play_demo(model, musical, nonmusical))
        files = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        metadata = metadata | {"files": files, "delivered": now()}
        write_json(temporary / "metadata.json", metadata)
    return metadata


def describe(
    instrument: Instrument,
    training: TrainingRecord,
    audit: Audit,
    selection: Selection,
    approved: Approval,
    model: FinalModel,
) -> dict[str, Any]:
    """Return a delivery's metadata: what the instrument is and what it was made from."""
    profile = training.training_profile
    return {
        "instrument": {
            "number": instrument.number,
            "slug": instrument.slug,
            "name": instrument.name,
            "musical_source": instrument.musical_source,
            "nonmusical_source": instrument.nonmusical_source,
        },
        "shippable": profile.shippable,
        "notice": None
        if profile.shippable
        else f"NOT SHIPPABLE: made with the profile {profile.name!r}. {profile.description}",
        "audio": {"sample_rate": SAMPLE_RATE, "channels": 1},
        "model": {
            "sha256": model.sha256,
            "format": "TorchScript, streaming, for nn~",
            "methods": model.methods,
            "latents": model.latents,
            "ratio": model.ratio,
        },
        "training": {
            "id": training.id,
            "profile": training.profile,
            "steps": training.step,
            "hours": round(training.seconds / 3600, 3),
            "attempts": training.attempts,
            "device": training.device,
            "started": training.started,
            "finished": training.finished,
            "versions": training.versions,
        },
        "checkpoint": {
            "step": selection.step,
            "phase": audit.phase,
            "sha256": selection.checkpoint_sha256,
            "reason": selection.reason,
            "chosen_by": selection.by,
            "metrics": audit.metrics,
        },
        "approval": {
            "state": approved.state,
            "verdict": asdict(approved.verdict) if approved.verdict else None,
        },
        "lineage": {"dataset": training.dataset["version"], "sources": training.dataset["sources"]},
        "tools_licence": TOOLS_LICENCE,
    }


def verify_delivery(folder: Path) -> dict[str, Any]:
    """Return a delivery's metadata after comparing its files with their checksums.

    Raises:
        InputError: a file is missing or differs from its checksum.
    """
    if not (folder / "metadata.json").exists():
        raise InputError(f"{folder} holds no delivery: metadata.json is missing.")
    metadata: dict[str, Any] = read_json(folder / "metadata.json")
    for name, expected in metadata["files"].items():
        if not (folder / name).exists() or sha256(folder / name) != expected:
            raise InputError(
                f"{folder / name} is missing or not what was delivered. Deliver again."
            )
    return metadata


def play_demo(model: Path, musical: Mono, nonmusical: Mono) -> Mono:
    """Return what the delivered model makes of held-out audio, as a listener should hear it.

    The musical source through the model, the non-musical one, and the way from one to the other
    in latent space. The sections have one level; each is faded at its ends.

    Args:
        model: the delivered .ts.
        musical: held-out audio, shape (samples,), 48 kHz.
        nonmusical: likewise.

    Returns:
        Shape (samples,), 48 kHz.
    """
    sections = play_sections(model, musical, nonmusical)
    gap = np.zeros(int(_GAP_SECONDS * SAMPLE_RATE), np.float32)
    parts = [part for section in sections.values() for part in (_presented(section), gap)]
    return np.concatenate(parts)


def _presented(audio: Mono) -> Mono:
    """Bring a section to the demo's level, under its peak, and fade it."""
    fade = np.linspace(0, 1, int(_FADE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    audio = audio - np.mean(audio, dtype=np.float64).astype(np.float32)
    audio[: len(fade)] *= fade
    audio[-len(fade) :] *= fade[::-1]
    level = 10 ** (_LEVEL_DBFS / 20) / max(float(np.sqrt(np.mean(np.square(audio)))), 1e-9)
    peak = _PEAK / max(float(np.abs(audio).max()), 1e-9)
    return audio * np.float32(min(level, peak))
