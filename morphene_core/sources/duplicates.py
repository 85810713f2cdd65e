"""Files with the same content under another name, in another format, or at another level.

A set in which some recordings count twice is unbalanced, and its holdout may hold what is trained.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from morphene_core.audio.decode import open_audio
from morphene_core.errors import InputError
from morphene_core.sources.examination import Examination
from morphene_core.sources.same_sound import RATE, same_sound
from morphene_core.sources.sketch import BANDS, CELL_SECONDS, CELLS, UNKNOWN

_DURATION_SECONDS = 0.15  # encoders pad by a few of their frames
_BAND_DB = 2.5  # mean difference of the bands' levels
_COURSE_CORRELATION = 0.5  # lossy copies of noise have 0.59, of anything else 0.9 ...
_COURSE_CHANCE = 3.5  # ... but short courses correlate by chance: standard deviations of that
_MOST_CORRELATION = 0.85
_COURSE_SHIFTS = round(0.2 / CELL_SECONDS)  # half the difference in duration, and codec delays
_SMOOTHED = 3  # cells
_COURSE_FLAT = 1.0  # tenths of a dB: a course with less is rounding
_ROWS = 64  # are compared with all others at once
_EXCERPT_SECONDS = 20.0
_CACHE_BYTES = 128e6  # of excerpts: many are compared with many others
_LOSSLESS = ("PCM", "FLOAT", "DOUBLE", "DPCM", "ALAC", "FLAC", "WAVPACK", "APE", "TTA", "DWVW")

_Floats = NDArray[np.float32]


def find_duplicates(files: Sequence[tuple[str, Examination]], folder: Path) -> dict[str, str]:
    """Find files whose content another file has too, in the same or the opposite polarity.

    Files that were rejected for anything else take no part.

    Args:
        files: paths, POSIX, relative to ``folder``, and what was found in them.
        folder: the source folder. Files are read again only where they are suspected.

    Returns:
        For each file that is not needed, the one that is kept: lossless rather than lossy, with
        the higher sample rate, with fewer findings, with more bits, first by path.
    """
    ranked = sorted(
        (file for file in files if file[1].verdict != "rejected"),
        key=lambda file: _rank(*file),
    )
    kept_of: dict[str, str] = {}
    first: dict[str, str] = {}
    unique = []
    for path, examination in ranked:
        if (original := first.setdefault(examination.sha256, path)) != path:
            kept_of[path] = original
        else:
            unique.append((path, examination))
    kept_of |= _same_sound(unique, folder)
    return {path: kept_of.get(kept, kept) for path, kept in kept_of.items()}


def _rank(path: str, examination: Examination) -> tuple[bool, int, int, int, str]:
    encoding = examination.format.upper().rpartition(" ")[2]
    lossy = not encoding.startswith(_LOSSLESS)
    digits = re.search(r"\d+$", encoding)
    bits = int(digits[0]) if digits else 32
    return lossy, -examination.sample_rate, len(examination.findings), -bits, path


def _same_sound(ranked: Sequence[tuple[str, Examination]], folder: Path) -> dict[str, str]:
    """Return the files that sound as a better one does; that is none of these files itself."""
    kept_of: dict[str, str] = {}
    suspects = _suspects([examination for _, examination in ranked])
    longest = max((ranked[index][1].seconds for pair in suspects for index in pair), default=1.0)
    each = 4 * RATE * min(longest, _EXCERPT_SECONDS)
    excerpt = lru_cache(int(_CACHE_BYTES / each))(lambda index: _excerpt(folder, *ranked[index]))
    for worse, better in suspects:
        path, kept = ranked[worse][0], ranked[better][0]
        if path in kept_of or kept in kept_of:
            continue
        if same_sound(excerpt(better), excerpt(worse)):
            kept_of[path] = kept
    return kept_of


def _suspects(ranked: Sequence[Examination]) -> list[tuple[int, int]]:
    """Return pairs of a worse and a better file that may have the same content, by rank."""
    seconds = np.array([examination.seconds for examination in ranked])
    order = np.argsort(seconds, kind="stable")
    bands, courses, least = _sketches([ranked[index] for index in order])
    ends = np.searchsorted(seconds[order], seconds[order] + _DURATION_SECONDS, side="right")
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(order), _ROWS):
        rows = slice(start, min(start + _ROWS, len(order)))
        others = slice(start, ends[rows.stop - 1])
        alike = _bands_alike(bands[rows], bands[others])
        alike &= np.arange(others.start, others.stop) < ends[rows, None]
        alike &= np.arange(others.start, others.stop) > np.arange(rows.start, rows.stop)[:, None]
        if alike.any():
            wanted = np.maximum(least[rows, None], least[others])
            alike &= _courses_alike(courses[rows], courses[others], wanted)
        for row, other in np.argwhere(alike):
            one, two = int(order[start + row]), int(order[start + other])
            pairs.append((max(one, two), min(one, two)))
    return sorted(pairs)


def _sketches(examinations: Sequence[Examination]) -> tuple[_Floats, _Floats, _Floats]:
    """Return the bands' levels, the courses, and from which correlation on these are alike.

    Courses are normalised and lie around the middle; one that says nothing is zero.
    """
    bands = np.full((len(examinations), BANDS), UNKNOWN, np.float32)
    courses = np.zeros((len(examinations), CELLS), np.float32)
    least = np.full(len(examinations), _MOST_CORRELATION, np.float32)
    for row, examination in enumerate(examinations):
        bands[row] = examination.sketch[:BANDS]
        course = np.array(examination.sketch[BANDS:], np.float32)
        if len(course) < _SMOOTHED or course.std() <= _COURSE_FLAT:
            continue
        course = np.convolve(course, np.ones(_SMOOTHED) / _SMOOTHED, "same")  # lags are no cells
        start = (CELLS - len(course)) // 2
        normalised = (course - course.mean()) / (np.sqrt(len(course)) * course.std())
        courses[row, start : start + len(course)] = normalised
        chance = _COURSE_CHANCE / np.sqrt(len(course) / _SMOOTHED)
        least[row] = min(max(_COURSE_CORRELATION, chance), _MOST_CORRELATION)
    return bands, courses, least


def _bands_alike(some: _Floats, others: _Floats) -> NDArray[np.bool_]:
    """Return which pairs have similar spectra, shape (some, others)."""
    distance = np.zeros((len(some), len(others)), np.float32)
    known = np.zeros_like(distance)
    for band in range(BANDS):
        one, two = some[:, band, None], others[None, :, band]
        both = (one != UNKNOWN) & (two != UNKNOWN)
        distance += np.abs(one - two) * both
        known += both
    alike: NDArray[np.bool_] = distance <= _BAND_DB * known
    return alike


def _courses_alike(some: _Floats, others: _Floats, least: _Floats) -> NDArray[np.bool_]:
    """Return which pairs have similar courses, or ones that say nothing."""
    best = np.zeros((len(some), len(others)), np.float32)
    for shift in range(-_COURSE_SHIFTS, _COURSE_SHIFTS + 1):
        here = slice(max(shift, 0), CELLS + min(shift, 0))
        there = slice(max(-shift, 0), CELLS - max(shift, 0))
        best = np.maximum(best, some[:, here] @ others[:, there].T)
    silent = ~some.any(axis=1)[:, None] | ~others.any(axis=1)
    alike: NDArray[np.bool_] = (best >= least) | silent
    return alike


def _excerpt(folder: Path, path: str, examination: Examination) -> _Floats:
    """Return 20 s from the middle of a file, mono, at 8 kHz; all of a shorter one.

    It is empty if the file cannot be read any more.
    """
    start = max(0.0, (examination.seconds - _EXCERPT_SECONDS) / 2)
    parts = [np.empty(0, np.float32)]
    try:
        with open_audio(folder / path) as stream:
            first = round(start * stream.sample_rate)
            last = first + round(_EXCERPT_SECONDS * stream.sample_rate)
            position = 0
            for block in stream.blocks():
                part = block[max(0, first - position) : max(0, last - position)]
                parts.append(part.mean(axis=1, dtype=np.float32))
                position += len(block)
                if position >= last:
                    break
            rate = stream.sample_rate
    except (InputError, OSError):
        return np.empty(0, np.float32)
    audio: _Floats = soxr.resample(np.concatenate(parts), rate, RATE)
    return audio
