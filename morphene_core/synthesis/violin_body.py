"""The violin's body and the room around it: one fixed response, rich in narrow resonances."""

import numpy as np
from scipy import signal

from morphene_core.synthesis.take import SAMPLE_RATE, Array, Curve

OPEN_STRINGS = (55, 62, 69, 76)
"""MIDI numbers of G3, D4, A4 and E5."""


def body_and_room(rng: np.random.Generator) -> Array:
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
    strings = (440.0 * 2 ** ((np.array(OPEN_STRINGS) - 69) / 12))[:, None] * np.arange(1, 6)
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
