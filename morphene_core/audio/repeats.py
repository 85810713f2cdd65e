"""Held-out audio that sounds in the training audio as well.

A folder of recordings may hold a take and an excerpt of it, or the same sample twice in a longer
file. Held out in one place and trained on in another, it would make every validation too good.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.fft import rfft

from morphene_core.audio.threads import Advance, in_threads
from morphene_core.progress import Progress, Report, clock, silent

_RATE = 8_000
_WINDOW, _HOP = 2048, 96  # a quarter of a second every 12 ms: an excerpt begins at any sample
# 300 to 3000 Hz in 33 bands, whose differences make 32 bits.
_BINS = np.round(np.geomspace(300, 3000, 34) / _RATE * _WINDOW).astype(int)
_CHUNK = 30 * 48_000
_AUDIBLE = 1e-6  # of the file's loudest frame; below, the bits are those of the dither
_FRAMES = 128  # 1.5 s are compared
_MOST_DIFFERENT = 0.25  # of the bits; unrelated audio has 0.5, less where it is periodic
_COMMON = 64  # a code that stands in more places than this tells nothing of any of them

Codes = NDArray[np.uint32]


def find_repeats(
    heldout: Sequence[Path], training: Sequence[Path], report: Report = silent
) -> list[str]:
    """Return where held-out audio sounds in the training audio, a line for each pair of files.

    Both are turned into codes of 32 bits, a frame each: the signs of how the differences between
    neighbouring bands change from frame to frame (J. Haitsma, T. Kalker: "A Highly Robust Audio
    Fingerprinting System", ISMIR 2002). They depend neither on the level nor much on the format.
    Equal codes show where to compare, which is done over 1.5 s.

    Args:
        heldout: prepared files, mono at 48 kHz.
        training: likewise.
        report: takes progress.
    """
    files = [*heldout, *training]
    seconds = sum(soundfile.info(str(file)).duration for file in files)
    codes = in_threads(_codes, files, Progress("Comparing held-out audio", seconds, report, "s"))
    codes, known = codes[: len(heldout)], _Places(codes[len(heldout) :])
    found = []
    for file, own in zip(heldout, codes, strict=True):
        first: dict[int, tuple[int, int]] = {}
        for here, other, there in known.of(own):
            if other not in first and _same(own, here, known.codes[other], there):
                first[other] = here, there
        found += [
            f"{file.name} at {_clock(here)} sounds as {training[other].name} at {_clock(there)}"
            for other, (here, there) in sorted(first.items())
        ]
    return found


def _clock(frame: int) -> str:
    return clock(frame * _HOP / _RATE)


def _codes(file: Path, advance: Advance) -> Codes:
    """Return the codes of a file, shape (frames,); 0 where it is too soft to have one."""
    codes, powers = [np.empty(0, np.uint32)], [np.empty(0, np.float32)]
    last = np.empty((0, _BINS.size - 1), np.float32)
    for frames in _frames(file, advance):
        spectrum = np.abs(rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
        bands = np.add.reduceat(spectrum[:, : _BINS[-1]], _BINS[:-1], axis=1)
        powers.append(bands[1 - len(last) :].sum(axis=1))  # the very first frame has no code
        bands = np.concatenate([last, bands])
        bits = np.diff(np.diff(bands, axis=1), axis=0) > 0
        codes.append(np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32))
        last = bands[-1:]
    power, code = np.concatenate(powers), np.concatenate(codes)
    code[power <= _AUDIBLE * power.max(initial=0.0)] = 0
    return code


def _frames(file: Path, advance: Advance) -> Iterator[NDArray[np.float32]]:
    """Yield overlapping windows at 8 kHz, shape (frames, _WINDOW), some seconds at a time."""
    with soundfile.SoundFile(file) as sound:
        resampler = soxr.ResampleStream(sound.samplerate, _RATE, 1, dtype="float32", quality="LQ")
        rest = np.empty(0, np.float32)
        while len(block := sound.read(_CHUNK, dtype="float32")):
            last = sound.tell() >= sound.frames
            rest = np.concatenate([rest, resampler.resample_chunk(block, last=last)])
            if len(rest) >= _WINDOW:
                windows = np.lib.stride_tricks.sliding_window_view(rest, _WINDOW)[::_HOP]
                yield windows
                rest = rest[len(windows) * _HOP :]
            advance(len(block) / sound.samplerate)


class _Places:
    """Where codes stand in several files."""

    def __init__(self, codes: Sequence[Codes]) -> None:
        self.codes = codes
        lengths = [len(part) for part in codes]
        everything = np.concatenate([np.empty(0, np.uint32), *codes])
        self._order = np.argsort(everything, kind="stable")
        self._sorted = everything[self._order]
        self._file = np.repeat(np.arange(len(codes)), lengths)
        self._starts = np.cumsum([0, *lengths])

    def of(self, own: Codes) -> Iterator[tuple[int, int, int]]:
        """Yield frames of a file, and a file and a frame there with the same rare code."""
        left = np.searchsorted(self._sorted, own, "left")
        right = np.searchsorted(self._sorted, own, "right")
        telling = (right > left) & (right - left <= _COMMON) & (own != 0)
        for here in np.flatnonzero(telling).tolist():
            for place in self._order[left[here] : right[here]].tolist():
                file = int(self._file[place])
                yield here, file, place - int(self._starts[file])


def _same(own: Codes, here: int, other: Codes, there: int) -> bool:
    """Return whether the audio about two frames is the same."""
    before = min(here, there, _FRAMES // 2)
    after = min(len(own) - here, len(other) - there, _FRAMES - before)
    if before + after < _FRAMES:
        return False
    one, two = own[here - before : here + after], other[there - before : there + after]
    different = np.unpackbits((one ^ two).view(np.uint8)).mean()
    return bool(different <= _MOST_DIFFERENT and np.count_nonzero(one) > _FRAMES // 2)
