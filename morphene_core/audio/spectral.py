"""How far two sounds are apart in their spectra."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

Audio = NDArray[np.floating[Any]]

SCALES = (2048, 1024, 512, 256)

_FLOOR = 1e-4


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
    length = min(len(reference), len(other))
    if not length:
        raise ValueError("a spectral distance needs two sounds that have samples")
    a, b = (np.asarray(sound[:length], np.float32) for sound in (reference, other))
    if not a.any():
        return np.inf if b.any() else 0.0
    return float(np.mean([_distance(_magnitudes(a, n), _magnitudes(b, n)) for n in SCALES]))


def _distance(reference: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    convergence = np.linalg.norm(reference - other) / np.linalg.norm(reference)
    floor = _FLOOR * reference.max()
    ratio = np.log(np.maximum(reference, floor)) - np.log(np.maximum(other, floor))
    return float(convergence + np.abs(ratio).mean(dtype=np.float64))


def _magnitudes(audio: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return STFT magnitudes, shape (frames, n // 2 + 1); the end is padded to a whole hop."""
    hop = n // 4
    missing = n - len(audio) if len(audio) < n else -(len(audio) - n) % hop
    padded = np.pad(audio, (0, missing))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[::hop]
    magnitudes: NDArray[np.float32] = np.abs(rfft(frames * hann(n, sym=False).astype(np.float32)))
    return magnitudes
