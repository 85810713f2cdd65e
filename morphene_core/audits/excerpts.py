"""Excerpts that stand for a whole source: quiet and loud, low and high."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann
from scipy.stats import rankdata

from morphene_core.audio.loudness import SILENT_PEAK, level_dbfs
from morphene_core.audio.mono import mono_blocks
from morphene_core.audio.pitch import PERIODIC, yin
from morphene_core.audio.wav import SAMPLE_RATE, Mono

_CORNERS = ((0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9))
"""Ranks of loudness and height, 0 to 1, that the parts are to be near to."""

_FADE = SAMPLE_RATE // 200  # 5 ms: enough against a click, too short to hear
_PITCH_RATE = 12_000
_PITCH_FRAME = 1024  # two periods of the lowest note
_FRAMES = 8  # that a part's height is judged by
_WINDOW = 4096
_RANGE_DB = 50.0  # what is softer than the loudest part by more is a pause


@dataclass(frozen=True)
class _Part:
    file: int
    start: int
    audio: Mono


def covering_excerpt(files: Sequence[Path], seconds: float) -> Mono:
    """Join four parts of recordings that lie near the corners of what these cover.

    Loudness is the parts' level, height their pitch where most of them have one, else their
    spectral centroid; both are compared by rank. Pauses are left out.

    Args:
        files: audio of any format.
        seconds: length asked for; less if the files hold less.

    Returns:
        Shape (samples,), mono, 48 kHz; the parts in the order of the recordings, faded at their
        ends. The same files give the same.
    """
    audio = [np.concatenate([np.empty(0, np.float32), *mono_blocks(file)]) for file in files]
    length = int(seconds * SAMPLE_RATE) // len(_CORNERS)
    parts = [part for index, whole in enumerate(audio) for part in _parts(index, whole, length)]
    parts = _sounding(parts)
    if len(parts) < len(_CORNERS) or sum(map(len, audio)) <= length * len(_CORNERS):
        everything: Mono = np.concatenate([np.empty(0, np.float32), *audio])
        return everything[: int(seconds * SAMPLE_RATE)]
    ranks = np.stack([_ranks([level_dbfs(part.audio) for part in parts]), _ranks(_heights(parts))])
    chosen: list[int] = []
    for corner in _CORNERS:
        distances = np.linalg.norm(ranks - np.array(corner)[:, None], axis=0)
        free = [i for i in np.argsort(distances, kind="stable") if _apart(parts, int(i), chosen)]
        chosen += [int(i) for i in free[:1]]
    return np.concatenate([_faded(parts[i].audio) for i in sorted(chosen)])


def _parts(index: int, audio: Mono, length: int) -> list[_Part]:
    """Cut a recording into parts that overlap by half."""
    starts = range(0, len(audio) - length + 1, max(1, length // 2))
    return [_Part(index, start, audio[start : start + length]) for start in starts]


def _sounding(parts: list[_Part]) -> list[_Part]:
    levels = [level_dbfs(part.audio) for part in parts]
    least = max([20 * np.log10(SILENT_PEAK), *(level - _RANGE_DB for level in levels)])
    return [part for part, level in zip(parts, levels, strict=True) if level > least]


def _heights(parts: list[_Part]) -> list[float]:
    """Return how high each part lies, as the logarithm of a frequency."""
    pitches = [_pitch(part.audio) for part in parts]
    if sum(pitch is not None for pitch in pitches) > len(parts) / 2:
        known = [pitch for pitch in pitches if pitch is not None]
        return [float(np.median(known)) if pitch is None else pitch for pitch in pitches]
    return [_centroid(part.audio) for part in parts]


def _pitch(audio: Mono) -> float | None:
    low = soxr.resample(audio, SAMPLE_RATE, _PITCH_RATE, quality="HQ")
    if len(low) < _PITCH_FRAME:
        return None
    f0, aperiodicity = yin(_frames(low, _PITCH_FRAME), _PITCH_RATE)
    voiced = aperiodicity <= PERIODIC
    return float(np.median(np.log2(f0[voiced]))) if 2 * voiced.sum() > len(voiced) else None


def _centroid(audio: Mono) -> float:
    frames = _frames(audio, min(_WINDOW, len(audio)))
    power = np.square(np.abs(rfft(frames * hann(frames.shape[1], sym=False)))).sum(axis=0)
    hertz = np.arange(len(power)) * SAMPLE_RATE / frames.shape[1]
    return float(np.log2((power * hertz).sum() / max(power.sum(), 1e-20) + 1.0))


def _frames(audio: Mono, size: int) -> NDArray[np.float32]:
    starts = np.linspace(0, len(audio) - size, _FRAMES).astype(int)
    return np.stack([audio[start : start + size] for start in starts])


def _ranks(values: list[float]) -> NDArray[np.float64]:
    """Return the rank of each value from 0 to 1."""
    ranks: NDArray[np.float64] = (rankdata(values) - 1) / max(len(values) - 1, 1)
    return ranks


def _apart(parts: list[_Part], index: int, chosen: list[int]) -> bool:
    part = parts[index]
    return all(
        part.file != parts[other].file or abs(part.start - parts[other].start) >= len(part.audio)
        for other in chosen
    )


def _faded(audio: Mono) -> Mono:
    faded = audio.copy()
    fade = np.linspace(0, 1, min(_FADE, len(faded)), dtype=np.float32)
    faded[: len(fade)] *= fade
    faded[len(faded) - len(fade) :] *= fade[::-1]
    return faded
