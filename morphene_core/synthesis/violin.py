"""A solo violin: a bowed string played from a small generated score, through its body and a room.

The bridge force passes one fixed response, which is what turns vibrato into the shimmer of
harmonics crossing resonances.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy import signal

from morphene_core.synthesis.bowed_string import Levels, Note, Phrase, bridge_force
from morphene_core.synthesis.take import SAMPLE_RATE, Take, finish_take
from morphene_core.synthesis.violin_body import OPEN_STRINGS, body_and_room

_HIGHEST_PITCH = 100  # E7, the usual top of the orchestral range
_OUTPUT_GAIN = 0.42  # brings ff close to full scale without reaching the ceiling
_TAIL_SECONDS = 0.35


def violin_takes(seconds: float = 120.0, seed: int = 10) -> Iterator[Take]:
    """Render five violin takes of `seconds` / 5 each, from G3 (196 Hz) up to E7 (2637 Hz).

    Sustained notes on all strings with swells, slurred scales and arpeggios, separate short
    strokes, a melodic improvisation with vibrato, and a high cantabile line. Same arguments,
    same bytes. Takes shorter than about ten seconds hold only a part of the range.
    """
    samples = round(seconds * SAMPLE_RATE / len(_SCORES))
    response = body_and_room(np.random.default_rng([seed, 0]))
    for number, (name, score) in enumerate(_SCORES.items(), start=1):
        rng = np.random.default_rng([seed, number])
        notes = _fit(score(rng), samples / SAMPLE_RATE, rng)
        force = bridge_force(notes, samples, rng)
        sound = signal.oaconvolve(force, response)[:samples]
        yield finish_take(name, np.asarray(sound * _OUTPUT_GAIN, dtype=np.float32))


def _fit(phrases: Iterator[Phrase], seconds: float, rng: np.random.Generator) -> Phrase:
    """Lay phrases one after another, shortening or dropping what would not fit `seconds`."""
    last = seconds - min(_TAIL_SECONDS, 0.25 * seconds)
    notes: Phrase = []
    now = 0.02
    for phrase in phrases:
        for note in phrase:
            moved = replace(note, start=note.start + now)
            moved = replace(moved, duration=min(moved.duration, last - moved.start))
            if moved.duration > 0.08:
                notes.append(moved)
        now += phrase[-1].end + rng.uniform(0.08, 0.22)
        if now > last - 0.1:
            break
    return notes


def _vibrato(pitch: float, rng: np.random.Generator) -> float:
    """Vibrato half-depth in cents; an open string has no finger on it to move."""
    return 0.0 if pitch in OPEN_STRINGS else float(rng.uniform(11.0, 26.0))


def _string_of(pitch: float) -> int:
    """Index of the string a player would take in first position."""
    return int(np.clip((pitch - OPEN_STRINGS[0]) // 7, 0, 3))


def _slur(notes: Phrase, portamento: float, rng: np.random.Generator) -> Phrase:
    """Join consecutive notes into one bow stroke, some of them with an audible slide."""
    joined = notes[:1]
    for note in notes[1:]:
        before = joined[-1]
        if _string_of(before.pitch) != _string_of(note.pitch) and rng.uniform() < 0.6:
            # Crossing to another string: the old one rings on under a soft new start.
            joined.append(replace(note, start=before.end, attack=0.025, bite=0.05))
            continue
        slide = rng.uniform(0.05, 0.13) if rng.uniform() < portamento else rng.uniform(0.008, 0.018)
        joined[-1] = replace(before, release=0.006)
        start = before.end
        joined.append(
            replace(note, start=start, slurred_from=before.pitch, glide=min(slide, note.duration))
        )
    return joined


def _sustained(rng: np.random.Generator) -> Iterator[Phrase]:
    """Long notes over all four strings, from pp to ff, with swells and fading strokes."""
    contours: list[Levels] = [
        (0.5, 0.6, 0.55), (0.1, 0.95, 0.2), (0.1, 0.15, 0.1), (0.9, 1.0, 0.9),
        (0.75, 0.6, 0.1), (0.1, 0.4, 0.9), (0.3, 0.75, 0.4),
    ]  # fmt: skip
    number = 0
    while True:
        string = number % 4
        offset = 0 if number == 0 else int(rng.integers(0, 8 if string < 3 else 17))
        pitch = OPEN_STRINGS[string] + offset
        levels = contours[number % len(contours)]
        attack = float(0.19 - 0.14 * levels[0] + rng.uniform(-0.01, 0.03))
        yield [
            Note(
                0.0, rng.uniform(1.8, 3.4), pitch, levels, attack, rng.uniform(0.06, 0.12),
                0.25 * levels[0], _vibrato(pitch, rng),
            )
        ]  # fmt: skip
        number += 1


def _run_pitches(rng: np.random.Generator) -> list[int]:
    """A scale or arpeggio from a low root up to three octaves and back."""
    steps = ([0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11], [0, 4, 7], [0, 3, 7, 10])
    degrees = steps[int(rng.integers(0, len(steps)))]
    root = int(rng.integers(55, 66))
    up = [root + 12 * octave + step for octave in range(4) for step in degrees]
    up = [pitch for pitch in up if pitch <= min(root + 36, _HIGHEST_PITCH)]
    return up + up[-2::-1]


def _legato(rng: np.random.Generator) -> Iterator[Phrase]:
    """Slurred scales and arpeggios; louder towards the top, the tempo breathing."""
    while True:
        pitches = _run_pitches(rng)
        base, span = rng.uniform(0.15, 0.45), rng.uniform(0.25, 0.5)
        beat = rng.uniform(0.15, 0.3) if len(pitches) > 30 else rng.uniform(0.22, 0.42)
        now, phrase, stroke = 0.0, list[Note](), list[Note]()
        for number, pitch in enumerate(pitches):
            level = base + span * (pitch - 55) / 45 + rng.normal(0, 0.02)
            length = beat * rng.uniform(0.93, 1.07) * (2.5 if number == len(pitches) - 1 else 1.0)
            vibrato = _vibrato(pitch, rng) if length > 0.35 else 0.0
            note = Note(now, length, pitch, (level, level, level), 0.06, 0.05, 0.2, vibrato)
            stroke.append(note)
            now += length
            if len(stroke) == 8 or number == len(pitches) - 1:
                phrase += _slur(stroke, 0.12, rng)
                stroke = []
        yield phrase


def _strokes(rng: np.random.Generator) -> Iterator[Phrase]:
    """Separate bows: broad détaché, or biting martelé with the bow stopped in between."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    while True:
        martele = rng.uniform() < 0.5
        beat, level = rng.uniform(0.17, 0.4), rng.uniform(0.3, 0.95)
        key, degree = int(rng.integers(55, 62)), int(rng.integers(0, 14))
        now, phrase = 0.0, list[Note]()
        for _ in range(int(rng.integers(7, 14))):
            degree = int(np.clip(degree + rng.choice([-3, -2, -1, 1, 1, 2, 4]), 0, 20))
            pitch = key + 12 * (degree // 7) + int(scale[degree % 7])
            length = beat * rng.choice([1.0, 1.0, 1.0, 2.0]) * rng.uniform(0.95, 1.05)
            loud = float(np.clip(level + rng.normal(0, 0.07), 0.1, 1.0))
            if martele:
                shape = (loud + 0.05, loud - 0.1, loud - 0.3)
                sounding, attack, bite = min(0.55 * length, 0.22), rng.uniform(0.012, 0.022), 0.9
            else:
                shape = (loud - 0.06, loud, loud - 0.08)
                sounding, attack, bite = 0.93 * length, rng.uniform(0.03, 0.055), 0.4
            release = rng.uniform(0.03, 0.06) * (2.0 if pitch in OPEN_STRINGS else 1.0)
            vibrato = 0.6 * _vibrato(pitch, rng)
            phrase.append(Note(now, sounding, pitch, shape, attack, release, bite, vibrato))
            now += length + rng.normal(0.0, 0.004)
        yield phrase


def _melody(rng: np.random.Generator) -> Iterator[Phrase]:
    """Improvised minor melody: arched phrases, mixed bowings, a slide on some wide steps."""
    yield from _sing(rng, key=57, lowest=0, highest=16, beat=0.42)


def _high_song(rng: np.random.Generator) -> Iterator[Phrase]:
    """Slow song in high positions on the E string, up to E7."""
    yield from _sing(rng, key=76, lowest=0, highest=14, beat=0.62)


def _sing(
    rng: np.random.Generator, key: int, lowest: int, highest: int, beat: float
) -> Iterator[Phrase]:
    """Phrases that drift through the minor scale on `key` towards a goal, loudest midway."""
    scale = np.array([0, 2, 3, 5, 7, 8, 10])
    degree, climbed = (lowest + highest) // 2, False
    while True:
        count = int(rng.integers(5, 11))
        peak = rng.uniform(0.4, 0.95)
        # The first climb goes to the very top, so even a short take shows its full range.
        goal, climbed = (int(rng.integers(lowest, highest + 1)) if climbed else highest), True
        now, phrase, stroke = 0.0, list[Note](), list[Note]()
        for number in range(count):
            pull = int(np.sign(goal - degree)) * int(rng.integers(0, 3))
            degree = int(np.clip(degree + pull + rng.integers(-1, 2), lowest, highest))
            pitch = min(key + 12 * (degree // 7) + int(scale[degree % 7]), _HIGHEST_PITCH)
            length = beat * rng.choice([0.5, 1.0, 1.0, 1.5, 2.0, 3.0]) * rng.uniform(0.94, 1.06)
            length = 3.0 * beat if number == count - 1 else length
            arch = 0.15 + (peak - 0.15) * np.sin(np.pi * (number + 0.7) / (count + 0.4))
            levels = (arch - 0.05, arch + 0.08, arch - (0.3 if number == count - 1 else 0.02))
            attack, vibrato = rng.uniform(0.05, 0.1), _vibrato(pitch, rng)
            stroke.append(Note(now, length, pitch, levels, attack, 0.08, 0.2, vibrato))
            now += length
            if rng.uniform() < 0.4 or number == count - 1:
                phrase += _slur(stroke, 0.35, rng)
                stroke = []
        yield phrase


_SCORES: dict[str, Callable[[np.random.Generator], Iterator[Phrase]]] = {
    "violin_sustained": _sustained,
    "violin_legato": _legato,
    "violin_strokes": _strokes,
    "violin_melody": _melody,
    "violin_high": _high_song,
}
