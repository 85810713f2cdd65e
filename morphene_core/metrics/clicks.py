"""Clicks where a model's blocks meet."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import maximum_filter1d
from scipy.signal.windows import hann
from scipy.special import betainc

from morphene_core.audio.wav import SAMPLE_RATE, Mono

_GRIDS = (512, 1024, 2048)  # samples; a denser grid is no clicks but a tone
_FRAME = 1500  # samples of a linear prediction; no grid's, or its own joints would be found
_ORDER = 24
_APART = 256  # samples to either side in which a click is the only one ...
_WIDE = 16  # ... apart from its own surroundings
_STANDS_OUT = 4.0  # times as high as all else around
_CHANCE = 1e-4  # that clicks at random places keep to a grid as well as these
_FEWEST = 4
_NOISE = 1e-5  # amplitude, -100 dBFS


def clicks_per_second(audio: Mono, ratio: int) -> float:
    """Return how many clicks a second keep to the grid of a model's blocks.

    A click is a peak of what linear prediction leaves that stands out fourfold of all within 5 ms.
    It counts if it lies, give or take a sample, on a grid of ``ratio``, 2048, 1024 or 512 samples,
    begun anywhere, that holds so many as random places would once in 10,000 times; less those that
    chance puts there. So crackles, and the attacks of notes, are no clicks. Of the grids, the one
    that holds most counts.

    Args:
        audio: shape (samples,), 48 kHz, finite.
        ratio: samples per latent frame of the model.
    """
    places = _isolated(_residual(audio))
    grids = sorted({ratio, *_GRIDS})
    found = max((_aligned(places, grid, len(grids)) for grid in grids), default=0.0)
    return found * SAMPLE_RATE / max(len(audio), 1)


def _residual(audio: Mono) -> NDArray[np.float32]:
    """Return what linear prediction cannot foresee, as magnitudes, shape (samples,).

    Predicted in frames, by the autocorrelation method; after S. Godsill, P. Rayner: "Digital Audio
    Restoration" (1998), chapter 5. What is under -100 dBFS counts as that.
    """
    missing = -len(audio) % _FRAME
    padded = np.pad(audio, (_ORDER, missing))
    frames = padded[_ORDER:].reshape(-1, _FRAME)
    if not len(frames):
        return np.empty(0, np.float32)
    power = np.square(np.abs(rfft(frames * hann(_FRAME).astype(np.float32), 2 * _FRAME)))
    correlation = irfft(power)[:, : _ORDER + 1].astype(np.float64)
    lags = np.abs(np.arange(_ORDER)[:, None] - np.arange(_ORDER))
    matrices = correlation[:, lags]
    # White noise 60 dB under the signal, and at -100 dBFS, keeps silence and pure tones solvable.
    loading = 1e-6 * correlation[:, :1] + _FRAME * _NOISE**2
    matrices += loading[:, :, None] * np.eye(_ORDER)
    weights = np.linalg.solve(matrices, correlation[:, 1:, None])[:, ::-1, 0].astype(np.float32)
    history = np.lib.stride_tricks.sliding_window_view(padded[:-1], _ORDER)
    predicted = np.einsum("fno,fo->fn", history.reshape(len(frames), _FRAME, _ORDER), weights)
    residual: NDArray[np.float32] = np.maximum(np.abs(frames - predicted), np.float32(_NOISE))
    return residual.reshape(-1)[: len(audio)]


def _isolated(residual: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return where the residual stands out of all around it."""
    if len(residual) < 2 * _APART:
        return np.empty(0, np.int64)
    side = _APART - _WIDE  # the maximum over either side, without the middle
    around = maximum_filter1d(residual, side)
    shift = _WIDE + side // 2
    before = np.concatenate([np.zeros(shift, np.float32), around[:-shift]])
    after = np.concatenate([around[shift:], np.zeros(shift, np.float32)])
    peaks = residual == maximum_filter1d(residual, 2 * _WIDE + 1)
    places: NDArray[np.int64] = np.flatnonzero(
        peaks & (residual > _STANDS_OUT * np.maximum(before, after))
    )
    return places


def _aligned(places: NDArray[np.int64], grid: int, grids: int) -> float:
    """Return how many places lie on a grid beyond chance; 0 if chance would do the same."""
    if len(places) < _FEWEST:
        return 0.0
    counts = np.bincount(places % grid, minlength=grid)
    near = counts + np.roll(counts, 1) + np.roll(counts, -1)
    most, share = int(near.max()), 3 / grid
    chance = betainc(most, len(places) - most + 1, share) * grid * grids  # binomial, or more
    return most - len(places) * share if most >= _FEWEST and chance < _CHANCE else 0.0
