"""Faults that need no reference to be found."""

import numpy as np
from scipy.fft import rfft
from scipy.signal.windows import hann

from morphene_core.audio.onsets import SILENT_DBFS
from morphene_core.audio.wav import Mono
from morphene_core.metrics.clicks import clicks_per_second
from morphene_core.metrics.mel import cleaned

_CELL = 480  # samples, 10 ms: what is silent is counted in these

_PLATEAU = 3  # equal samples in a row at the peak

_PER_LINE = 16  # bins from line to line
_LINES = 16  # in a row must stand out ...
_SHARE = 0.4  # ... more than this share of them
_LEAST_SEGMENTS = 4
_INAUDIBLE = 1e-10  # power of a line, -100 dBFS


def artifacts(audio: Mono, ratio: int) -> dict[str, float]:
    """Return the faults of a render, by the names in `ARTIFACTS`.

    Clicks: see `clicks_per_second`. The buzz is one of lines at multiples of the frame rate, of
    which 10 of 16 in a row must stand out: the harmonics of a note fall on few of them. It takes
    40 latent frames of sound to be told (1.7 s at a ratio of 2048), else it is 0.

    Args:
        audio: shape (samples,), 48 kHz, full scale 1.0. Samples that are not finite are counted,
            and are zeros for all else.
        ratio: samples per latent frame of the model.
    """
    sound = cleaned(audio)
    return {
        "clicks": clicks_per_second(sound, ratio),
        "non_finite": float(np.size(audio) - np.count_nonzero(np.isfinite(audio))),
        "dc_offset": float(abs(sound.mean(dtype=np.float64))) if len(sound) else 0.0,
        "clipped": _clipped(sound),
        "silent": _silent(sound),
        "frame_buzz": _frame_buzz(sound, ratio),
    }


def _clipped(audio: Mono) -> float:
    """Return the share of samples beyond full scale, or at least three in a row equal at a peak.

    The peak is the positive or the negative one, whatever the level: it may have been lowered.
    """
    if not audio.any():
        return 0.0
    beyond = np.abs(audio) > 1
    same = np.concatenate([[False], audio[1:] == audio[:-1], [False]])
    changes = np.flatnonzero(~same)  # a run of equal samples lies from one to the next
    lengths = np.diff(changes)
    long = lengths >= _PLATEAU
    values = audio[changes[:-1]]
    peak = (values > 0) & (values >= 0.99 * audio.max())
    peak |= (values < 0) & (values <= 0.99 * audio.min())
    flat = np.repeat(long & peak, lengths)
    return float(np.mean(beyond | flat))


def _silent(audio: Mono) -> float:
    """Return the share of 10 ms cells under -80 dBFS, 1 without any samples."""
    if not len(audio):
        return 1.0
    cell = min(_CELL, len(audio))
    cells = audio[: len(audio) // cell * cell].reshape(-1, cell)
    powers = np.einsum("ij,ij->i", cells, cells, dtype=np.float64) / cell
    return float(np.mean(powers < 10 ** (SILENT_DBFS / 10)))


def _frame_buzz(audio: Mono, ratio: int) -> float:
    """Return by how many dB lines at the frame rate stand out, where they do most; 0 at least.

    The spectrum is the median of overlapping periodograms (P. Welch, IEEE AU 15, 1967, takes the
    mean), which single events do not change.
    """
    size = ratio * _PER_LINE
    if len(audio) < size * (_LEAST_SEGMENTS + 1) // 2:
        return 0.0
    shape = hann(size, sym=False)
    shape = (shape * np.sqrt(2) / shape.sum()).astype(np.float32)
    segments = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2]
    powers = np.median(np.square(np.abs(rfft(segments * shape))), axis=0)
    levels = 10 * np.log10(powers + _INAUDIBLE)
    whole = ratio // 2 * _PER_LINE
    middle = _PER_LINE // 2
    cells = np.roll(levels[:whole], middle).reshape(-1, _PER_LINE)[1:]  # a line in each middle
    around = np.median(np.delete(cells, slice(middle - 2, middle + 3), axis=1), axis=1)
    above = cells[:, middle] - around
    if len(above) < _LINES:
        return 0.0
    rows = np.lib.stride_tricks.sliding_window_view(above, _LINES)
    return max(float(np.quantile(rows, _SHARE, axis=1).max()), 0.0)
