"""How late a model's sound comes out, measured by a burst that it is given once and once is not."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from morphene_core.audio.wav import Mono
from morphene_core.final_model import Method
from morphene_core.realtime.host import Signal
from morphene_core.realtime.player import Player
from morphene_core.realtime.signals import fitted, is_morph

_BURST_SECONDS = 0.01
_BURST = 0.5  # amplitude
_APART_SECONDS = 1.3  # more than the response of a full RAVE v2 lasts
_BURSTS = 3
_HEARD = 1e-3  # part of the largest response: -60 dB


@dataclass(frozen=True)
class Response:
    """When a burst is heard, in samples after it was played; the median of three bursts.

    Attributes:
        first: its first trace.
        most: the stretch of its length in which most of it is heard.
    """

    first: int
    most: int


def measure(player: Player, method: Method, audio: Mono) -> Response | None:
    """Play audio with and without bursts and look where the two differ.

    A network spreads a burst over all that it looks at around it, and shapes it by the sound that
    it lies in: so the bursts lie in a quiet copy of real audio.

    Args:
        player: plays with the same noise each time.
        method: from audio to audio; of ``morph``, the musical source at an amount of 0.
        audio: shape (samples,), at the player's rate.

    Returns:
        None where a burst changes nothing.
    """
    rate = player.rate
    apart, width = round(_APART_SECONDS * rate), round(_BURST_SECONDS * rate)
    # The second and third begin a third of a block later in theirs, each.
    starts = [apart // 2 + number * (apart + player.block // 3) for number in range(_BURSTS)]
    blocks = -(-(starts[-1] + apart) // player.block)
    background = 0.1 * np.resize(audio, blocks * player.block)
    played = background.copy()
    noise = np.random.default_rng(0).uniform(-_BURST, _BURST, width)
    for start in starts:
        played[start : start + width] += noise
    renders = [player.play(method, _given(method, of)) for of in (background, played)]
    difference = np.nan_to_num(np.abs(renders[1] - renders[0]).max(axis=0))
    if not difference.any():
        return None
    found = [_response(difference[start : start + apart], width) for start in starts]
    first, most = (int(np.median(of)) for of in zip(*found, strict=True))
    return Response(first, max(most, 0))


def _given(method: Method, audio: Mono) -> Signal:
    if is_morph(method):
        return np.asarray(np.stack([audio, audio, np.zeros_like(audio)]), np.float32)
    return fitted(audio[None].astype(np.float32), method.in_channels)


def _response(difference: Mono, width: int) -> tuple[int, int]:
    first = int((difference > _HEARD * difference.max()).argmax())
    energy = np.square(difference, dtype=np.float64)
    return first, int(uniform_filter1d(energy, width).argmax()) - width // 2
