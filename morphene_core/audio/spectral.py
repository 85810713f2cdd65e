"""How far two sounds are apart in their spectra."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

Audio = NDArray[np.floating[Any]]

SCALES = (2048, 1024, 512, 256)

_FLOOR = 1e-4
_LEAST_FLOOR = 1e-30  # of a sound that rounding takes for silence


def spectral_distance(reference: Audio, other: Audio) -> float:
    """Return the multi-resolution STFT distance of a sound from a reference.

    After R. Yamamoto, E. Song, J.-M. Kim: "Parallel WaveGAN" (ICASSP 2020), eq. 4-6: spectral
    convergence plus the mean absolute difference of log magnitudes, averaged over window lengths
    of 2048, 1024, 512 and 256 samples (Hann, hop of a quarter). Both lie at 80 dB below the
    reference's largest magnitude at least, lest digital silence dominate the logarithms.

    Args:
        reference: shape (samples,), at 48 kHz.
        other: shape (samples,), at 48 kHz; the longer of both is cropped.

    Returns:
        A number without unit (the log part in nepers), 0 for the same magnitudes and without an
        upper bound: silence scores 1 plus the reference's mean level above the floor. It is not
        symmetric. A reference that is silent throughout is at 0 from silence and at inf from all
        else.

    Raises:
        ValueError: one of the sounds has no samples.
    """
    return SpectralReference(reference).distance(other)


class SpectralReference:
    """A reference whose spectra are computed once, for the distances of many sounds from it.

    Args:
        audio: shape (samples,), at 48 kHz. Its spectra take 64 bytes a sample.
    """

    def __init__(self, audio: Audio) -> None:
        self._audio = np.asarray(audio, np.float32)
        scales = [_Scale(self._audio, n) for n in SCALES] if len(self._audio) else []
        self._scales = scales if all(scale.sounds for scale in scales) else []

    @property
    def silent(self) -> bool:
        """Whether there is nothing in its spectra."""
        return not self._scales

    def distance(self, other: Audio) -> float:
        """Return the distance of another sound, as `spectral_distance` does."""
        length = min(len(self._audio), len(other))
        if not length:
            raise ValueError("a spectral distance needs two sounds that have samples")
        if length < len(self._audio):
            return SpectralReference(self._audio[:length]).distance(other)
        cropped = np.asarray(other[:length], np.float32)
        if self.silent:
            return np.inf if cropped.any() else 0.0
        return float(np.mean([scale.distance(cropped) for scale in self._scales]))


class _Scale:
    """A reference's spectra of one window length."""

    def __init__(self, audio: NDArray[np.float32], n: int) -> None:
        self._n = n
        self._magnitudes = _magnitudes(audio, n)
        self._norm = np.linalg.norm(self._magnitudes)
        self.sounds = bool(self._norm)
        self._floor = max(_FLOOR * float(self._magnitudes.max()), _LEAST_FLOOR)
        self._logs = np.log(np.maximum(self._magnitudes, self._floor))

    def distance(self, audio: NDArray[np.float32]) -> float:
        other = _magnitudes(audio, self._n)
        convergence = np.linalg.norm(self._magnitudes - other) / self._norm
        ratio = self._logs - np.log(np.maximum(other, self._floor))
        return float(convergence + np.abs(ratio).mean(dtype=np.float64))


def _magnitudes(audio: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return STFT magnitudes, shape (frames, n // 2 + 1); the end is padded to a whole hop."""
    hop = n // 4
    missing = n - len(audio) if len(audio) < n else -(len(audio) - n) % hop
    padded = np.pad(audio, (0, missing))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[::hop]
    magnitudes: NDArray[np.float32] = np.abs(rfft(frames * hann(n, sym=False).astype(np.float32)))
    return magnitudes
