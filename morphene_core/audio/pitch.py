"""The fundamental frequency of single notes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

LOWEST_HZ = 26.7
"""A quarter tone below A0, the lowest note of the piano."""
HIGHEST_HZ = 4400.0
"""A quarter tone above C8, the highest note of the piano and about that of the piccolo."""

PERIODIC = 0.2
"""Up to this aperiodicity a frame counts as voiced. Of noise alone, 1 is typical."""

_OCTAVE_COST = 0.035
_BATCH = 64  # frames whose arrays fit the cache


def yin(
    frames: NDArray[np.floating[Any]], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the fundamental frequency and the aperiodicity of each frame.

    YIN after A. de Cheveigné, H. Kawahara: "YIN, a fundamental frequency estimator for speech and
    music" (JASA 111, 2002), steps 1-5: the cumulative mean normalised difference function, and of
    its dips, interpolated by parabolas, an early one.

    Which dip differs from the paper: it takes the first below a fixed threshold, and the deepest
    where none is. In noise no dip passes the threshold, and any multiple of the period may be the
    deepest. Here an octave downwards must deepen the dip by 0.035, the idea of the octave cost in
    P. Boersma: "Accurate short-term analysis of the fundamental frequency" (IFA 17, 1993). A tone
    whose odd harmonics hold less than about 2 % of its power is thus taken for the octave above.

    It supposes one note at a time: of a chord it gives a common subharmonic of its notes or
    nothing periodic.

    Args:
        frames: shape (frames, samples). Its length must be two longest periods at least; all that
            exceeds one of them is integrated over.
        sample_rate: in Hz. 12 kHz are enough, as the difference is computed for half samples too;
            a note must then have its fundamental or two harmonics below 6 kHz.

    Returns:
        Frequencies in Hz from LOWEST_HZ to HIGHEST_HZ, shape (frames,), always some number; and
        aperiodicities, shape (frames,): the part of the power that does not repeat, 0 for a
        periodic sound and about 1 for noise. Silence has 1.

    Raises:
        ValueError: the frames are too short.
    """
    lags = int(np.ceil(sample_rate / LOWEST_HZ)) + 1
    if frames.shape[1] < 2 * lags:
        raise ValueError(f"frames of {frames.shape[1]} samples hold no two periods of {LOWEST_HZ}")
    f0, aperiodicity = np.empty(len(frames)), np.empty(len(frames))
    for start in range(0, len(frames), _BATCH):
        part = slice(start, start + _BATCH)
        difference = _normalised_difference(np.asarray(frames[part], np.float32), lags)
        lag, aperiodicity[part] = _dip(difference, int(2 * sample_rate / HIGHEST_HZ))
        f0[part] = np.clip(2 * sample_rate / lag, LOWEST_HZ, HIGHEST_HZ)
    return f0, aperiodicity


def _normalised_difference(frames: NDArray[np.float32], lags: int) -> NDArray[np.float32]:
    """Return d' of eq. 8 for each half of a sample up to ``lags``, shape (frames, 2 * lags + 1)."""
    window = frames.shape[1] - lags
    size = next_fast_len(frames.shape[1], real=True)
    products = np.conj(rfft(frames[:, :window], size)) * rfft(frames, size)
    correlation = irfft(products, 2 * size)[:, : 2 * lags + 1]  # zeros above: interpolated by 2
    powers = np.cumsum(np.square(frames, dtype=np.float64), axis=1)
    energies = np.empty(correlation.shape)
    energies[:, 0] = powers[:, window - 1]
    energies[:, 2::2] = powers[:, window:] - powers[:, :lags]
    energies[:, 1::2] = (energies[:, :-2:2] + energies[:, 2::2]) / 2
    difference = (energies[:, :1] + energies - 4 * correlation).astype(np.float32)
    # What rounding leaves of a perfect period, and of silence.
    floor = 1e-6 * energies[:, :1].astype(np.float32) + np.float32(1e-20)
    np.maximum(difference[:, 1:], floor, out=difference[:, 1:])
    normalised: NDArray[np.float32] = np.ones_like(difference)
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, 2 * lags + 1, dtype=np.float32)
    np.divide(difference[:, 1:], mean, out=normalised[:, 1:])
    return normalised


def _dip(
    difference: NDArray[np.float32], shortest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lag and depth of the chosen dip of each row, at lags from ``shortest`` on.

    Both are 1 where there is none, as in silence.
    """
    middle = difference[:, 1:-1]
    dips = (middle < difference[:, :-2]) & (middle <= difference[:, 2:])
    dips[:, : shortest - 1] = False
    row, column = np.nonzero(dips)
    left, at, right = (difference[row, column + i].astype(np.float64) for i in range(3))
    shift = 0.5 * (left - right) / (left - 2 * at + right)
    depth = at - 0.25 * (left - right) * shift
    lag = column + 1 + shift
    cost = depth + _OCTAVE_COST * np.log2(lag)
    order = np.lexsort((cost, row))
    found, first = np.unique(row[order], return_index=True)
    chosen = order[first]
    period, aperiodicity = np.ones((2, len(difference)))
    period[found] = lag[chosen]
    aperiodicity[found] = np.clip(depth[chosen], 0, 1)
    return period, aperiodicity
