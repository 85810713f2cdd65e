"""The demo of an instrument: what it makes of held-out audio, as a listener should hear it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from morphene_core.audio.loudness import level_dbfs, true_peak_dbtp
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.audits.levels import PEAK_DBTP, SILENT_LUFS, amplified, loudness
from morphene_core.errors import InputError
from morphene_core.realtime import play


@dataclass(frozen=True)
class Section:
    """A section of every demo.

    Attributes:
        name: of what is heard.
        start: second at which it begins.
        seconds: its length.
        text: what is heard, for a person.
    """

    name: str
    start: float
    seconds: float
    text: str


SECTIONS = (
    Section("musical", 0.0, 11.0, "the musical source, as the model plays it (`forward`)"),
    Section("nonmusical", 11.5, 11.0, "the non-musical source, as the model plays it (`forward`)"),
    Section("morph", 23.0, 22.0, "both at once, and the morph knob between them (`morph`)"),
)
"""The same in every demo, so that a patch or a page can point at them. Between them is silence."""

DEMO_SECONDS = SECTIONS[-1].start + SECTIONS[-1].seconds

MORPH_CURVE = (
    (0.0, 0.0), (3.0, 0.0), (7.0, 0.5), (9.5, 0.5), (13.0, 1.0), (15.5, 1.0), (18.5, 0.3),
    (20.0, 0.3), (22.0, 0.0),
)  # fmt: skip
"""The morph knob as it is played: second of the section, amount. It stays, rises and falls."""

BEST_LUFS = -20.0
"""Loudness of every section, if its peaks leave room for that ..."""

LEAST_LUFS = -30.0
"""... and if not, of all sections alike; but no less than this, lest one crackle hush them all."""

_SEAM_SECONDS = 0.1
_FADE_IN_SECONDS = 0.03
_FADE_OUT_SECONDS = 0.3
_WARM_UP_SECONDS = 1.0  # longer than a full-size model looks back
_EDGE_SECONDS = 0.25
_SOUNDS_DB = 20.0  # an edge that is softer than the whole by more is a pause
_BLOCK = 4096


def play_demo(model: Path, musical: Mono, nonmusical: Mono) -> Mono:
    """Return the demo: both sources through the model, then the morph, played as one would.

    Each section has the length that SECTIONS says. Sources that are shorter are repeated with a
    crossfade; of longer ones a part is taken that begins and ends with sound. All sections have one
    loudness, their true peak is under -1 dBTP, and their ends are faded.

    Args:
        model: the .ts; it has the method ``morph``.
        musical: held-out audio, shape (samples,), 48 kHz.
        nonmusical: likewise.

    Returns:
        Shape (samples,), 48 kHz, DEMO_SECONDS long. The same inputs give the same.

    Raises:
        InputError: there is no audio, or the file is no such model.
    """
    if not (len(musical) and len(nonmusical)):
        raise InputError("The demo takes held-out audio of both sources: one has none.")
    first, second, morph = SECTIONS
    given = {
        first: [_part(musical, first.seconds)],
        second: [_part(nonmusical, second.seconds)],
        morph: [_part(source, morph.seconds) for source in (musical, nonmusical)]
        + [np.pad(morph_amount(morph.seconds), (_samples(_WARM_UP_SECONDS), 0), mode="edge")],
    }
    late = _samples(_WARM_UP_SECONDS) + _latency(model)
    played = [
        _played(model, "morph" if section is morph else "forward", sources, late, section.seconds)
        for section, sources in given.items()
    ]
    demo = np.zeros(_samples(DEMO_SECONDS), np.float32)
    for section, audio in zip(SECTIONS, _levelled(played), strict=True):
        start = _samples(section.start)
        demo[start : start + len(audio)] = _faded(audio)
    return demo


def morph_amount(seconds: float) -> Mono:
    """Return how the morph knob moves in a section, shape (samples,), 48 kHz, 0 to 1."""
    time = np.arange(_samples(seconds)) / SAMPLE_RATE
    amount = np.full(len(time), MORPH_CURVE[-1][1])
    for (start, before), (end, after) in pairwise(MORPH_CURVE):
        here = (time >= start) & (time < end)
        way = (time[here] - start) / (end - start)
        amount[here] = before + (after - before) * (1 - np.cos(np.pi * way)) / 2  # as a hand moves
    return amount.astype(np.float32)


def _part(source: Mono, seconds: float) -> Mono:
    """Return a part of a source with a warm-up before it, repeated as often as it takes."""
    warm_up, length = _samples(_WARM_UP_SECONDS), _samples(seconds)
    looped = _looped(source, warm_up + len(source) + length)
    start = _start(looped[warm_up:], length, len(source))
    return looped[start : start + warm_up + length]


def _looped(source: Mono, length: int) -> Mono:
    """Repeat a source to a length; its end and its beginning are crossfaded with equal power."""
    seam = min(_samples(_SEAM_SECONDS), len(source) // 2)
    angle = np.linspace(0, np.pi / 2, seam, dtype=np.float32)
    body = source[: len(source) - seam].copy()
    joint = source[len(source) - seam :] * np.cos(angle) + source[:seam] * np.sin(angle)
    turn = np.concatenate([body[seam:], joint])
    times = -(-length // max(len(turn), 1))
    looped: Mono = np.concatenate([body[:seam], *[turn] * times])[:length]
    return looped


def _start(audio: Mono, length: int, choices: int) -> int:
    """Return the earliest start of a part that begins and ends with sound, or nearly so."""
    edge = _samples(_EDGE_SECONDS)
    least = level_dbfs(audio) - _SOUNDS_DB
    best, found = 0, -np.inf
    for start in range(0, max(choices, 1), edge):
        ends = (start, start + length - edge)
        softer = min(level_dbfs(audio[end : end + edge]) for end in ends)
        if softer > least:
            return start
        if softer > found:
            best, found = start, softer
    return best


def _latency(model: Path) -> int:
    """Return by how many samples a model is late; 0 if it does not say."""
    from morphene_core.realtime.model import LoadedModel  # torch

    return LoadedModel(model).latency or 0


def _played(model: Path, method: str, sources: Sequence[Mono], late: int, seconds: float) -> Mono:
    """Play a method, and leave out the samples until what is played is heard."""
    length = _samples(seconds)
    blocks = -(-(late + length) // _BLOCK)
    signal = np.stack(sources)
    # What follows is heard by nobody: it only pushes the last sound through the model.
    signal = np.pad(signal, ((0, 0), (0, blocks * _BLOCK - signal.shape[1])), mode="edge")
    played: Mono = play(model, method, signal, block=_BLOCK)[0, late : late + length]
    return played


def _levelled(sections: Sequence[Mono]) -> list[Mono]:
    """Bring sections to one loudness, as near to the best one as the peaks of all allow."""
    centred = [audio - np.float32(np.mean(audio, dtype=np.float64)) for audio in sections]
    sounding = [audio for audio in centred if loudness(audio) > SILENT_LUFS]
    room = [loudness(audio) + PEAK_DBTP - true_peak_dbtp(audio) for audio in sounding]
    target = max(min([BEST_LUFS, *room]), LEAST_LUFS)
    return [_at(target, audio) for audio in centred]


def _at(target: float, audio: Mono) -> Mono:
    found = loudness(audio)
    if found == SILENT_LUFS:
        return audio
    gain = min(target - found, PEAK_DBTP - true_peak_dbtp(audio))
    return amplified(audio, round(gain - 0.005, 2))  # rounded down: the peak stays under its bound


def _faded(audio: Mono) -> Mono:
    rise, fall = (
        (1 - np.cos(np.pi * np.arange(samples) / samples)) / 2
        for samples in (_samples(_FADE_IN_SECONDS), _samples(_FADE_OUT_SECONDS))
    )
    faded = audio.copy()
    faded[: len(rise)] *= rise.astype(np.float32)
    faded[len(faded) - len(fall) :] *= fall[::-1].astype(np.float32)
    return faded


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
