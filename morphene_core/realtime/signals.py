"""What a model is given to play."""

from collections.abc import Callable

import numpy as np
import soxr

from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import InputError
from morphene_core.final_model import Method
from morphene_core.realtime.host import Signal

KNOWN = ("encode", "decode", "forward", "morph")
"""Methods that are known how to play; others of a model are named as not driven."""

MORPH_INPUTS = 3  # musical, non-musical, amount

_SWEEP_SECONDS = 4.0  # of the amount, there and back
_TAKES_SECONDS = 25.0  # five takes, of which the first is used

Encode = Callable[[Signal], Signal]


def sources(audio: tuple[Mono, Mono] | None, rate: int, least: int = 1) -> tuple[Mono, Mono]:
    """Return a musical and a non-musical source of one length at a model's rate.

    Args:
        audio: both, shape (samples,), 48 kHz; None synthesizes five seconds of each.
        rate: in Hz.
        least: samples that they have at least, repeated if need be: a block.

    Raises:
        InputError: there is nothing in them.
    """
    if audio is None:
        from morphene_core.synthesis import fire_takes, violin_takes

        violin, fire = (next(iter(of(_TAKES_SECONDS))) for of in (violin_takes, fire_takes))
        audio = (violin.audio, fire.audio)
    if not all(len(of) for of in audio):
        raise InputError("There is no audio to play through the model.")
    if rate != SAMPLE_RATE:
        audio = (_resampled(audio[0], rate), _resampled(audio[1], rate))
    length = max(least, *(len(of) for of in audio))
    musical, nonmusical = (np.resize(of, length).astype(np.float32) for of in audio)
    return musical, nonmusical


def frames_for(
    method: Method, musical: Mono, nonmusical: Mono, rate: int, encode: Encode
) -> Signal:
    """Return what a method is given to play, at its input ratio.

    Audio goes into every channel of ``encode`` and ``forward``: the musical source, then the other.
    ``morph`` gets one source in each of its two inputs, and an amount that goes there and back.
    ``decode`` gets latents of real audio.

    Args:
        method: one of `KNOWN`.
        musical: shape (samples,), at the model's rate.
        nonmusical: likewise, as long.
        rate: in Hz.
        encode: makes latents of audio, shape (1, samples).

    Returns:
        Shape (input channels, frames).
    """
    if is_morph(method):
        return np.stack([musical, nonmusical, triangle(len(musical), rate)])
    audio = np.concatenate([musical, nonmusical])[None]
    given = encode(audio) if method.name == "decode" else audio
    return fitted(given, method.in_channels)


def is_morph(method: Method) -> bool:
    """Return whether a method is Morphene's: two sources and an amount at the rate of audio."""
    return method.name == "morph" and (method.in_channels, method.in_ratio) == (MORPH_INPUTS, 1)


def playable(method: Method) -> bool:
    """Return whether a method is known how to play."""
    return is_morph(method) if method.name == "morph" else method.name in KNOWN


def fitted(given: Signal, channels: int) -> Signal:
    """Return a signal in as many channels as asked for, the first ones repeated if it has fewer."""
    chosen: Signal = np.ascontiguousarray(given[np.arange(channels) % len(given)])
    return chosen


def repeated(given: Signal, frames: int) -> Signal:
    """Return a signal of so many frames, from its beginning and over again."""
    signal: Signal = np.ascontiguousarray(given[:, np.arange(frames) % given.shape[-1]])
    return signal


def triangle(samples: int, rate: int) -> Mono:
    """Return an amount that goes from 0 to 1 and back, over and over, shape (samples,)."""
    phase = np.arange(samples) / (rate * _SWEEP_SECONDS) % 1.0
    return np.asarray(1 - np.abs(2 * phase - 1), np.float32)


def _resampled(audio: Mono, rate: int) -> Mono:
    return np.asarray(soxr.resample(audio, SAMPLE_RATE, rate), np.float32)
