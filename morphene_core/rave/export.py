"""Export of a checkpoint to the streaming TorchScript model that nn~ and RAVE VST play."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rave
import torch
from torch import nn

from morphene_core.audio.wav import Mono
from morphene_core.errors import MorpheneError
from morphene_core.files import atomic_file
from morphene_core.final_model import Attribute, Latent, Method
from morphene_core.rave.archive import archive_of
from morphene_core.rave.axes import latent_axes
from morphene_core.rave.configuration import load_model
from morphene_core.rave.instrument import (
    ATTRIBUTES,
    StreamingInstrument,
    clear_caches,
    methods_of,
    require_morph,
)
from morphene_core.rave.latency import latency_samples
from morphene_core.realtime.host import isolated


@dataclass(frozen=True)
class Exported:
    """What an export holds, see `morphene_core.final_model.FinalModel`."""

    sample_rate: int
    ratio: int
    latency_samples: int
    latents: list[Latent]
    methods: list[Method]
    attributes: list[Attribute]


@torch.inference_mode()
def export(
    checkpoint: Path,
    path: Path,
    references: Sequence[Mono],
    latents: int,
    name: str,
    version: str,
    least_active: int = 1,
) -> Exported:
    """Export a checkpoint as a streaming .ts, complete or not at all.

    The same checkpoint, references and names give the same bytes, whatever was exported before.

    Args:
        checkpoint: .pt or .ckpt with config.gin beside it; it is only read.
        path: the .ts.
        references: audio of both sources, each of shape (samples,), 48 kHz, by which the direction
            of each latent is found.
        latents: how many latents the instrument shows.
        name: of the instrument, as the .ts is to have it.
        version: of the model, likewise.
        least_active: fewest latents that must carry something.

    Raises:
        InputError: the checkpoint cannot be loaded, or its architecture has no morph.
        MorpheneError: its latent PCA was never computed, it has collapsed, or it holds non-finite
            weights.
    """
    with isolated(threads=1):  # sums of floats depend on how many threads share them
        torch.manual_seed(0)  # a noise synthesizer draws while the latents are compared
        model = load_model(checkpoint, streaming=True)
        require_morph(model, str(checkpoint))
        _require_sound(model, checkpoint)
        network = playable(model)
        signs, axes = latent_axes(network, references, latents, least_active, str(checkpoint))
        deviations = torch.tensor([axis.deviation for axis in axes])
        instrument = StreamingInstrument(
            network, signs, deviations, name, version, latency_samples(network)
        ).eval()
        clear_caches(instrument)
        archive = archive_of(instrument)
    with atomic_file(path) as temporary:
        temporary.write_bytes(archive)
    return Exported(
        instrument.sr,
        instrument.ratio,
        instrument.latency,
        axes,
        methods_of(instrument),
        list(ATTRIBUTES),
    )


def playable(model: rave.RAVE) -> rave.RAVE:
    """Turn the trained network into the one that plays.

    Here, and only here, a trained layer becomes an exported one.
    """
    for module in model.modules():
        if hasattr(module, "weight_g"):
            nn.utils.remove_weight_norm(module)
    return model


def _require_sound(model: rave.RAVE, checkpoint: Path) -> None:
    if not model.fidelity.any():
        raise MorpheneError(
            f"{checkpoint} was never validated in phase 1: it has no latent PCA and cannot be"
            " exported. Choose a later checkpoint."
        )
    for name, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise MorpheneError(f"{checkpoint} holds non-finite numbers ({name}). Choose another.")
