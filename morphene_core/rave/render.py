"""Audio that a checkpoint makes: reconstructions of two references and the morphs between them."""

from pathlib import Path

import numpy as np
import torch

from morphene_core.audio.wav import Mono
from morphene_core.audit import MORPH_AMOUNTS, Renders
from morphene_core.rave.configuration import load_model


@torch.inference_mode()
def render_checkpoint(checkpoint: Path, musical: Mono, nonmusical: Mono) -> Renders:
    """Return the seven renders of a checkpoint.

    The latents are the posterior's means, without RAVE's noise, so that the same checkpoint and
    references give the same audio. A morph decodes the weighted mean of both references' latents.

    Args:
        checkpoint: .pt or .ckpt with config.gin beside it.
        musical: reference, shape (samples,), 48 kHz.
        nonmusical: reference, of the same length.

    Returns:
        Audio of shape (samples,) by file stem.

    Raises:
        InputError: the checkpoint cannot be loaded.
    """
    model = load_model(checkpoint)
    latents = {}
    for name, audio in (("musical", musical), ("nonmusical", nonmusical)):
        # Mean and scale of the posterior lie one after the other in the encoder's output.
        encoded = model.encode(torch.from_numpy(audio)[None, None])
        latents[name] = encoded.chunk(2, dim=1)[0]

    def decode(z: torch.Tensor) -> Mono:
        return np.asarray(model.decode(z)[0, 0].numpy(), dtype=np.float32)

    renders = {f"{name}_recon": decode(z) for name, z in latents.items()}
    for percent in MORPH_AMOUNTS:
        z = torch.lerp(latents["musical"], latents["nonmusical"], percent / 100)
        renders[f"morph_{percent:02d}"] = decode(z)
    return renders
