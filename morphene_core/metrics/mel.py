"""What the metrics hear: cleaned audio, and its levels in mel bands from moment to moment."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

from morphene_core.audio.wav import SAMPLE_RATE, Mono

Levels = NDArray[np.float32]
"""Shape (frames, bands)."""

WINDOW, HOP, BANDS = 2048, 512, 48
"""Of most metrics: 43 ms every 11 ms."""

FRAMES_PER_SECOND = SAMPLE_RATE / HOP

DEPTH_DB = 60.0
"""What lies farther under a reference's loudest band is as good as silent: mostly masked."""

_LOWEST_HZ, _HIGHEST_HZ = 50.0, 20_000.0
_LIMIT = 100.0  # full scale is 1.0; more is damage, and its square may overflow
_BATCH = 256  # frames whose spectra fit the cache


def cleaned(audio: NDArray[np.floating[Any]]) -> Mono:
    """Return audio with zeros for what is not finite, and within bounds that can be squared."""
    finite = np.nan_to_num(np.asarray(audio, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(finite, -_LIMIT, _LIMIT)


def mel_powers(audio: Mono, window: int = WINDOW, hop: int = HOP, bands: int = BANDS) -> Levels:
    """Return the power of each mel band (O'Shaughnessy's scale, triangles) in each frame.

    Args:
        audio: shape (samples,), at 48 kHz, finite; of any length.
        window: samples of a frame (Hann), centred on multiples of the hop.
        hop: samples from frame to frame.
        bands: from 50 Hz to 20 kHz.

    Returns:
        Shape (frames, bands). A sine of full scale has 0.5 in its band.
    """
    padded = np.pad(audio, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    shape = hann(window, sym=False)
    shape = (shape * np.sqrt(2) / shape.sum()).astype(np.float32)
    triangles = _triangles(window, bands)
    powers = np.empty((len(frames), bands), np.float32)
    for start in range(0, len(frames), _BATCH):
        spectrum = rfft(frames[start : start + _BATCH] * shape)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        powers[start : start + _BATCH] = power @ triangles
    return powers


def floor_under(powers: Levels) -> float:
    """Return the power that lies `DEPTH_DB` under the loudest band; 0 for silence."""
    return float(powers.max()) * 10 ** (-DEPTH_DB / 10)


def decibels(powers: Levels, floor: float) -> Levels:
    """Return levels in dB, no lower than a floor, which must be above 0."""
    levels: Levels = 10 * np.log10(np.maximum(powers, np.float32(floor)))
    return levels


@lru_cache
def _triangles(window: int, bands: int) -> NDArray[np.float32]:
    """Return the weights of each bin in each band, shape (bins, bands)."""
    low_mel, high_mel = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(low_mel, high_mel, bands + 2) / 2595) - 1)
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    hertz = np.arange(window // 2 + 1)[:, None] * SAMPLE_RATE / window
    weights = np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle))
    triangles: NDArray[np.float32] = np.maximum(weights, 0).astype(np.float32)
    return triangles
