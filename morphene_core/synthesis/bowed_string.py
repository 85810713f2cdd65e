"""A solo violin: a bowed-string model played from a small generated score.

Each note is a Helmholtz sawtooth whose corner is rounded by the bow force, read from wavetables
that hold its harmonics exactly, so nothing aliases and the cost does not grow with the number of
harmonics. The bridge force then passes one fixed body and room response, which is what turns
vibrato into the shimmer of harmonics crossing resonances.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, signal

from morphene_core.synthesis.take import (
    CONTROL_RATE,
    SAMPLE_RATE,
    Array,
    Curve,
    Take,
    control_points,
    finish_take,
    to_audio_rate,
    wander,
)

_OPEN_STRINGS = (55, 62, 69, 76)  # MIDI numbers of G3, D4, A4 and E5
_HIGHEST_PITCH = 100  # E7, the usual top of the orchestral range
_TABLE_SIZE = 4096
_HIGHEST_HARMONIC_HZ = 18_500.0
_DYNAMIC_RANGE_DB = 26.0  # pp to ff on one violin is commonly measured at 25 to 35 dB
_OUTPUT_GAIN = 0.42  # brings ff close to full scale without reaching the ceiling
_TAIL_SECONDS = 0.35

_Levels = tuple[float, float, float]


@dataclass(frozen=True)
class _Note:
    """One note; times in seconds, pitch as a MIDI number, levels 0 (pp) to 1 (ff).

    `levels` are the dynamics at the start, middle and end of the bow stroke. A note with
    `slurred_from` continues the bow stroke of the note before it from that pitch.
    """

    start: float
    duration: float
    pitch: float
    levels: _Levels
    attack: float = 0.05
    release: float = 0.07
    bite: float = 0.3
    vibrato_cents: float = 0.0
    slurred_from: float | None = None
    glide: float = 0.012

    @property
    def end(self) -> float:
        """Time at which the bow stops or moves on to the next note."""
        return self.start + self.duration


_Phrase = list[_Note]


def violin_takes(seconds: float = 120.0, seed: int = 10) -> Iterator[Take]:
    """Render five violin takes of `seconds` / 5 each, from G3 (196 Hz) up to E7 (2637 Hz).

    Sustained notes on all strings with swells, slurred scales and arpeggios, separate short
    strokes, a melodic improvisation with vibrato, and a high cantabile line. Same arguments,
    same bytes. Takes shorter than about ten seconds hold only a part of the range.
    """
    samples = round(seconds * SAMPLE_RATE / len(_SCORES))
    response = _body_and_room(np.random.default_rng([seed, 0]))
    for number, (name, score) in enumerate(_SCORES.items(), start=1):
        rng = np.random.default_rng([seed, number])
        notes = _fit(score(rng), samples / SAMPLE_RATE, rng)
        force = _bridge_force(notes, samples, rng)
        sound = signal.oaconvolve(force, response)[:samples]
        yield finish_take(name, np.asarray(sound * _OUTPUT_GAIN, dtype=np.float32))


# The instrument and its room -------------------------------------------------------------------


def _body_and_room(rng: np.random.Generator) -> Array:
    """Impulse response from bridge force to the sound in a small room; shape (samples,)."""
    body = _body_response(rng)
    room = _room_response(rng)
    return np.asarray(signal.oaconvolve(body, room), dtype=np.float32)


def _body_response(rng: np.random.Generator) -> Array:
    """Sum of decaying modes: air mode A0, the low plate modes, then many weak ones.

    Frequencies of the signature modes follow published modal analyses of good violins: A0 near
    275 Hz, CBR near 405, B1- near 455 and B1+ near 545 Hz, each with a Q of some tens. Above
    them the modes get too dense to name and only their mean level matters, which peaks in the
    bridge hill at 2 to 3 kHz and falls steeply beyond it.
    """
    dense = np.cumsum(rng.uniform(22.0, 62.0, 270)) + 600.0
    frequency = np.concatenate(([275.0, 405.0, 455.0, 545.0], dense))
    quality = np.concatenate(([22.0, 35.0, 32.0, 30.0], rng.uniform(22.0, 48.0, len(dense))))
    level_db = np.concatenate(([6.0, -4.0, 3.0, 4.0], _mode_level_db(dense)))
    level_db += rng.normal(0.0, 2.0, len(frequency))
    strings = (440.0 * 2 ** ((np.array(_OPEN_STRINGS) - 69) / 12))[:, None] * np.arange(1, 6)
    # The open strings ring along: long and faint, so they only show on notes they share.
    frequency = np.concatenate((frequency, strings.ravel()))
    decay = np.concatenate((quality / (np.pi * frequency[: len(quality)]), np.full(20, 0.22)))
    level_db = np.concatenate((level_db, np.full(20, -17.0)))
    time = np.arange(int(0.45 * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    sign = rng.choice([-1.0, 1.0], len(frequency))
    response = np.zeros_like(time)
    for hz, tau, gain in zip(frequency, decay, sign * 10 ** (level_db / 20) / decay, strict=True):
        live = time[: int(7.0 * tau * SAMPLE_RATE)]
        mode = np.cos(np.float32(2 * np.pi * hz) * live) * np.exp(live * np.float32(-1 / tau))
        response[: len(live)] += np.float32(gain * 2.0 / SAMPLE_RATE) * mode
    return response


def _mode_level_db(frequency: Curve) -> Curve:
    """Mean radiated level of the body's modes around `frequency` (Hz), in dB."""
    corners_hz = [600.0, 900.0, 1400.0, 2100.0, 2900.0, 4000.0, 6000.0, 9000.0, 14000.0]
    corners_db = [-2.5, -1.5, -5.0, 0.0, 0.0, -8.0, -15.0, -24.0, -36.0]
    return np.interp(np.log(frequency), np.log(corners_hz), corners_db)


