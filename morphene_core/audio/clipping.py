"""Clipped samples, counted while a file is read."""

import numpy as np
from numpy.typing import NDArray

_RUN = 3  # a plateau: so many samples in a row at the extreme
_QUANTUM = 2.0**-15  # the step of 16-bit audio; a finer one counts as this, for dither's sake
_COARSE = 2.0**-11  # steps from here on are those of 8 to 12 bits, not just a simple signal's
_FLAT = 3  # quanta: what dither after clipping makes of a plateau
# Into a plateau of 3 samples within 3 quanta, a smooth peak (a parabola) makes a step of 4 times
# that and the rounding, 13 quanta, at most. Clipping cuts a slope: the step is a part of it, at
# 100 Hz and twice full scale up to 700 quanta.
_STEP = 64


class ClippingCounter:
    """Counts the places where a channel stays at its maximum or minimum.

    Whatever the level: material may have been attenuated after it was clipped. The extremes are
    not known before the end, so counting starts anew when a larger one comes.
    """

    def __init__(self, channels: int) -> None:
        self._extremes = np.zeros((channels, 2))
        self._counts = np.zeros((channels, 2), np.int64)

    @property
    def count(self) -> int:
        """Places so far, in all channels."""
        return int(self._counts.sum())

    def feed(
        self,
        block: NDArray[np.float32],
        highest: NDArray[np.float32],
        lowest: NDArray[np.float32],
    ) -> None:
        """Take the next block.

        Args:
            block: shape (channels, frames), full scale 1.0.
            highest: maximum of each channel.
            lowest: minimum of each channel.
        """
        for channel, samples in enumerate(block):
            self._feed(channel, 0, samples, float(highest[channel]))
            self._feed(channel, 1, -samples, -float(lowest[channel]))

    def _feed(self, channel: int, side: int, samples: NDArray[np.float32], highest: float) -> None:
        extreme = self._extremes[channel, side]
        if highest <= 0 or highest < extreme - _FLAT * _QUANTUM:
            return
        places, quantum = _plateaus(samples, max(extreme, highest))
        if highest > extreme + _FLAT * quantum:
            self._counts[channel, side] = 0
        self._counts[channel, side] += places
        self._extremes[channel, side] = max(extreme, highest)


def _plateaus(samples: NDArray[np.float32], extreme: float) -> tuple[int, float]:
    """Return the number of plateaus with a step into them, and the quantum they were judged by."""
    quantum = _QUANTUM
    starts, ends = _runs(samples >= extreme - _FLAT * quantum)
    if not len(starts):
        return 0, quantum
    gap = float(np.diff(np.unique(samples[samples > extreme / 2])).min(initial=1.0))
    if gap >= _COARSE:
        quantum = gap
        starts, ends = _runs(samples >= extreme - _FLAT * quantum)
    before = extreme - samples[np.maximum(starts - 1, 0)]
    after = extreme - samples[np.minimum(ends, len(samples) - 1)]
    return int(np.sum(np.maximum(before, after) >= _STEP * quantum)), quantum


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where runs of `_RUN` or more true values begin and where they have ended."""
    inside = np.flatnonzero(mask)
    if len(inside) < _RUN:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    breaks = np.flatnonzero(np.diff(inside) > 1)
    starts = inside[np.concatenate([[0], breaks + 1])]
    ends = inside[np.concatenate([breaks, [len(inside) - 1]])] + 1
    long = ends - starts >= _RUN
    return starts[long], ends[long]
