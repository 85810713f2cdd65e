"""Which parts of recordings are kept, and which are silence.

All is decided on K-weighted powers of 10 ms cells, relative to the loudest cell of the recording
session. The weighting matters: the rumble of a room would otherwise count as sound.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from morphene_core.audio.holdout import Span
from morphene_core.audio.loudness import CELLS_PER_SECOND, Powers
from morphene_core.audio.prepared import AudioSettings

# 110 ms. A single cell of noise strays far from the noise's level. The median levels that out, and
# unlike a mean it keeps an onset where it is.
_SMOOTHED_CELLS = 11
_FLOOR_PERCENTILE = 5


class Silence:
    """What is silent in a recording session.

    Where the noise floor lies higher than the wished level, rests would count as sound. The level
    then follows the floor, a low percentile of the smoothed powers, up to a limit: a dense
    recording without rests has its softest notes for a floor.

    Args:
        files: K-weighted powers of the cells of each file of the session.
        settings: how to prepare.

    Attributes:
        power: power under which a cell is silent.
    """

    def __init__(self, files: Sequence[Powers], settings: AudioSettings) -> None:
        loudest = max(float(cells.max(initial=0.0)) for cells in files)
        self.power = self._certain = loudest * 10 ** (settings.silence_db / 10)
        if settings.noise_floor_margin_db is not None:
            smoothed = np.concatenate([_smoothed(cells) for cells in files])
            floor = float(np.percentile(smoothed, _FLOOR_PERCENTILE))
            raised = floor * 10 ** (settings.noise_floor_margin_db / 10)
            # Over the limit a single cell is sound: a click. Under it, noise may stray there.
            self._certain = loudest * 10 ** (settings.highest_silence_db / 10)
            self.power = max(self.power, min(raised, self._certain))

    def sounding(self, cells: Powers) -> NDArray[np.bool_]:
        """Return which cells of a file are no silence, shape (cells,)."""
        return (cells >= self._certain) | (_smoothed(cells) >= self.power)


def kept_spans(sounding: NDArray[np.bool_], settings: AudioSettings) -> tuple[Span, ...]:
    """Return the parts of a file that are kept: without silent ends and with short gaps only.

    A sound keeps a pad before it for its attack and one after it for its decay.

    Args:
        sounding: which cells of the file are no silence.
        settings: how to prepare.

    Returns:
        Start and end in cells, in order and apart from each other; none if all is silent.
    """
    cells = np.flatnonzero(sounding)
    if not len(cells):
        return ()
    before = round(settings.pad_before_seconds * CELLS_PER_SECOND)
    after = round(settings.pad_after_seconds * CELLS_PER_SECOND)
    longest = round(settings.longest_gap_seconds * CELLS_PER_SECOND)
    cut = np.flatnonzero(np.diff(cells) - 1 > max(longest, before + after))
    starts = cells[np.concatenate([[0], cut + 1])] - before
    ends = cells[np.concatenate([cut, [-1]])] + 1 + after
    edges = zip(starts.tolist(), ends.tolist(), strict=True)
    return tuple((max(0, start), min(len(sounding), end)) for start, end in edges)


def _smoothed(cells: Powers) -> Powers:
    smoothed: Powers = median_filter(cells, _SMOOTHED_CELLS)
    return smoothed
