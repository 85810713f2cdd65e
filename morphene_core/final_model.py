"""The exported model of a training's selected checkpoint, and its record."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from morphene_core.files import read_json, write_json
from morphene_core.home import InstrumentPaths


@dataclass(frozen=True)
class FinalModel:
    """An exported .ts.

    Attributes:
        file: name in the instrument's ``exports`` folder.
        sha256: hash of the .ts.
        profile: name of the profile that it was trained with.
        shippable: whether that profile makes instruments that ship.
        training: id of the training.
        step: of the checkpoint.
        checkpoint_sha256: hash of the checkpoint.
        latents: how many it shows.
        ratio: samples of audio per latent frame.
        methods: what nn~ can call.
        playback: how each method played in blocks, see `morphene_core.playback.Playback`.
    """

    file: str
    sha256: str
    profile: str
    shippable: bool
    training: str
    step: int
    checkpoint_sha256: str
    latents: int
    ratio: int
    methods: list[str]
    playback: list[dict[str, Any]]


def model_path(paths: InstrumentPaths, training: str, step: int) -> Path:
    """Return where the export of a checkpoint lies."""
    return paths.exports / f"{paths.slug}-{training}-{step:06d}.ts"


def write_final_model(path: Path, model: FinalModel) -> None:
    """Write the record of an exported model beside it."""
    write_json(path.with_suffix(".json"), asdict(model))


def read_final_model(path: Path) -> FinalModel | None:
    """Return the record of an exported model, or None if there is none."""
    record = path.with_suffix(".json")
    return FinalModel(**read_json(record)) if record.exists() and path.exists() else None


def export_of(
    paths: InstrumentPaths, training: str, step: int, checkpoint_sha256: str
) -> FinalModel | None:
    """Return the record of a checkpoint's export, or None if this very file is not exported."""
    model = read_final_model(model_path(paths, training, step))
    return model if model and model.checkpoint_sha256 == checkpoint_sha256 else None
