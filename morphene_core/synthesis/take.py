"""A synthesized take, how it is finished, and the slow control curves all takes are driven by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

Array = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]

SAMPLE_RATE = 48_000
CONTROL_HOP = 48
CONTROL_RATE = SAMPLE_RATE // CONTROL_HOP

_PEAK_CEILING = 10 ** (-1.5 / 20)
_FADE_SECONDS = 0.025
_SUBSONIC_HZ = 25.0


@dataclass(frozen=True)
class Take:
    """One continuous recording: float32 mono `audio` of shape (samples,) at 48 kHz.

    The peak never exceeds -1 dBFS and both ends fade from and to silence.
    """

    name: str
    audio: Array


def finish_take(name: str, audio: Array) -> Take:
    """Remove the subsonic part of `audio` (shape (samples,)), fade both ends, bound the peak.

    A quiet take stays quiet: the gain is only lowered, so takes keep their relative dynamics.
    """
    highpass = signal.butter(2, _SUBSONIC_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
    clean = signal.sosfilt(highpass, audio)
    fade = min(int(_FADE_SECONDS * SAMPLE_RATE), len(clean) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    clean[:fade] *= ramp
    clean[len(clean) - fade :] *= ramp[::-1]
    clean -= clean.mean() * np.sin(np.pi * np.arange(len(clean)) / len(clean)) * (np.pi / 2)
    peak = float(np.abs(clean).max())
    if peak > _PEAK_CEILING:
        clean *= _PEAK_CEILING / peak
    return Take(name, clean.astype(np.float32))


def wander(rng: np.random.Generator, points: int, cutoff_hz: float) -> Curve:
    """Smooth random control curve, shape (points,) at `CONTROL_RATE`, of roughly unit variance.

    Random values at `cutoff_hz` joined by smoothstep segments: no energy far above the cutoff,
    so the curve can drive pitch or gain without adding an audible sideband.
    """
    position = np.arange(points) * (cutoff_hz / CONTROL_RATE) + rng.uniform()
    whole = position.astype(np.int64)
    part = position - whole
    values = rng.standard_normal(int(position[-1]) + 2) * 1.2
    eased = part * part * (3.0 - 2.0 * part)
    return np.asarray(values[whole] + (values[whole + 1] - values[whole]) * eased)


def to_audio_rate(curve: Curve, samples: int) -> Array:
    """Linear interpolation of a control curve to audio rate; float32 of shape (samples,)."""
    ramp = np.arange(CONTROL_HOP, dtype=np.float32) / CONTROL_HOP
    start = curve[:-1, None].astype(np.float32)
    step = np.diff(curve)[:, None].astype(np.float32)
    return np.asarray((start + step * ramp).ravel()[:samples], dtype=np.float32)


def control_points(samples: int) -> int:
    """Number of control points `to_audio_rate` needs to cover `samples`."""
    return -(-samples // CONTROL_HOP) + 1
