"""A bowed string: notes to the force on the violin's bridge.

Each note is a Helmholtz sawtooth whose corner is rounded by the bow force, read from wavetables
that hold its harmonics exactly, so nothing aliases and the cost does not grow with the number of
harmonics.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from morphene_core.synthesis.take import (
    CONTROL_RATE,
    SAMPLE_RATE,
    Array,
    Curve,
    control_points,
    to_audio_rate,
    wander,
)

_TABLE_SIZE = 4096
_HIGHEST_HARMONIC_HZ = 18_500.0
_DYNAMIC_RANGE_DB = 26.0  # pp to ff on one violin is commonly measured at 25 to 35 dB

Levels = tuple[float, float, float]


@dataclass(frozen=True)
class Note:
    """One note; times in seconds, pitch as a MIDI number, levels 0 (pp) to 1 (ff).

    `levels` are the dynamics at the start, middle and end of the bow stroke. A note with
    `slurred_from` continues the bow stroke of the note before it from that pitch.
    """

    start: float
    duration: float
    pitch: float
    levels: Levels
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


Phrase = list[Note]


def bridge_force(notes: Phrase, samples: int, rng: np.random.Generator) -> Array:
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


def _play(note: Note, noise: Array, phase: float, rng: np.random.Generator) -> tuple[Array, float]:
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


def _level_curve(note: Note, time: Curve, rng: np.random.Generator) -> Curve:
    """Dynamics over the stroke: the written contour plus the unsteadiness of a human arm."""
    half = np.clip(2.0 * time / note.duration, 0.0, 2.0)
    eased = np.floor(half) + 0.5 - 0.5 * np.cos(np.pi * (half - np.floor(half)))
    written = np.interp(eased, [0.0, 1.0, 2.0], note.levels)
    unsteady = 0.020 * wander(rng, len(time), 3.0) + 0.012 * wander(rng, len(time), 11.0)
    return np.asarray(written + unsteady)


def _pitch_curve(note: Note, time: Curve, rng: np.random.Generator) -> Curve:
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


def _stroke_envelope(note: Note, time: Curve) -> Curve:
    """Amplitude of the stroke: build-up of the Helmholtz motion, then free decay."""
    rise = 0.008 if note.slurred_from is not None else note.attack
    attack = np.clip(time / rise, 0.0, 1.0)
    attack = attack * attack * (3.0 - 2.0 * attack)
    accent = 1.0 + 0.8 * note.bite * np.exp(-time / 0.07)
    stopped = np.maximum(time - note.duration, 0.0)
    decay = np.exp(-stopped / note.release) * np.clip(7.0 - stopped / note.release, 0.0, 1.0)
    return np.asarray(attack * accent * decay)


def _scratch_curve(note: Note, time: Curve) -> Curve:
    """Irregularity of the slips in cycles: large until Helmholtz motion locks, then tiny."""
    start = 0.0 if note.slurred_from is not None else 0.05 + 0.3 * note.bite
    return np.asarray(start * np.exp(-time / (0.012 + 0.3 * note.attack)) + 0.0012)


def _wavetables(note: Note, highest_hz: float, rng: np.random.Generator) -> Array:
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
