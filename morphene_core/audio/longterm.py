"""The long-term spectrum of audio, and where its band ends."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import blackmanharris

_WINDOW_SECONDS = 0.085  # 4096 samples at 44.1 and 48 kHz
_STEP_HZ = 100.0
_LOWEST_EDGE = 3_000.0  # below, the partials and resonances of instruments make edges
_HIGHEST_EDGE = 17_500.0  # above, little is missing; converters and good codecs cut at 20 kHz
_BELOW = (1_000.0, 100.0)  # what counts as just below an edge, Hz under it
_ABOVE = (500.0, 1_500.0)  # and just above: a steep filter has done its work by then
_RARE = 0.1  # share of the bins that may be different: partials above, gaps below
_PLATEAU_DB = 6.0  # a steep edge has its drop in several cells around it
_NYQUIST_MARGIN = 0.96  # share of the band: converters cut the rest of it
# Measured: sampled and recorded instruments, fire, water and steps have 9 dB at most; copies with a
# codec's or a resampler's edge 18 to 80 dB. An edge in a quiet recording's noise may have only 12.
_CLIFF_DB = 15.0


class LongTermSpectrum:
    """The mean power spectrum of mono audio that comes in blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._size = 1 << max(4, round(np.log2(sample_rate * _WINDOW_SECONDS)))
        self._window = blackmanharris(self._size, sym=False).astype(np.float32)
        self._rest = np.empty(0, np.float32)
        self._sum = np.zeros(self._size // 2 + 1)
        self._frames = 0
        self.hz_per_bin = sample_rate / self._size

    def feed(self, mono: NDArray[np.float32]) -> None:
        """Take the next block, shape (samples,)."""
        audio = np.concatenate([self._rest, mono])
        hop = self._size // 2
        count = max(0, (len(audio) - self._size) // hop + 1)
        self._rest = audio[count * hop :]
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(audio, self._size)[::hop][:count]
            self._add(frames)

    def power(self) -> NDArray[np.float64]:
        """Return the mean power of each bin, shape (bins,); audio under 85 ms is padded."""
        if not self._frames:
            self._add(np.pad(self._rest, (0, self._size - len(self._rest)))[None])
        return self._sum / self._frames

    def _add(self, frames: NDArray[np.float32]) -> None:
        spectra = rfft(frames * self._window, axis=1)
        self._sum += np.sum(spectra.real**2 + spectra.imag**2, axis=0)
        self._frames += len(frames)


def band_edge(power: NDArray[np.float64], hz_per_bin: float) -> tuple[float, float] | None:
    """Find a cliff far below 20 kHz: a lossy codec's or a resampler's filter.

    Just below it must be sound everywhere, and hardly any above: single partials end anywhere.

    Args:
        power: a long-term spectrum up to half the sample rate.
        hz_per_bin: distance of its bins.

    Returns:
        Where it is in Hz and how deep in dB; None where the spectrum rolls off naturally.
    """
    levels = 10 * np.log10(power[: int(len(power) * _NYQUIST_MARGIN)] + 1e-30)
    edges = np.arange(_LOWEST_EDGE, _HIGHEST_EDGE, _STEP_HZ)
    drops = np.array([_drop(levels, edge, hz_per_bin) for edge in edges])
    depth = float(drops.max())
    if depth < _CLIFF_DB:
        return None
    return float(edges[drops >= depth - _PLATEAU_DB].mean()), depth


def _drop(levels: NDArray[np.float64], edge: float, hz_per_bin: float) -> float:
    """Return by how many dB the levels drop at a frequency; what is above must stay low."""

    def bin_at(hz: float) -> int:
        return round(hz / hz_per_bin)

    below = levels[bin_at(edge - _BELOW[0]) : bin_at(edge - _BELOW[1])]
    rest = levels[bin_at(edge + _ABOVE[0]) :]
    above = rest[: bin_at(_ABOVE[1] - _ABOVE[0])]
    highest = max(np.quantile(above, 1 - _RARE), np.quantile(rest, 1 - _RARE))
    return float(np.quantile(below, _RARE) - highest)
