"""Which notes sound in a stretch of a musical recording, at which levels, and how many begin."""

from collections import Counter
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from morphene_core.audio.coverage.stream import ANALYSIS_RATE, MARGIN_SECONDS
from morphene_core.audio.onsets import SILENT_DBFS, onset_times
from morphene_core.audio.pitch import PERIODIC, yin

HOP_SECONDS = 0.05
"""A frame is counted for this long."""

_FRAME = 2048  # 85 ms: two periods of A0
_PITCH_DECIMATION = 2  # 6 kHz hold the fundamental of C8
_SEMITONE = 1.0
_STEADY_FRAMES = 3
_SMOOTHED_FRAMES = 2  # to either side: 250 ms, more than a period of vibrato
_RELEASE_DB_PER_SECOND = 12.0
_ATTACK_DB = 3.0
_FALLEN_DB = 6.0


def count_notes(audio: NDArray[np.float32], seconds: float) -> dict[str, Any]:
    """Return the counts of a stretch of a musical recording.

    A frame of 85 ms is taken every 50 ms and counted for 50 ms. It counts if one note sounds in it:
    it is periodic (see ``yin``), no softer than -80 dBFS, and one of three frames in a row that
    move by less than a semitone each; single octave errors and shorter notes thus drop out, also
    trills and fast runs. Its note is the nearest to its pitch, averaged over 250 ms of its row lest
    vibrato reach the neighbours; A4 is 440 Hz.

    Chords and drones are not counted, or as a common subharmonic; likewise about every third frame
    of metal bars (celesta, glockenspiel, tubular bells), whose partials are not harmonic. Of these
    instruments a grid shows little.

    Its level is its RMS below 12 kHz. What rings on does not count: frames that are more than 6 dB
    under a note that would fade by 12 dB a second. Otherwise every loud note in a reverberant room
    (RT60 of 1.2 s: 50 dB a second) would pass for soft ones. A diminuendo is slower. A rise by 3 dB
    within 50 ms begins anew. Struck and plucked notes that fade more slowly than that do count for
    softer dynamics too.

    Args:
        audio: at ANALYSIS_RATE with margins, shape (samples,).
        seconds: between the margins.

    Returns:
        ``seconds``; ``onsets``: see ``onset_times``, slurred notes are found in part only;
        ``notes``: frames by "MIDI number:dBFS".
    """
    counted = round(seconds / HOP_SECONDS)
    if not counted:
        return {"seconds": seconds, "onsets": 0, "notes": {}}
    pitches, levels = _tracks(audio)
    voiced = np.isfinite(pitches) & (levels >= SILENT_DBFS)
    notes = _steady_notes(np.where(voiced, pitches, np.nan))
    held = _held(notes, levels)
    first = round(MARGIN_SECONDS / HOP_SECONDS)
    core = slice(first, first + counted)
    cells = Counter(
        f"{note:.0f}:{level:.0f}"
        for note, level in zip(notes[core][held[core]], levels[core][held[core]], strict=True)
    )
    onsets = onset_times(audio, ANALYSIS_RATE) - MARGIN_SECONDS
    inside = (onsets >= 0) & (onsets < seconds)
    return {"seconds": seconds, "onsets": int(inside.sum()), "notes": dict(cells)}


def _tracks(audio: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pitch as a MIDI number (nan: not periodic) and level in dBFS of each frame.

    The first frame is centred half a hop after the beginning of the audio.
    """
    frames = _frames(audio, 1)
    powers = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / _FRAME
    rate = ANALYSIS_RATE // _PITCH_DECIMATION
    slow = soxr.resample(audio, ANALYSIS_RATE, rate, quality="MQ")
    f0, aperiodicity = yin(_frames(slow, _PITCH_DECIMATION), rate)
    pitches = np.where(aperiodicity <= PERIODIC, 69 + 12 * np.log2(f0 / 440), np.nan)
    return pitches, 10 * np.log10(powers + 1e-20)


def _frames(audio: NDArray[np.float32], decimation: int) -> NDArray[np.float32]:
    """Return overlapping frames, one per hop, shape (frames, samples)."""
    frame, hop = _FRAME // decimation, round(HOP_SECONDS * ANALYSIS_RATE) // decimation
    padded = np.pad(audio, (frame - hop) // 2 + 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    return frames[: len(audio) // hop]


def _steady_notes(pitches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the note of each frame of a steady row, nan elsewhere."""
    with np.errstate(invalid="ignore"):
        joined = np.abs(np.diff(pitches)) < _SEMITONE  # to the next frame
    row = np.cumsum(np.concatenate([[0], ~joined]))
    lengths = np.bincount(row)
    steady = (lengths[row] >= _STEADY_FRAMES) & np.isfinite(pitches)
    total, count = np.zeros(len(pitches)), np.zeros(len(pitches))
    for shift in range(-_SMOOTHED_FRAMES, _SMOOTHED_FRAMES + 1):
        here = slice(max(0, -shift), len(pitches) - max(0, shift))
        there = slice(max(0, shift), len(pitches) - max(0, -shift))
        same = row[here] == row[there]
        total[here] += np.where(same, pitches[there], 0.0)
        count[here] += same
    return np.where(steady, np.round(total / count), np.nan)


def _held(notes: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which frames are of a note that is being played, rather than ringing on."""
    held = np.zeros(len(notes), bool)
    fade = _RELEASE_DB_PER_SECOND * HOP_SECONDS
    reference, last, previous = -np.inf, np.nan, 0
    for i in np.flatnonzero(np.isfinite(notes)):
        attacked = levels[i] > levels[max(i - 1, 0)] + _ATTACK_DB
        faded = reference - fade * (i - previous) if notes[i] == last and not attacked else -np.inf
        reference, last, previous = max(levels[i], faded), notes[i], i
        held[i] = levels[i] >= reference - _FALLEN_DB
    return held
