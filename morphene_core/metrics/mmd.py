"""Whether two sounds are made of the same moments, whenever these come."""

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.wav import Mono
from morphene_core.metrics.mel import Levels, decibels, floor_under, mel_powers

_Features = NDArray[np.float32]

_APART = 12  # frames, 128 ms: nearer ones share samples, or are one note or grain
_MOST_FRAMES = 1200  # beyond, every second, third ... frame
_LEAST_MEDIAN = 1.0  # square dB per band; a tone that does not move has no distances of its own
_NEIGHBOURS = 2
_FEWEST_FRAMES = 2 * (_APART + _NEIGHBOURS) + 1
_WEIGHTS = (1.0, 2.0)  # of levels and accelerations, see docs/metrics.md
_SILENT = 1e-8  # mean power (-80 dBFS)


class FrameDistribution:
    """The distribution of a reference's frames, to compare those of other sounds with.

    Two kinds of features are taken of a frame: its 48 log-mel levels, and their acceleration (the
    level less the mean of the two frames before and after; S. Furui's second-order dynamic
    features, IEEE ASSP 34, 1986). A blurred sound has nearly the levels but not the flutter of a
    sharp one.

    Args:
        audio: shape (samples,), at 48 kHz, finite.
    """

    def __init__(self, audio: Mono) -> None:
        self._powers = mel_powers(audio)
        self._floor = floor_under(self._powers)
        self._kernels: list[_Kernel] = []
        if self._floor > 0 and len(self._powers) >= _FEWEST_FRAMES:
            features = _features(decibels(self._powers, self._floor))
            self._kernels = [_Kernel(part) for part in features]

    def squared_mmd(self, audio: Mono) -> float | None:
        """Return the unbiased squared maximum mean discrepancy of another sound's frames.

        After A. Gretton et al.: "A Kernel Two-Sample Test" (JMLR 13, 2012), eq. 4: a mean over
        pairs of frames, of both sounds at the same places, so that the reference itself is at 0.
        Pairs within 128 ms are left out: that mean supposes independent frames. The kernel is the
        sum of one for the levels and, twice, one for the accelerations. Each of them is the mean
        of three Gaussians, whose squared widths are 1/4, 1 and 4 times the median squared distance
        in the reference.

        The other sound is brought to the reference's RMS level first; one under -80 dBFS is not.

        Args:
            audio: shape (samples,), at 48 kHz, finite; the longer of both is cropped.

        Returns:
            From about 0 to 6, or a little less than 0 by chance. None if the reference is silent
            or one of both is shorter than 0.3 s.
        """
        powers = mel_powers(audio)
        frames = min(len(powers), len(self._powers))
        if not self._kernels or frames < _FEWEST_FRAMES:
            return None
        own, other = (p[:frames].sum(dtype=np.float64) for p in (self._powers, powers))
        gain = own / other if other > _SILENT * frames else 1.0
        features = _features(decibels(powers * np.float32(gain), self._floor))
        parts = [k.squared_mmd(f) for k, f in zip(self._kernels, features, strict=True)]
        return float(np.dot(_WEIGHTS, parts))


def _features(levels: Levels) -> list[_Features]:
    n = _NEIGHBOURS
    around = [levels[n + i : len(levels) - n + i] for i in range(-n, n + 1) if i]
    return [levels, levels[n:-n] - np.mean(around, axis=0)]


class _Kernel:
    """One kernel, its width fixed by the reference's features, shape (frames, dimensions)."""

    def __init__(self, features: _Features) -> None:
        self._every = -(-len(features) // _MOST_FRAMES)
        self._centre = features.mean(axis=0)  # near 0, squares of single precision lose nothing
        self._own = self._picked(features)
        apart = np.tril(np.ones((len(self._own), len(self._own)), bool), -self._apart)
        median = float(np.median(_distances(self._own, self._own)[apart]))
        self._width = max(median, _LEAST_MEDIAN * features.shape[1])
        self._own_mean = self._mean(self._own, self._own)

    @property
    def _apart(self) -> int:
        return -(-_APART // self._every)

    def squared_mmd(self, features: _Features) -> float:
        other = self._picked(features)
        own = self._own[: len(other)]
        other = other[: len(own)]
        whole = len(own) == len(self._own)
        own_mean = self._own_mean if whole else self._mean(own, own)
        return own_mean + self._mean(other, other) - 2 * self._mean(own, other)

    def _picked(self, features: _Features) -> _Features:
        picked: _Features = features[:: self._every] - self._centre
        return picked

    def _mean(self, a: _Features, b: _Features) -> float:
        """Return the kernel's mean over all pairs that lie apart in time."""
        wide = np.exp(_distances(a, b) / np.float32(-8 * self._width))
        middle = np.square(np.square(wide))
        kernel = wide + middle + np.square(np.square(middle))
        offsets = range(1 - self._apart, self._apart)
        near = sum(float(np.trace(kernel, offset, dtype=np.float64)) for offset in offsets)
        pairs = (len(a) - self._apart) * (len(a) - self._apart + 1)
        return (float(kernel.sum(dtype=np.float64)) - near) / pairs / 3


def _distances(a: _Features, b: _Features) -> NDArray[np.float32]:
    """Return squared distances of each row of one from each row of the other."""
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    distances: NDArray[np.float32] = np.maximum(squares - 2 * (a @ b.T), 0)
    return distances
