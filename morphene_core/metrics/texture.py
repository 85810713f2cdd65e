"""Whether the reconstruction of a texture sounds like it: its distributions, not its samples."""

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

from morphene_core.audio.onsets import onset_times
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.metrics.mel import cleaned, floor_under, mel_powers
from morphene_core.metrics.mmd import FrameDistribution

_ONSET_RATE = 24_000

_WINDOW, _HOP, _BANDS = 1024, 256, 24
_SEGMENT = 256  # frames, 1.37 s
_EDGES = (2, 4, 8, 16, 32, 64, 129)  # bins: octaves from 1.5 to 94 Hz
_COMPRESSION = 0.15  # of the power: 0.3 of the amplitude
_LEAST_DEPTH = 1e-4  # a hundredth of what steady noise has


class TextureReference:
    """A reference that is a texture, measured once, to compare renders of it with.

    Args:
        audio: shape (samples,), at 48 kHz.
    """

    def __init__(self, audio: Mono) -> None:
        audio = cleaned(audio)
        self._audio = audio
        self._frames = FrameDistribution(audio)
        self._floor = floor_under(mel_powers(audio, _WINDOW, _HOP, _BANDS))
        self._modulations = _modulations(audio, self._floor)
        self._onsets = _onsets(audio)

    def compare(self, render: Mono) -> dict[str, float | None]:
        """Return the metrics of the criterion ``nonmusical_reconstruction`` by name.

        Args:
            render: shape (samples,), at 48 kHz; the longer of both is cropped. Samples that are
                not finite count as zeros.

        Returns:
            None for what cannot be measured, because the reference is silent or one of both is
            too short.
        """
        length = min(len(render), len(self._audio))
        render = cleaned(render[:length])
        if 0 < length < len(self._audio):
            return TextureReference(self._audio[:length]).compare(render)
        return {
            "nonmusical_texture_mmd": self._frames.squared_mmd(render),
            "nonmusical_modulation_distance": self._modulation_distance(render),
            "nonmusical_onset_error": self._onset_error(render),
        }

    def _modulation_distance(self, render: Mono) -> float | None:
        if self._modulations is None:
            return None
        other = _modulations(render, self._floor)
        if other is None:
            return None
        return float(np.abs(10 * np.log10(other / self._modulations)).mean())

    def _onset_error(self, render: Mono) -> float | None:
        if not len(render) or not self._audio.any():
            return None
        return float(abs(np.log2((_onsets(render) + 0.5) / (self._onsets + 0.5))))


def _modulations(audio: Mono, floor: float) -> NDArray[np.float64] | None:
    """Return the modulation power of each mel band in each octave of modulation frequency.

    After J. McDermott, E. Simoncelli: "Sound texture perception via statistics of the auditory
    periphery" (Neuron 71, 2011), whose envelopes are compressed likewise and whose modulation
    bands are relative to a band's mean too.
    """
    powers = mel_powers(audio, _WINDOW, _HOP, _BANDS).astype(np.float64)
    if not floor or len(powers) < _SEGMENT:
        return None
    envelopes = (powers + floor) ** _COMPRESSION
    envelopes = envelopes / envelopes.mean(axis=0) - 1
    view = np.lib.stride_tricks.sliding_window_view(envelopes, _SEGMENT, axis=0)
    segments = view[:: _SEGMENT // 2]  # (segments, bands, frames)
    shape = hann(_SEGMENT, sym=False)
    spectra = np.abs(rfft(segments * (shape / np.sqrt(np.sum(shape**2))))) ** 2
    octaves = np.add.reduceat(spectra.mean(axis=0), _EDGES[:-1], axis=1) / np.diff(_EDGES)
    depths: NDArray[np.float64] = octaves + _LEAST_DEPTH
    return depths


def _onsets(audio: Mono) -> int:
    """Return how many events begin (as many as the sources' coverage would count)."""
    slow = soxr.resample(audio, SAMPLE_RATE, _ONSET_RATE, quality="MQ")
    return len(onset_times(slow, _ONSET_RATE, window=512, bands_per_octave=3))
