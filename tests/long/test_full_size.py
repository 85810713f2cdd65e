"""The model at full size (`make test-long`): exported, loaded, and proven block by block."""

from pathlib import Path

import numpy as np
import pytest
import torch

from morphene_core.profiles import load_profile
from morphene_core.rave.configuration import build_model, configure, write_config
from morphene_core.rave.export import export
from morphene_core.realtime import play, prove
from morphene_core.synthesis import fire_takes, violin_takes

_BLOCKS = 48


@pytest.mark.timeout(3600)
def test_the_production_model_is_exported_and_plays(tmp_path: Path) -> None:
    """Its weights are untrained: what they sound like says nothing, how fast they play does."""
    production = load_profile("production", tmp_path)
    configure(production)
    torch.manual_seed(0)
    model = build_model()
    model.fidelity.copy_(torch.linspace(0.5, 1, production.latent_size))
    model.latent_pca.copy_(torch.linalg.qr(torch.randn(128, 128))[0])
    model.decoder.net[-1].weight_g.data.mul_(3000)  # untrained, it is as good as silent
    write_config(tmp_path)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "checkpoint_000001.pt")
    sounds = [
        next(iter(takes(60))).audio[: _BLOCKS * 2048].astype(np.float32)
        for takes in (violin_takes, fire_takes)
    ]
    path = tmp_path / "model.ts"
    exported = export(
        tmp_path / "checkpoint_000001.pt", path, sounds, production.exported_latents, "Full", "0", 0
    )
    assert (exported.ratio, len(exported.latents)) == (2048, 16)
    amount = np.linspace(0, 1, len(sounds[0]), dtype=np.float32)
    heard = play(path, "morph", np.stack([*sounds, amount]))
    assert heard.shape == (1, len(amount))
    assert np.isfinite(heard).all() and np.abs(heard).max() > 0
    report = prove(path, seconds=10)
    assert not [finding for finding in report.faults if not finding.passed]
    assert {method.name for method in report.methods} == {"encode", "decode", "forward", "morph"}