def _room_response(rng: np.random.Generator) -> Array:
    """Direct sound, a few early reflections and a diffuse tail of a furnished small room."""
    response = np.zeros(int(0.5 * SAMPLE_RATE), dtype=np.float32)
    time = np.arange(len(response)) / SAMPLE_RATE
    diffuse = rng.standard_normal(len(response))
    dull = signal.sosfilt(signal.butter(1, 1200.0, fs=SAMPLE_RATE, output="sos"), diffuse)
    # Walls and furniture absorb treble: the bright part of the tail dies in half the time.
    tail = dull * np.exp(-time / 0.075) * 1.6 + (diffuse - dull) * np.exp(-time / 0.04) * 0.5
    tail *= np.clip((time - 0.006) / 0.02, 0.0, 1.0)
    response += (0.0125 * tail).astype(np.float32)
    for delay in rng.uniform(0.003, 0.032, 9):
        sign = rng.choice([-1.0, 1.0])
        response[int(delay * SAMPLE_RATE)] += sign * 0.22 * np.exp(-delay / 0.018)
    response[0] += 1.0
    return response


# The string under the bow ----------------------------------------------------------------------


def _bridge_force(notes: _Phrase, samples: int, rng: np.random.Generator) -> Array:
    """Force on the bridge while `notes` are played; shape (samples,)."""
    force = np.zeros(samples, dtype=np.float32)
    hiss = _friction_noise(samples, rng)
    phase = 0.0
    for note in notes:
        first = int(note.start * SAMPLE_RATE)
        length = min(int((note.duration + 7 * note.release) * SAMPLE_RATE), samples - first)
        if length <= 0:
            continue
        if note.slurred_from is None:
            phase = rng.uniform()
        noise = hiss[first : first + length]
        sound, phase = _play(note, noise, phase, rng)
        force[first : first + length] += sound
    return force


