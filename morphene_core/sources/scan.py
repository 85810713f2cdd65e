"""Measurements of one recording, collected while it is decoded from end to end."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.clipping import ClippingCounter
from morphene_core.audio.coverage import Counter
from morphene_core.audio.longterm import LongTermSpectrum
from morphene_core.audio.stream import Block
from morphene_core.sources.sketch import Course

SAMPLE_LIMIT = 2.0**31
"""No sample format has larger numbers, not even where somebody left the scaling out."""


Coverage = Callable[[int], Counter]
"""Makes a counter of the mono mix for a sample rate in Hz."""


class Scan:
    """What was measured so far.

    Attributes:
        frames: samples per channel.
        highest: maximum of each channel.
        lowest: minimum of each channel.
        energy: sum of the squares of each channel.
        mono_energy: sum of the squares of the mono mix.
        mono_sum: sum of the mono mix.
        block_means: mean of the mono mix over each block.
        not_finite: number of samples that are not finite, and frame of the first.
        absurd: number of samples beyond `SAMPLE_LIMIT`, and frame of the first.
        clipping: counter of clipped places.
        spectrum: long-term spectrum of the mono mix.
        course: course of its level.
        consumer: somebody else's.
    """

    def __init__(self, sample_rate: int, channels: int, coverage: Coverage | None) -> None:
        self.frames = 0
        self.highest = np.full(channels, -np.inf, np.float32)
        self.lowest = np.full(channels, np.inf, np.float32)
        self.energy = np.zeros(channels)
        self.mono_energy = 0.0
        self.mono_sum = 0.0
        self.block_means: list[float] = []
        self.not_finite = (0, 0)
        self.absurd = (0, 0)
        self.clipping = ClippingCounter(channels)
        self.spectrum = LongTermSpectrum(sample_rate)
        self.course = Course(sample_rate)
        self.consumer = coverage(sample_rate) if coverage else None

    @property
    def peak(self) -> float:
        """The largest sample of any channel, full scale 1.0."""
        return float(max(self.highest.max(), -self.lowest.min())) if self.frames else 0.0

    def feed(self, block: Block) -> None:
        """Measure the next block; samples that are no numbers count as silence."""
        samples = np.ascontiguousarray(block.T)
        highest, lowest = samples.max(axis=1), samples.min(axis=1)
        extremes = np.concatenate([highest, lowest])
        if not np.all(np.abs(extremes) <= SAMPLE_LIMIT):  # which "not a number" is not either
            self._remove_impossible(samples)
            highest, lowest = samples.max(axis=1), samples.min(axis=1)
        self.clipping.feed(samples, highest, lowest)
        self.highest = np.maximum(self.highest, highest)
        self.lowest = np.minimum(self.lowest, lowest)
        self.energy += [np.dot(channel, channel) for channel in samples]
        self._feed_mono(samples.mean(axis=0) if len(samples) > 1 else samples[0])
        self.frames += samples.shape[1]

    def _feed_mono(self, mono: NDArray[np.float32]) -> None:
        total = float(mono.sum(dtype=np.float64))
        self.mono_energy += float(np.dot(mono, mono))
        self.mono_sum += total
        self.block_means.append(total / len(mono))
        self.spectrum.feed(mono)
        self.course.feed(mono)
        if self.consumer:
            self.consumer.feed(mono)

    def _remove_impossible(self, samples: NDArray[np.float32]) -> None:
        broken = ~np.isfinite(samples)
        self.not_finite = self._counted(self.not_finite, broken)
        samples[broken] = 0.0
        absurd = np.abs(samples) > SAMPLE_LIMIT
        self.absurd = self._counted(self.absurd, absurd)
        samples[absurd] = 0.0

    def _counted(self, before: tuple[int, int], mask: NDArray[np.bool_]) -> tuple[int, int]:
        count, first = before
        if not count and mask.any():
            first = self.frames + int(mask.any(axis=0).argmax())
        return count + int(mask.sum()), first
