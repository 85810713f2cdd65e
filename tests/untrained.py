"""An export of a small network that was never trained: as fast to make as to play."""

from pathlib import Path

import torch

from morphene_core.profiles import load_profile
from morphene_core.rave.configuration import build_model, configure, write_config
from morphene_core.rave.export import export
from morphene_core.synthesis import fire_takes, violin_takes
from tests.conftest import TINY

LOUDER = 3000  # untrained, it is as good as silent


def untrained(folder: Path) -> Path:
    """Export the network of the profile `tiny`, its PCA set and its weights drawn."""
    (folder / "tiny.toml").write_text(TINY)
    profile = load_profile("tiny", folder)
    configure(profile)
    torch.manual_seed(0)
    model = build_model()
    size = profile.latent_size
    model.fidelity.copy_(torch.linspace(0.5, 1, size))
    model.latent_pca.copy_(torch.linalg.qr(torch.randn(size, size))[0])
    model.decoder.net[-1].weight_g.data.mul_(LOUDER)
    write_config(folder)
    checkpoint = folder / "checkpoint_000001.pt"
    torch.save({"state_dict": model.state_dict()}, checkpoint)
    takes = [next(iter(of(24))).audio[: 2**17] for of in (violin_takes, fire_takes)]
    path = folder / "untrained.ts"
    export(checkpoint, path, takes, profile.exported_latents, "Untrained", "0", 0)
    return path
