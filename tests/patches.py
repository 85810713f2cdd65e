"""Exported models that nobody exported, for the patches that are written for them."""

from typing import Any

from morphene_core.final_model import Attribute, FinalModel, Latent, Method

SLUG = "pyroviolin"


def an_exported_model(latents: int = 16, **changes: Any) -> FinalModel:
    """Return the record of a model with this many latents."""
    facts: dict[str, Any] = {
        "file": f"{SLUG}-t-001050.ts",
        "sha256": "0" * 64,
        "bytes": 1,
        "profile": "demo",
        "shippable": False,
        "training": "demo-a29532ba",
        "step": 1050,
        "checkpoint_sha256": "0" * 64,
        "name": "Pyroviolin",
        "version": "demo-a29532ba@1050",
        "sample_rate": 48_000,
        "ratio": 2048,
        "latency_samples": 3000,
        "latents": [
            Latent(n, 0.6**n, 1.1, "brighter" if n % 3 else "louder", 0.1, 0.2)
            for n in range(1, latents + 1)
        ],
        "methods": [
            Method("encode", 1, 1, latents, 2048),
            Method("decode", latents, 2048, 1, 1),
            Method("forward", 1, 1, 1, 1),
            Method("morph", 3, 1, 1, 1),
        ],
        "attributes": [
            Attribute("temperature", ["float"], [1.0], "Noise in the latents that are not shown."),
            Attribute("encoder_noise", ["float"], [1.0], "Noise of the encoder."),
            Attribute("latent", ["int", "float"], [0, 0.0], "Offset of a latent, in deviations."),
        ],
        "realtime": {},
    }
    return FinalModel(**(facts | changes))
