"""What a model makes of two references: reconstructions, and the way from one to the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.audits.alignment import LONGEST_SECONDS, latency
from morphene_core.audits.model import AuditedModel, Latents
from morphene_core.audits.record import MORPH_AMOUNTS
from morphene_core.audits.references import read_references
from morphene_core.files import sha256
from morphene_core.home import Role
from morphene_core.metrics import MorphReference, MusicalReference, TextureReference, artifacts

POINTS = 21
"""Of the morph's path that is measured: amounts of 0, 0.05 ... 1."""

_TOGETHER = 3  # points that are decoded at once; more would only take memory
_PERCENT_APART = 100 // (POINTS - 1)


@dataclass(frozen=True)
class Measured:
    """What a model made, and what was measured of it.

    Attributes:
        renders: audio by file stem, shape (samples,), 48 kHz, at the level that the model gave it.
        metrics: as `morphene_core.audits.Audit` has them; likewise the others.
        artifacts: by render.
        path: of the morph.
    """

    renders: dict[str, Mono]
    metrics: dict[str, float | None]
    artifacts: dict[str, dict[str, float]]
    path: dict[str, list[float]]


class References:
    """Two references with everything about them that is the same for all checkpoints.

    Args:
        paths: audio file of each role: mono, 48 kHz, of equal length.
    """

    def __init__(self, paths: dict[Role, Path]) -> None:
        self.musical, self.nonmusical = read_references(paths)
        self.hashes: dict[Role, str] = {role: sha256(path) for role, path in paths.items()}
        self._musical = MusicalReference(self.musical)
        self._texture = TextureReference(self.nonmusical)
        self._morph = MorphReference(self.musical, self.nonmusical)

    def measure(self, model: AuditedModel) -> Measured:
        """Render what a model makes of the references, and measure it.

        Each reference is encoded once, and each point of the morph decoded once: its ends are the
        reconstructions.
        """
        renders: dict[str, Mono] = {}
        morph, path = self._morph.compare(_kept(morph_points(model, self), renders))
        renders["musical_recon"] = renders["morph_00"]
        renders["nonmusical_recon"] = renders["morph_100"]
        metrics = (
            self._musical.compare(renders["musical_recon"])
            | self._texture.compare(renders["nonmusical_recon"])
            | morph
        )
        found = {name: artifacts(renders[name], model.ratio) for name in _names()}
        found["musical_recon"] = found["morph_00"]
        found["nonmusical_recon"] = found["morph_100"]
        return Measured(renders, metrics, found, path)


def morph_points(model: AuditedModel, references: References) -> Iterator[Mono]:
    """Give the 21 points of the morph, from the musical to the non-musical reference.

    The morph is made in latent space: each point decodes the weighted mean of both references'
    latents.

    Yields:
        Audio of shape (samples,), as long as the references and without the model's latency.
    """
    length = len(references.musical)
    # What comes late of a model that streams is not cut off.
    tail = int(LONGEST_SECONDS * SAMPLE_RATE) // model.ratio * model.ratio if model.streams else 0
    musical, nonmusical = (
        model.encode(np.pad(audio, (0, tail)))
        for audio in (references.musical, references.nonmusical)
    )
    late = _latency(model, references, musical, nonmusical) if model.streams else 0
    amounts = np.linspace(0, 1, POINTS)
    for start in range(0, POINTS, _TOGETHER):
        weights = amounts[start : start + _TOGETHER]
        for audio in model.decode(interpolated(musical, nonmusical, weights)):
            yield audio[late : late + length]


def interpolated(musical: Latents, nonmusical: Latents, amounts: NDArray[np.float64]) -> Latents:
    """Return weighted means of latents of shape (latents, frames): (amounts, latents, frames)."""
    weights = np.asarray(amounts, np.float32)[:, None, None]
    return (1 - weights) * musical + weights * nonmusical


def _latency(
    model: AuditedModel, references: References, musical: Latents, nonmusical: Latents
) -> int:
    ends = model.decode(np.stack([musical, nonmusical]))
    return latency([references.musical, references.nonmusical], list(ends))


def _kept(points: Iterator[Mono], renders: dict[str, Mono]) -> Iterator[Mono]:
    """Pass the points on, and keep those that an audit has as files."""
    names = _names()
    for index, audio in enumerate(points):
        if (name := f"morph_{index * _PERCENT_APART:02d}") in names:
            renders[name] = audio
        yield audio


def _names() -> list[str]:
    return [f"morph_{amount:02d}" for amount in MORPH_AMOUNTS]
