"""Where something begins to sound: notes of an instrument, grains and hits of a texture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal.windows import hann

from morphene_core.audio.loudness import level_dbfs

SILENT_DBFS = -80.0
"""What is softer is taken for noise of the room and the converter."""

_HOP_SECONDS = 256 / 24_000
_LAG = 2  # hops between the spectra that are compared
_LOWEST_HZ = 100.0
_FLOOR = 1e-11  # of a band's power, -110 dBFS: under it there is nothing but dither
_NEAR, _AROUND = 3, 9  # hops to either side: 32 ms for the highest, 96 ms for the mean
_MASKED_DB = 50.0
_BATCH = 256


def onset_times(
    audio: NDArray[np.floating[Any]],
    sample_rate: int,
    window: int = 1024,
    bands_per_octave: int = 12,
    rise: float = 2.0,
) -> NDArray[np.float64]:
    """Return the times in seconds at which something begins, shape (onsets,).

    Spectral flux of logarithmic bands after S. Böck, G. Widmer: "Maximum filter vibrato
    suppression for onset detection" (DAFx 2013): each band is compared with the highest of itself
    and its neighbours 21 ms before, so that vibrato is no onset, and what it rose counts. Unlike
    there it counts in decibels, and not below 50 dB under the loudest band, where the end of a
    note makes a click too: twice as loud a recording has the same onsets.

    What begins must reach -80 dBFS in the next 50 ms. A time is right to about the window; onsets
    closer than 32 ms count once. Of slurred notes, which have no attack, some are found by the leap
    of their harmonics.

    Args:
        audio: shape (samples,), full scale 1.0.
        sample_rate: in Hz.
        window: samples of a spectrum; longer for low notes, shorter for dense events.
        bands_per_octave: from 100 Hz on; fewer are steadier in noise.
        rise: by how many dB a band must rise on average, above the mean of the 200 ms around.
    """
    hop = round(_HOP_SECONDS * sample_rate)
    if len(audio) < window + hop * _LAG:
        return np.empty(0)
    levels = _band_levels(audio, sample_rate, window, hop, bands_per_octave)
    loudest = levels.max(axis=1, keepdims=True)
    floor = np.maximum(loudest[_LAG:], loudest[:-_LAG]) - _MASKED_DB
    before = np.maximum(maximum_filter1d(levels[:-_LAG], 3, axis=1), floor)
    flux = np.maximum(levels[_LAG:] - before, 0).mean(axis=1)
    peaks = flux == maximum_filter1d(flux, 2 * _NEAR + 1)
    peaks &= flux > uniform_filter1d(flux, 2 * _AROUND + 1) + rise
    times = ((np.flatnonzero(peaks) + _LAG) * hop + window / 2) / sample_rate
    after = (audio[int(time * sample_rate) :][: sample_rate // 20] for time in times)
    return times[[level_dbfs(part) >= SILENT_DBFS for part in after]]


def _band_levels(
    audio: NDArray[np.floating[Any]], sample_rate: int, window: int, hop: int, per_octave: int
) -> NDArray[np.float32]:
    """Return the levels of logarithmic bands in dBFS, shape (frames, bands)."""
    edges = _band_edges(sample_rate, window, per_octave)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(audio, np.float32), window)[::hop]
    shape = hann(window, sym=False).astype(np.float32) * np.float32(np.sqrt(8 / 3) / window)
    powers = np.empty((len(frames), len(edges)), np.float32)
    for start in range(0, len(frames), _BATCH):
        spectrum = rfft(frames[start : start + _BATCH] * shape)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        powers[start : start + _BATCH] = np.add.reduceat(power, edges, axis=1)
    levels: NDArray[np.float32] = 10 * np.log10(powers + np.float32(_FLOOR))
    return levels


def _band_edges(sample_rate: int, window: int, per_octave: int) -> NDArray[np.int64]:
    """Return the first bin of each band; a band is one bin at least."""
    octaves = np.log2(sample_rate / 2 / _LOWEST_HZ)
    hertz = _LOWEST_HZ * 2 ** (np.arange(round(octaves * per_octave)) / per_octave)
    edges: NDArray[np.int64] = np.unique(np.round(hertz * window / sample_rate).astype(np.int64))
    return edges
