"""A wood fire: turbulent roar, flame flutter, hiss, and clustered crackles.

The roar is the noise of turbulent combustion, steep towards low frequencies and gusting on many
time scales. A crackle is steam or gas bursting a wood cell: a broadband impulse with a very short
ring. One burst opens cracks that set off others, so crackles arrive in self-exciting clusters,
and their strengths are heavy-tailed: a few pops stand far above countless faint ticks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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

_GRAINS_PER_FAMILY = 96
_GRAIN_SECONDS = 0.09
_LOUDEST_BURST = 18.0  # relative to a median crackle; keeps one pop from setting the level
_SPECTRUM_HZ = [20.0, 45.0, 90.0, 180.0, 350.0, 700.0, 1400.0, 2800.0, 5600.0, 11000.0, 20000.0]
# Densities in dB. The roar loses about 9 dB per octave above its peak, as open flames do; the
# flame layer is the flatter, fluttering part that remains in the mids and highs.
_ROAR_DB = [-14.0, -2.0, 0.0, -7.0, -16.0, -25.0, -35.0, -46.0, -58.0, -72.0, -90.0]
_FLAME_DB = [-60.0, -40.0, -22.0, -10.0, -3.0, 0.0, -2.0, -4.0, -7.0, -12.0, -22.0]


@dataclass(frozen=True)
class _Scene:
    """How one fire burns. Levels are RMS gains; rates are events per second."""

    roar: float
    flame: float
    gusting: float
    crackle: float
    spark_rate: float
    offspring: float
    tail_index: float
    pop_rate: float
    sizzle_rate: float
    closeness: float


_SCENES = {
    "fire_campfire": _Scene(0.045, 0.0032, 0.8, 0.060, 14.0, 0.62, 1.45, 0.20, 0.08, 0.4),
    "fire_blaze": _Scene(0.130, 0.0200, 0.6, 0.060, 24.0, 0.55, 1.8, 0.35, 0.04, 0.6),
    "fire_hearth": _Scene(0.030, 0.0018, 0.7, 0.055, 8.0, 0.68, 1.3, 0.45, 0.10, 1.0),
    "fire_embers": _Scene(0.014, 0.0014, 0.5, 0.034, 8.0, 0.66, 1.6, 0.04, 0.22, 0.5),
}


def fire_takes(seconds: float = 120.0, seed: int = 10) -> Iterator[Take]:
    """Render four fire takes of `seconds` / 4 each; same arguments, same bytes.

    A campfire heard from close by, a roaring blaze, a hearth with loud pops, and dying embers.
    """
    samples = round(seconds * SAMPLE_RATE / len(_SCENES))
    for number, (name, scene) in enumerate(_SCENES.items()):
        rng = np.random.default_rng([seed, number])
        strength = _gusts(scene, samples, rng)
        sound = _roar(scene, strength, samples, rng)
        sound += _crackles(scene, strength, samples, rng)
        yield finish_take(name, sound)


# The flames ------------------------------------------------------------------------------------


def _gusts(scene: _Scene, samples: int, rng: np.random.Generator) -> Curve:
    """Burning strength over time around 1, as a control curve: slow swells down to licks."""
    points = control_points(samples)
    log_strength = np.zeros(points)
    for cutoff_hz, depth in ((0.15, 0.35), (0.6, 0.25), (2.2, 0.18), (7.0, 0.12)):
        log_strength += depth * wander(rng, points, cutoff_hz)
    return np.asarray(np.exp(scene.gusting * log_strength))


def _roar(scene: _Scene, strength: Curve, samples: int, rng: np.random.Generator) -> Array:
    """Low roar plus the fluttering hiss of the flames; shape (samples,)."""
    points = len(strength)
    # Flames pinch off at some ten puffs a second; each puff drags a burst of hiss along.
    puffs = np.exp(0.40 * wander(rng, points, 11.0) + 0.30 * wander(rng, points, 27.0))
    licks = np.exp(0.3 * wander(rng, points, 4.0))
    low = _shaped_noise(samples, _ROAR_DB, rng) * to_audio_rate(scene.roar * strength, samples)
    flame_gain = scene.flame * strength * puffs * licks
    high = _shaped_noise(samples, _FLAME_DB, rng) * to_audio_rate(flame_gain, samples)
    return np.asarray(low + high, dtype=np.float32)


def _shaped_noise(samples: int, density_db: list[float], rng: np.random.Generator) -> Array:
    """Gaussian noise of unit RMS whose density follows `density_db` at `_SPECTRUM_HZ`."""
    size = fft.next_fast_len(samples, real=True)
    hertz = np.maximum(fft.rfftfreq(size, 1.0 / SAMPLE_RATE), 1.0)
    shape = np.interp(np.log(hertz), np.log(_SPECTRUM_HZ), density_db)
    gain = (10 ** (shape / 20) * (hertz > 15.0)).astype(np.float32)
    gain /= np.sqrt(np.mean(gain**2))
    noise = fft.rfft(rng.standard_normal(size, dtype=np.float32))
    return np.asarray(fft.irfft(noise * gain, n=size)[:samples], dtype=np.float32)


# The wood --------------------------------------------------------------------------------------


def _crackles(scene: _Scene, strength: Curve, samples: int, rng: np.random.Generator) -> Array:
    """All impulsive sounds with the reflections of the fire's surroundings; shape (samples,)."""
    times, sizes = _crackle_events(scene, strength, samples / SAMPLE_RATE, rng)
    dry = np.zeros(samples + int(_GRAIN_SECONDS * SAMPLE_RATE) + 1, dtype=np.float32)
    ticks, cracks, snaps = (_grains(family, rng) for family in _FAMILIES)
    picks = rng.integers(0, _GRAINS_PER_FAMILY, (len(times), 2))
    mixes = rng.uniform(0.2, 1.0, (len(times), 2)) * rng.choice([-1.0, 1.0], (len(times), 2))
    starts = (times * SAMPLE_RATE).astype(np.int64)
    for start, size, pick, mix in zip(starts, sizes, picks, mixes, strict=True):
        # Bigger bursts move more wood, so they ring lower and longer.
        first, second = (snaps, cracks) if size > 9.0 else (cracks, ticks)
        if size < 1.8:
            first = ticks
        for grain, gain in ((first[pick[0]], mix[0]), (second[pick[1]], 0.6 * mix[1])):
            dry[start : start + len(grain)] += np.float32(scene.crackle * size * gain) * grain
    dry[:samples] += _sizzle(scene, samples, rng)
    wet = signal.oaconvolve(dry, _surroundings(scene, rng))[:samples]
    return np.asarray(wet, dtype=np.float32)


