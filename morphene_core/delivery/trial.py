"""A short trial of a delivered model: it is loaded, held against its description, and played."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from morphene_core.audio.loudness import level_dbfs
from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.delivery.model import model_of
from morphene_core.errors import MorpheneError

_SECONDS = 2.0
_LEVEL_DBFS = -20.0
_SILENT_DBFS = -80.0
_PLAYED = ("forward", "morph")


def trial_faults(folder: Path, metadata: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a delivered model, a line each; nothing if it plays.

    This runs the code in the .ts. It is played for a few seconds, with noise: what comes out must
    be finite, as long as what went in, and heard.

    Args:
        folder: with the delivery.
        metadata: of it, which keep to the schema.
    """
    from morphene_core.realtime.model import LoadedModel

    described = model_of(metadata)
    path = folder / described.file
    try:
        loaded = LoadedModel(path)
        faults = [
            f"{described.file}: its method {method.name} is not as {described.name}'s metadata say"
            for method in described.methods
            if loaded.methods.get(method.name) != method
        ]
        if missing := [a.name for a in described.attributes if a.name not in loaded.attributes]:
            faults.append(f"{described.file}: it has no attribute {', '.join(missing)}")
        played = [name for name in _PLAYED if name in loaded.methods]
        return faults or [fault for name in played for fault in _play(path, name, loaded.methods)]
    except MorpheneError as error:
        return [str(error)]


def _play(path: Path, name: str, methods: Mapping[str, Any]) -> list[str]:
    from morphene_core.realtime import play

    channels, samples = methods[name].in_channels, int(_SECONDS * SAMPLE_RATE)
    noise = np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32)
    noise *= np.float32(10 ** (_LEVEL_DBFS / 20))
    if name == "morph":
        noise[2] = np.linspace(0, 1, samples, dtype=np.float32)
    heard = play(path, name, noise)
    if not np.isfinite(heard).all():
        return [f"{path.name}: {name} gives samples that are not finite"]
    return [f"{path.name}: {name} is silent"] if level_dbfs(heard) < _SILENT_DBFS else []
