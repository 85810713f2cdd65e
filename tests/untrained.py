"""An export of a small network that was never trained: as fast to make as to play."""

from pathlib import Path

import torch

from morphene_core.audio.wav import Mono
from morphene_core.profiles import load_profile
from morphene_core.rave.configuration import build_model, configure, write_config
from morphene_core.rave.export import export
from morphene_core.synthesis import fire_takes, violin_takes
from tests.conftest import TINY

LOUDER = 3000  # untrained, it is as good as silent

NOISY = "v2_small"
"""A configuration whose decoder has a noise synthesizer."""


def untrained(folder: Path) -> Path:
    """Export the network of the profile `tiny`, its PCA set and its weights drawn."""
    path = folder / "untrained.ts"
    export(checkpoint_of(folder), path, takes(), 4, "Untrained", "0", 0)
    return path


def checkpoint_of(folder: Path, base: str = "v2") -> Path:
    """Write a checkpoint of that network, or of one with a noise synthesizer, too."""
    (folder / "tiny.toml").write_text(TINY)
    profile = load_profile("tiny", folder).model_copy(update={"base_config": base})
    configure(profile)
    torch.manual_seed(0)
    model = build_model()
    size = profile.latent_size
    model.fidelity.copy_(torch.linspace(0.5, 1, size))
    model.latent_pca.copy_(torch.linalg.qr(torch.randn(size, size))[0])
    decoder = model.decoder
    last = decoder.waveform_module if base == NOISY else decoder.net[-1]
    last.weight_g.data.mul_(LOUDER)
    if base == NOISY:
        for weight in decoder.noise_module.parameters():
            weight.data.mul_(LOUDER)
    write_config(folder)
    checkpoint = folder / "checkpoint_000001.pt"
    torch.save({"state_dict": model.state_dict()}, checkpoint)
    return checkpoint


def takes() -> list[Mono]:
    """Return the references that it is exported with."""
    return [next(iter(of(24))).audio[: 2**17] for of in (violin_takes, fire_takes)]