def _crackle_events(
    scene: _Scene, strength: Curve, seconds: float, rng: np.random.Generator
) -> tuple[Curve, Curve]:
    """Times (seconds, unordered) and sizes of a self-exciting process with Pareto sizes.

    Spontaneous sparks follow the burning strength; every event then triggers on average
    `offspring` others within some tens of milliseconds (a branching, or Hawkes, process).
    """
    rate = scene.spark_rate * strength * np.exp(0.8 * wander(rng, len(strength), 0.5))
    expected = np.cumsum(rate) / CONTROL_RATE
    count = rng.poisson(expected[-1])
    sparks = np.interp(rng.uniform(0, expected[-1], count), expected, np.arange(len(rate)))
    generation = sparks / CONTROL_RATE
    sizes = _pareto(scene.tail_index, count, rng)
    pops = rng.uniform(0, seconds, rng.poisson(scene.pop_rate * seconds))
    generation = np.concatenate((generation, pops))
    sizes = np.concatenate((sizes, rng.uniform(8.0, 16.0, len(pops))))
    all_times, all_sizes = [generation], [sizes]
    while len(generation):
        # A big burst opens more cracks than a faint tick does.
        children = rng.poisson(scene.offspring * np.minimum(np.sqrt(sizes) * 0.6, 3.0))
        parents = np.repeat(generation, children)
        delays = np.exp(rng.normal(np.log(0.035), 1.0, len(parents)))
        generation = parents + delays
        inherited = np.repeat(sizes, children) ** 0.25
        sizes = 0.7 * inherited * _pareto(scene.tail_index, len(parents), rng)
        keep = generation < seconds
        generation, sizes = generation[keep], sizes[keep]
        all_times.append(generation)
        all_sizes.append(sizes)
    times, loud = np.concatenate(all_times), np.concatenate(all_sizes)
    inside = times < seconds
    return times[inside], np.minimum(loud[inside], _LOUDEST_BURST)


def _pareto(tail_index: float, count: int, rng: np.random.Generator) -> Curve:
    """Heavy-tailed burst sizes from 0.25 up."""
    return 0.25 * (1.0 + rng.pareto(tail_index, count))


