"""Audio of any rate and in any blocks, cut into segments that can be analysed one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

ANALYSIS_RATE = 24_000
"""In Hz. What lies above 12 kHz tells neither notes nor brightness and density apart."""

SEGMENT_SECONDS = 20
MARGIN_SECONDS = 1
"""What comes before and after a segment, and is given along with it."""

_BLOCK_SECONDS = 2
_LIMIT = 100.0  # full scale is 1.0; more is damage, and its square may overflow

_CORE = SEGMENT_SECONDS * ANALYSIS_RATE
_MARGIN = MARGIN_SECONDS * ANALYSIS_RATE

Segment = tuple[NDArray[np.float32], float]
"""Audio at ANALYSIS_RATE, shape (samples,), and how many seconds follow its margin.

After these comes a margin, or silence up to the next whole second and a margin of it.
"""


class Segments:
    """Gives segments of audio that is fed in blocks.

    Segments follow one another without gap; the first begins and the last ends with a margin of
    silence. They do not depend on the blocks, to the last bit: what is fed goes on in blocks of one
    size. Samples that are not finite become zeros. Some 3 MB are held at 48 kHz.

    Args:
        sample_rate: of what is fed, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = soxr.ResampleStream(sample_rate, ANALYSIS_RATE, 1, quality="MQ")
        self._block = np.empty(_BLOCK_SECONDS * sample_rate, np.float32)
        self._filled = 0
        self._audio = np.zeros(_MARGIN, np.float32)

    def feed(self, mono: NDArray[np.floating[Any]]) -> Iterator[Segment]:
        """Take samples, shape (samples,), and give the segments that are complete."""
        while len(mono):
            part = mono[: len(self._block) - self._filled]
            self._block[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            mono = mono[len(part) :]
            if self._filled == len(self._block):
                yield from self._pass_on(last=False)

    def finish(self) -> Iterator[Segment]:
        """Give what is left, with silence after it. Call it once, after all is fed."""
        yield from self._pass_on(last=True)
        left = len(self._audio) - _MARGIN
        if left > 0:
            silence = np.zeros(_MARGIN + -left % ANALYSIS_RATE, np.float32)
            yield np.concatenate([self._audio, silence]), left / ANALYSIS_RATE

    def _pass_on(self, last: bool) -> Iterator[Segment]:
        clean = np.clip(np.nan_to_num(self._block[: self._filled]), -_LIMIT, _LIMIT)
        self._filled = 0
        resampled = self._resampler.resample_chunk(clean, last=last)
        self._audio = np.concatenate([self._audio, resampled])
        while len(self._audio) >= _CORE + 2 * _MARGIN:
            yield self._audio[: _CORE + 2 * _MARGIN], float(SEGMENT_SECONDS)
            self._audio = self._audio[_CORE:]
