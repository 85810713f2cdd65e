"""How faithful the reconstruction of a musical reference is."""

import numpy as np
import soxr
from numpy.typing import NDArray

from morphene_core.audio.loudness import KWeightedCells
from morphene_core.audio.pitch import PERIODIC, yin
from morphene_core.audio.spectral import SpectralReference
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.metrics.catalogue import METRICS
from morphene_core.metrics.mel import cleaned
from morphene_core.metrics.mmd import FrameDistribution

OCTAVE = 1200.0
"""Cents; a pitch that is farther off, or none, counts as this."""

_NAMES = tuple(name for name in METRICS if name.startswith("musical_"))

_PITCH_RATE, _PITCH_FRAME, _PITCH_HOP = 12_000, 1024, 120  # 85 ms every 10 ms
_SOFTEST = 1e-5  # of the loudest frame's power: 50 dB under it nothing counts as voiced
_LEVEL_CELLS = 10  # of 10 ms
_LEVEL_DEPTH = 1e-4  # 40 dB under the loudest
_EVEN_DB = 0.1  # a level that moves less gives nothing to follow


class MusicalReference:
    """A musical reference, measured once, to compare renders of it with.

    Args:
        audio: shape (samples,), at 48 kHz.
    """

    def __init__(self, audio: Mono) -> None:
        audio = cleaned(audio)
        self._spectra = SpectralReference(audio)
        self._pitch = _Pitch(audio)
        self._powers = _weighted_powers(audio)
        self._timbre = FrameDistribution(audio)

    def compare(self, render: Mono) -> dict[str, float | None]:
        """Return the metrics of the criterion ``musical_reconstruction`` by name.

        Args:
            render: shape (samples,), at 48 kHz; the longer of both is cropped. Samples that are
                not finite count as zeros.

        Returns:
            None for what cannot be measured: in a silent reference nothing; in one without pitch,
            or with a level that never moves, not the faithfulness of that.
        """
        render = cleaned(render)
        if self._spectra.silent or not len(render):
            return dict.fromkeys(_NAMES)
        pitch = _Pitch(render)
        distance = self._spectra.distance(render)
        return {
            # Infinite if a short render is compared with silence before the first note.
            "musical_spectral_distance": distance if np.isfinite(distance) else None,
            "musical_f0_error": _f0_error(self._pitch, pitch),
            "musical_voicing_error": _voicing_error(self._pitch, pitch),
            "musical_loudness_correlation": _correlation(self._powers, _weighted_powers(render)),
            "musical_timbre_mmd": self._timbre.squared_mmd(render),
        }


class _Pitch:
    """Pitch in cents of each frame, whether it is voiced, and whether it has any pitch at all."""

    def __init__(self, audio: Mono) -> None:
        slow = soxr.resample(audio, SAMPLE_RATE, _PITCH_RATE, quality="HQ")
        padded = np.pad(slow, _PITCH_FRAME // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _PITCH_FRAME)[::_PITCH_HOP]
        f0, aperiodicity = yin(frames, _PITCH_RATE)
        powers = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
        sounds = (powers > 0) & (powers >= _SOFTEST * powers.max())
        self.cents = OCTAVE * np.log2(f0)
        self.voiced = sounds & (aperiodicity <= PERIODIC)
        self.pitched = sounds & (aperiodicity < 0.5)


def _f0_error(reference: _Pitch, render: _Pitch) -> float | None:
    """Return the median error in cents where the reference is voiced; None if nowhere.

    Whether the render is voiced there is another metric. But where it is more noise than tone, or
    silent, its pitch is chance and counts as an octave off.
    """
    frames = min(len(reference.cents), len(render.cents))
    voiced = reference.voiced[:frames]
    if not voiced.any():
        return None
    errors = np.abs(reference.cents[:frames] - render.cents[:frames])
    errors = np.where(render.pitched[:frames], np.minimum(errors, OCTAVE), OCTAVE)
    return float(np.median(errors[voiced]))


def _voicing_error(reference: _Pitch, render: _Pitch) -> float:
    frames = min(len(reference.voiced), len(render.voiced))
    return float(np.mean(reference.voiced[:frames] != render.voiced[:frames]))


def _weighted_powers(audio: Mono) -> NDArray[np.float64]:
    """Return the K-weighted power of 100 ms around each 10 ms."""
    cells = KWeightedCells(SAMPLE_RATE)
    cells.feed(audio)
    powers = cells.result()
    if len(powers) < _LEVEL_CELLS:
        return powers
    return np.convolve(powers, np.full(_LEVEL_CELLS, 1 / _LEVEL_CELLS), mode="valid")


def _correlation(reference: NDArray[np.float64], render: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation of two levels in dB; None if the reference's never moves.

    A render whose level never moves is at 0, as if it moved by chance.
    """
    cells = min(len(reference), len(render))
    a, b = (_levels(powers[:cells]) for powers in (reference, render))
    if not cells or a.std() < _EVEN_DB:
        return None
    if b.std() < _EVEN_DB:
        return 0.0
    return float(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()))


def _levels(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = max(_LEVEL_DEPTH * powers.max(initial=0.0), 1e-20)
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(powers, floor))
    return levels