@dataclass(frozen=True)
class _Family:
    """Ranges a family of impulse grains is drawn from; hertz and seconds."""

    ring_hz: tuple[float, float]
    ring_decay: tuple[float, float]
    burst_decay: tuple[float, float]
    body_hz: tuple[float, float]
    body_level: float


_FAMILIES = (
    _Family((3000.0, 14000.0), (0.0001, 0.0006), (0.0001, 0.0005), (900.0, 2500.0), 0.05),
    _Family((1100.0, 9000.0), (0.0003, 0.0020), (0.0003, 0.0025), (400.0, 1200.0), 0.25),
    _Family((800.0, 5000.0), (0.0006, 0.0040), (0.0015, 0.0120), (110.0, 420.0), 0.55),
)


def _grains(family: _Family, rng: np.random.Generator) -> list[Array]:
    """Impulse waveforms of one family, each of unit peak and trimmed to where it is audible.

    A grain is a noise burst, two short resonances of the splitting fibre, and a lower thump.
    """
    time = np.arange(int(_GRAIN_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    edge = np.minimum(time / 0.00006, 1.0)
    grains = []
    for _ in range(_GRAINS_PER_FAMILY):
        burst_tau = np.exp(rng.uniform(*np.log(family.burst_decay)))
        audible = min(8.0 * burst_tau + 0.004 + 0.08 * family.body_level, _GRAIN_SECONDS)
        live = time[: int(audible * SAMPLE_RATE)]
        sound = 0.7 * rng.standard_normal(len(live)) * np.exp(-live / burst_tau)
        for _ in range(2):
            hertz = np.exp(rng.uniform(*np.log(family.ring_hz)))
            tau = np.exp(rng.uniform(*np.log(family.ring_decay)))
            wave = np.sin(2 * np.pi * hertz * live + rng.uniform(0.0, 2 * np.pi))
            sound += rng.uniform(0.3, 1.0) * wave * np.exp(-live / tau)
        thump_hz = np.exp(rng.uniform(*np.log(family.body_hz)))
        thump = np.sin(2 * np.pi * thump_hz * live) * np.exp(-live * thump_hz / 1.6)
        sound += family.body_level * rng.uniform(0.3, 1.3) * thump
        sound *= edge[: len(live)] * (1.0 - (live / live[-1]) ** 4)
        grains.append((sound / np.abs(sound).max()).astype(np.float32))
    return grains


def _sizzle(scene: _Scene, samples: int, rng: np.random.Generator) -> Array:
    """Steam escaping from damp wood: swells of dense, bright micro-ticks; shape (samples,)."""
    points = control_points(samples)
    time = np.arange(points) / CONTROL_RATE
    envelope = np.zeros(points)
    for centre in rng.uniform(0.0, time[-1], rng.poisson(scene.sizzle_rate * time[-1])):
        rise, fall = rng.uniform(0.04, 0.3), rng.uniform(0.15, 1.2)
        since = time - centre
        envelope += rng.uniform(0.3, 1.0) * np.exp(np.where(since < 0, since / rise, -since / fall))
    envelope *= np.exp(0.5 * wander(rng, points, 35.0))
    white = rng.standard_normal(samples, dtype=np.float32)
    # Keeping only the rare large values turns smooth noise into the grain of boiling sap.
    grainy = 0.25 * white + np.where(np.abs(white) > 2.2, white, np.float32(0.0))
    band = signal.butter(1, [3500.0, 11000.0], "bandpass", fs=SAMPLE_RATE, output="sos")
    loudness = to_audio_rate(0.07 * scene.crackle * envelope, samples)
    return np.asarray(signal.sosfilt(band, grainy) * loudness, dtype=np.float32)


def _surroundings(scene: _Scene, rng: np.random.Generator) -> Array:
    """Impulse response of logs, ground and walls around the fire; shape (samples,).

    In the open only the near logs and the ground answer; a hearth also has its brick cavity.
    """
    time = np.arange(int(0.35 * SAMPLE_RATE)) / SAMPLE_RATE
    diffuse = rng.standard_normal(len(time))
    treble_loss = signal.butter(1, 4500.0, fs=SAMPLE_RATE, output="sos")
    diffuse = signal.sosfilt(treble_loss, diffuse) * np.minimum(time / 0.0015, 1.0)
    near = 0.09 * np.exp(-time / 0.014)
    far = 0.022 * scene.closeness * np.exp(-time / 0.045)
    response = diffuse * (near + far)
    response[0] += 1.0
    return np.asarray(response, dtype=np.float32)