def _friction_noise(samples: int, rng: np.random.Generator) -> Array:
    """Rosin noise before it is gated by the slip of the string: broad, centred on 3 kHz."""
    white = rng.standard_normal(samples, dtype=np.float32)
    band = signal.butter(1, [900.0, 7500.0], "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(band, white), dtype=np.float32)


def _play(note: _Note, noise: Array, phase: float, rng: np.random.Generator) -> tuple[Array, float]:
    """One note's bridge force, and the string's phase (cycles) when its stroke ends.

    `noise` is the friction noise to use; its length is the length of the note with its ring.
    """
    samples = len(noise)
    points = control_points(samples)
    time = np.arange(points) / CONTROL_RATE
    level = _level_curve(note, time, rng)
    hertz = 440.0 * 2 ** ((_pitch_curve(note, time, rng) - 69.0) / 12)
    envelope = _stroke_envelope(note, time)
    cycles = phase + np.cumsum(to_audio_rate(hertz, samples), dtype=np.float64) / SAMPLE_RATE
    handover = float(cycles[min(samples - 1, int(note.duration * SAMPLE_RATE))])
    scratch = _scratch_curve(note, time)
    cycles += to_audio_rate(scratch * wander(rng, points, 480.0), samples)
    gain = 10 ** ((level - 1.0) * _DYNAMIC_RANGE_DB / 20) * envelope
    # Once the bow has left, the treble of a free string dies first.
    ringing = np.clip((time - note.duration) / (2.0 * note.release), 0.0, 1.0)
    brightness = np.clip(2.0 * level + 0.25 * wander(rng, points, 5.0) - 1.5 * ringing, 0.0, 2.0)
    tables = _wavetables(note, float(hertz.max()), rng)
    wave = _read_tables(tables, cycles, to_audio_rate(brightness, samples))
    # Friction noise falls less than the tone when played softly, so pp sounds airier than ff.
    bowing = np.where(time < note.duration, 1.0, np.exp((note.duration - time) / 0.02))
    hiss = 0.022 * 10 ** ((level - 1.0) * 0.6 * _DYNAMIC_RANGE_DB / 20) * envelope * bowing
    hiss *= 1.0 + 25.0 * scratch
    slip = _slip_gate(cycles)
    force = wave * to_audio_rate(gain, samples) + noise * slip * to_audio_rate(hiss, samples)
    return force, handover % 1.0


def _level_curve(note: _Note, time: Curve, rng: np.random.Generator) -> Curve:
    """Dynamics over the stroke: the written contour plus the unsteadiness of a human arm."""
    half = np.clip(2.0 * time / note.duration, 0.0, 2.0)
    eased = np.floor(half) + 0.5 - 0.5 * np.cos(np.pi * (half - np.floor(half)))
    written = np.interp(eased, [0.0, 1.0, 2.0], note.levels)
    unsteady = 0.020 * wander(rng, len(time), 3.0) + 0.012 * wander(rng, len(time), 11.0)
    return np.asarray(written + unsteady)


def _pitch_curve(note: _Note, time: Curve, rng: np.random.Generator) -> Curve:
    """MIDI pitch over the note: glide or settling, intonation drift, vibrato.

    Violinists start vibrato late, at 5 to 6.5 Hz, and mostly below the written pitch.
    """
    rate = rng.uniform(5.0, 6.4) * (1.0 + 0.05 * wander(rng, len(time), 2.0))
    onset = rng.uniform(0.10, 0.28)
    depth = note.vibrato_cents / 100 * np.clip((time - onset) / rng.uniform(0.25, 0.5), 0.0, 1.0)
    depth *= 1.0 + 0.18 * wander(rng, len(time), 2.5)
    turn = 2 * np.pi * np.cumsum(rate) / CONTROL_RATE + rng.uniform(0, 2 * np.pi)
    vibrato = depth * (np.sin(turn) - 0.3 + 0.08 * np.sin(2 * turn))
    drift = 0.025 * wander(rng, len(time), 1.5) + 0.012 * wander(rng, len(time), 18.0)
    pitch = note.pitch + rng.normal(0.0, 0.04) + drift + vibrato
    if note.slurred_from is not None:
        step = np.clip((time - 0.006) / note.glide, 0.0, 1.0)
        return np.asarray(pitch + (note.slurred_from - pitch) * (0.5 + 0.5 * np.cos(np.pi * step)))
    # A hard attack flattens the string until the Helmholtz motion has settled.
    return np.asarray(pitch - 0.35 * note.bite * np.exp(-time / 0.025))


def _stroke_envelope(note: _Note, time: Curve) -> Curve:
    """Amplitude of the stroke: build-up of the Helmholtz motion, then free decay."""
    rise = 0.008 if note.slurred_from is not None else note.attack
    attack = np.clip(time / rise, 0.0, 1.0)
    attack = attack * attack * (3.0 - 2.0 * attack)
    accent = 1.0 + 0.8 * note.bite * np.exp(-time / 0.07)
    stopped = np.maximum(time - note.duration, 0.0)
    decay = np.exp(-stopped / note.release) * np.clip(7.0 - stopped / note.release, 0.0, 1.0)
    return np.asarray(attack * accent * decay)


def _scratch_curve(note: _Note, time: Curve) -> Curve:
    """Irregularity of the slips in cycles: large until Helmholtz motion locks, then tiny."""
    start = 0.0 if note.slurred_from is not None else 0.05 + 0.3 * note.bite
    return np.asarray(start * np.exp(-time / (0.012 + 0.3 * note.attack)) + 0.0012)


def _wavetables(note: _Note, highest_hz: float, rng: np.random.Generator) -> Array:
    """Three single-cycle waves from soft to loud bowing; shape (3, table size + 1).

    An ideal Helmholtz corner gives a sawtooth, amplitude 1/n. Light bow force rounds the corner,
    and bowing a fraction `beta` from the bridge weakens the harmonics with a node at the bow.
    """
    count = max(1, int(_HIGHEST_HARMONIC_HZ / highest_hz))
    n = np.arange(1, count + 1)
    hertz = n * highest_hz
    beta = rng.uniform(0.115, 0.15) - np.array([0.0, 0.02, 0.045]) + rng.normal(0, 0.004, 3)
    corner = np.maximum(np.array([1500.0, 3400.0, 7500.0]) * rng.uniform(0.85, 1.2), 1.2 * hertz[0])
    node = 0.45 + 0.55 * np.abs(np.sin(np.pi * n * beta[:, None]))
    rounding = 1.0 / (1.0 + (hertz / corner[:, None]) ** 2)
    ragged = 10 ** (rng.normal(0.0, 1.6, (3, count)) / 20)
    spectrum = np.zeros((3, _TABLE_SIZE // 2 + 1), dtype=np.complex64)
    spectrum[:, 1 : count + 1] = -1j * node * rounding * ragged / n
    waves = fft.irfft(spectrum, axis=1) * (_TABLE_SIZE / 2) * rng.choice([-1.0, 1.0])
    return np.asarray(np.concatenate((waves, waves[:, :1]), axis=1), dtype=np.float32)


def _read_tables(tables: Array, cycles: Curve, brightness: Array) -> Array:
    """Read the waves at phase `cycles`, cross-faded by `brightness` from 0 to 2."""
    position = (cycles - np.floor(cycles)) * _TABLE_SIZE
    index = np.minimum(position.astype(np.int32), _TABLE_SIZE - 1)
    part = (position - index).astype(np.float32)
    soft = np.clip(1.0 - brightness, 0.0, 1.0)
    loud = np.clip(brightness - 1.0, 0.0, 1.0)
    wave = np.zeros(len(cycles), dtype=np.float32)
    for table, weight in zip(tables, (soft, 1.0 - soft - loud, loud), strict=True):
        value = table[index]
        wave += weight * (value + part * (table[index + 1] - value))
    return wave


def _slip_gate(cycles: Curve) -> Array:
    """Friction noise comes in bursts, one for every slip of the string past the bow."""
    from_slip = (cycles - np.floor(cycles)).astype(np.float32)
    distance = np.minimum(from_slip, 1.0 - from_slip)
    return np.asarray(0.45 + 2.4 * np.maximum(1.0 - distance / 0.14, 0.0) ** 2, dtype=np.float32)


# The score -------------------------------------------------------------------------------------


def _fit(phrases: Iterator[_Phrase], seconds: float, rng: np.random.Generator) -> _Phrase:
    """Lay phrases one after another, shortening or dropping what would not fit `seconds`."""
    last = seconds - min(_TAIL_SECONDS, 0.25 * seconds)
    notes: _Phrase = []
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
    return 0.0 if pitch in _OPEN_STRINGS else float(rng.uniform(11.0, 26.0))


def _string_of(pitch: float) -> int:
    """Index of the string a player would take in first position."""
    return int(np.clip((pitch - _OPEN_STRINGS[0]) // 7, 0, 3))


def _slur(notes: _Phrase, portamento: float, rng: np.random.Generator) -> _Phrase:
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


def _sustained(rng: np.random.Generator) -> Iterator[_Phrase]:
    """Long notes over all four strings, from pp to ff, with swells and fading strokes."""
    contours: list[_Levels] = [
        (0.5, 0.6, 0.55), (0.1, 0.95, 0.2), (0.1, 0.15, 0.1), (0.9, 1.0, 0.9),
        (0.75, 0.6, 0.1), (0.1, 0.4, 0.9), (0.3, 0.75, 0.4),
    ]  # fmt: skip
    number = 0
    while True:
        string = number % 4
        offset = 0 if number == 0 else int(rng.integers(0, 8 if string < 3 else 17))
        pitch = _OPEN_STRINGS[string] + offset
        levels = contours[number % len(contours)]
        attack = float(0.19 - 0.14 * levels[0] + rng.uniform(-0.01, 0.03))
        yield [
            _Note(
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


def _legato(rng: np.random.Generator) -> Iterator[_Phrase]:
    """Slurred scales and arpeggios; louder towards the top, the tempo breathing."""
    while True:
        pitches = _run_pitches(rng)
        base, span = rng.uniform(0.15, 0.45), rng.uniform(0.25, 0.5)
        beat = rng.uniform(0.15, 0.3) if len(pitches) > 30 else rng.uniform(0.22, 0.42)
        now, phrase, stroke = 0.0, list[_Note](), list[_Note]()
        for number, pitch in enumerate(pitches):
            level = base + span * (pitch - 55) / 45 + rng.normal(0, 0.02)
            length = beat * rng.uniform(0.93, 1.07) * (2.5 if number == len(pitches) - 1 else 1.0)
            vibrato = _vibrato(pitch, rng) if length > 0.35 else 0.0
            note = _Note(now, length, pitch, (level, level, level), 0.06, 0.05, 0.2, vibrato)
            stroke.append(note)
            now += length
            if len(stroke) == 8 or number == len(pitches) - 1:
                phrase += _slur(stroke, 0.12, rng)
                stroke = []
        yield phrase


def _strokes(rng: np.random.Generator) -> Iterator[_Phrase]:
    """Separate bows: broad détaché, or biting martelé with the bow stopped in between."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    while True:
        martele = rng.uniform() < 0.5
        beat, level = rng.uniform(0.17, 0.4), rng.uniform(0.3, 0.95)
        key, degree = int(rng.integers(55, 62)), int(rng.integers(0, 14))
        now, phrase = 0.0, list[_Note]()
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
            release = rng.uniform(0.03, 0.06) * (2.0 if pitch in _OPEN_STRINGS else 1.0)
            vibrato = 0.6 * _vibrato(pitch, rng)
            phrase.append(_Note(now, sounding, pitch, shape, attack, release, bite, vibrato))
            now += length + rng.normal(0.0, 0.004)
        yield phrase


def _melody(rng: np.random.Generator) -> Iterator[_Phrase]:
    """Improvised minor melody: arched phrases, mixed bowings, a slide on some wide steps."""
    yield from _sing(rng, key=57, lowest=0, highest=16, beat=0.42)


def _high_song(rng: np.random.Generator) -> Iterator[_Phrase]:
    """Slow song in high positions on the E string, up to E7."""
    yield from _sing(rng, key=76, lowest=0, highest=14, beat=0.62)


def _sing(
    rng: np.random.Generator, key: int, lowest: int, highest: int, beat: float
) -> Iterator[_Phrase]:
    """Phrases that drift through the minor scale on `key` towards a goal, loudest midway."""
    scale = np.array([0, 2, 3, 5, 7, 8, 10])
    degree, climbed = (lowest + highest) // 2, False
    while True:
        count = int(rng.integers(5, 11))
        peak = rng.uniform(0.4, 0.95)
        # The first climb goes to the very top, so even a short take shows its full range.
        goal, climbed = (int(rng.integers(lowest, highest + 1)) if climbed else highest), True
        now, phrase, stroke = 0.0, list[_Note](), list[_Note]()
        for number in range(count):
            pull = int(np.sign(goal - degree)) * int(rng.integers(0, 3))
            degree = int(np.clip(degree + pull + rng.integers(-1, 2), lowest, highest))
            pitch = min(key + 12 * (degree // 7) + int(scale[degree % 7]), _HIGHEST_PITCH)
            length = beat * rng.choice([0.5, 1.0, 1.0, 1.5, 2.0, 3.0]) * rng.uniform(0.94, 1.06)
            length = 3.0 * beat if number == count - 1 else length
            arch = 0.15 + (peak - 0.15) * np.sin(np.pi * (number + 0.7) / (count + 0.4))
            levels = (arch - 0.05, arch + 0.08, arch - (0.3 if number == count - 1 else 0.02))
            attack, vibrato = rng.uniform(0.05, 0.1), _vibrato(pitch, rng)
            stroke.append(_Note(now, length, pitch, levels, attack, 0.08, 0.2, vibrato))
            now += length
            if rng.uniform() < 0.4 or number == count - 1:
                phrase += _slur(stroke, 0.35, rng)
                stroke = []
        yield phrase


_SCORES: dict[str, Callable[[np.random.Generator], Iterator[_Phrase]]] = {
    "violin_sustained": _sustained,
    "violin_legato": _legato,
    "violin_strokes": _strokes,
    "violin_melody": _melody,
    "violin_high": _high_song,
}
