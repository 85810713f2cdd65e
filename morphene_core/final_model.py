"""The exported model of a training's selected checkpoint, and its record."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from morphene_core.errors import DAMAGED, InputError
from morphene_core.files import read_json, write_json
from morphene_core.home import InstrumentPaths
from morphene_core.realtime.report import RealtimeReport

Rises = Literal["louder", "brighter"]


@dataclass(frozen=True)
class Latent:
    """One latent of an exported model, as a slider moves it.

    Attributes:
        number: 1 for the one with most variance.
        variance: its share of the latent space's variance, 0 to 1.
        deviation: standard deviation over the audit's references.
        rises: what a positive value does to the sound.
        loudness_db: change of the level from a deviation below to a deviation above where the audio
            puts the latent, in the mean of both references.
        brightness_octaves: likewise, of the spectral centroid.
    """

    number: int
    variance: float
    deviation: float
    rises: Rises
    loudness_db: float
    brightness_octaves: float


@dataclass(frozen=True)
class Method:
    """A method that nn~ can call. A ratio is samples of audio per value."""

    name: str
    in_channels: int
    in_ratio: int
    out_channels: int
    out_ratio: int


@dataclass(frozen=True)
class Attribute:
    """An attribute that nn~ can read and set.

    Attributes:
        name: its name.
        types: of its values: "float", "int" or "bool".
        default: its values after loading.
        meaning: for a person, one line.
    """

    name: str
    types: list[str]
    default: list[float | int | bool]
    meaning: str


@dataclass(frozen=True)
class FinalModel:
    """An exported .ts.

    Attributes:
        file: name in the instrument's ``exports`` folder.
        sha256: hash of the .ts.
        bytes: its size.
        profile: name of the profile that it was trained with.
        shippable: whether that profile makes instruments that ship.
        training: id of the training.
        step: of the checkpoint.
        checkpoint_sha256: hash of the checkpoint.
        name: of the instrument, as the .ts has it.
        version: of the model, as the .ts has it: the training and the step.
        sample_rate: in Hz.
        ratio: samples of audio per latent frame.
        latency_samples: from the input to the output, computed from the convolutions.
        latents: those that it shows, in their order.
        methods: what nn~ can call.
        attributes: what nn~ can set.
        realtime: the real-time proof as plain data, see `proof`.
        run: id of the Dagster run that exported it; empty outside Dagster.
        references_sha256: of the audit's references, which its latents were turned by; empty in a
            record of an older Morphene.
    """

    file: str
    sha256: str
    bytes: int
    profile: str
    shippable: bool
    training: str
    step: int
    checkpoint_sha256: str
    name: str
    version: str
    sample_rate: int
    ratio: int
    latency_samples: int
    latents: list[Latent]
    methods: list[Method]
    attributes: list[Attribute]
    realtime: dict[str, Any]
    run: str = ""
    references_sha256: str = ""

    @cached_property
    def proof(self) -> RealtimeReport:
        """The real-time proof.

        Raises:
            InputError: what is kept of it is damaged.
        """
        return RealtimeReport.from_dict(self.realtime)

    def method(self, name: str) -> Method:
        """Return a method by its name.

        Raises:
            KeyError: it has none of that name.
        """
        return {method.name: method for method in self.methods}[name]


def model_path(paths: InstrumentPaths, training: str, step: int) -> Path:
    """Return where the export of a checkpoint lies."""
    return paths.exports / f"{paths.slug}-{training}-{step:06d}.ts"


def realtime_picture(path: Path) -> Path:
    """Return where the picture of an export's real-time proof lies."""
    return path.with_suffix("") / "realtime.png"


def write_final_model(path: Path, model: FinalModel) -> None:
    """Write the record of an exported model beside it."""
    write_json(path.with_suffix(".json"), asdict(model))


def read_final_model(path: Path) -> FinalModel | None:
    """Return the record of an exported model, or None if there is none.

    A record of an older Morphene is none: what it exported has no ``morph``, and is exported anew.

    Raises:
        InputError: the record is damaged.
    """
    record = path.with_suffix(".json")
    if not (record.exists() and path.exists()):
        return None
    try:
        fields = read_json(record)
        if "realtime" not in fields:
            return None
        lists: dict[str, Any] = {
            "latents": [Latent(**latent) for latent in fields["latents"]],
            "methods": [Method(**method) for method in fields["methods"]],
            "attributes": [Attribute(**attribute) for attribute in fields["attributes"]],
        }
        model = FinalModel(**(fields | lists))
        _ = model.proof  # a record is read whole, or is damaged
        return model
    except DAMAGED as error:
        raise InputError(
            f"{record} is damaged. Delete it: the model is exported again then."
        ) from error


def export_of(
    paths: InstrumentPaths, training: str, step: int, checkpoint_sha256: str
) -> FinalModel | None:
    """Return the record of a checkpoint's export, or None if this very file is not exported."""
    model = read_final_model(model_path(paths, training, step))
    return model if model and model.checkpoint_sha256 == checkpoint_sha256 else None
