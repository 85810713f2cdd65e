"""What is measured of a checkpoint's renders, and what each number means.

``METRICS`` and ``ARTIFACTS`` say what there is. `MusicalReference`, `TextureReference` and
`MorphReference` are made once per reference and then compare the renders of any number of
checkpoints with it; `artifacts` needs no reference. The same audio gives the same numbers.
"""

from morphene_core.metrics.artifacts import artifacts
from morphene_core.metrics.catalogue import (
    ARTIFACTS,
    METRICS,
    METRICS_VERSION,
    Artifact,
    Metric,
)
from morphene_core.metrics.morph import MorphReference
from morphene_core.metrics.reconstruction import MusicalReference
from morphene_core.metrics.texture import TextureReference

__all__ = [
    "ARTIFACTS",
    "METRICS",
    "METRICS_VERSION",
    "Artifact",
    "Metric",
    "MorphReference",
    "MusicalReference",
    "TextureReference",
    "artifacts",
]
