"""Playing an exported .ts block by block, as nn~ does. Needs torch, but no RAVE."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from morphene_core.audio.loudness import level_dbfs
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import InputError, MorpheneError

Signal = NDArray[np.float32]

BLOCKS = (2048, 4096)
"""Block sizes that are tried: RAVE's ratio, and nn~'s default."""

_SILENCE = 1e-5


@dataclass(frozen=True)
class Playback:
    """How a method of the model played.

    Attributes:
        method: its name.
        block: samples of audio per block.
        seconds: audio played.
        real_time_factor: time spent / time played; below 1 it keeps up, on this machine, on
            one thread. A first look, no proof: that needs a deadline per block.
        level_dbfs: RMS level of what came out.
    """

    method: str
    block: int
    seconds: float
    real_time_factor: float
    level_dbfs: float


class StreamingModel:
    """A loaded .ts with its streaming state, which starts anew with each instance.

    Args:
        path: the .ts.

    Raises:
        InputError: the file is no TorchScript.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._model = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{path} is no TorchScript model: {str(error).splitlines()[0]}"
            ) from error

    def shape(self, method: str) -> tuple[int, int, int, int]:
        """Return a method's input channels, input ratio, output channels and output ratio."""
        channels = getattr(self._model, f"{method}_params").tolist()
        return (int(channels[0]), int(channels[1]), int(channels[2]), int(channels[3]))

    @property
    def methods(self) -> list[str]:
        """Names of the methods that nn~ can call."""
        return [str(name) for name in self._model.get_methods()]

    @torch.inference_mode()
    def play(self, method: str, signal: Signal, block: int) -> Signal:
        """Run a method over a signal, block by block; a last incomplete block is left out.

        Args:
            method: its name.
            signal: shape (channels, frames): audio, or latents for ``decode``.
            block: samples of audio per block.

        Returns:
            Shape (channels, frames).
        """
        call = getattr(self._model, method)
        frames = block // self.shape(method)[1]
        x = torch.from_numpy(np.ascontiguousarray(signal))[None]
        outputs = [
            call(x[..., start : start + frames])[0]
            for start in range(0, x.shape[-1] - frames + 1, frames)
        ]
        return np.asarray(torch.cat(outputs, -1).numpy(), dtype=np.float32)


def check_playback(path: Path, audio: Mono, blocks: Sequence[int] = BLOCKS) -> list[dict[str, Any]]:
    """Play every method of a .ts in blocks and measure what comes out.

    Args:
        path: the .ts.
        audio: what it is given to play, shape (samples,), 48 kHz.
        blocks: block sizes to try.

    Returns:
        The fields of a `Playback` for each block size and method.

    Raises:
        MorpheneError: a method gives non-finite numbers, silence or the wrong length.
    """
    torch.set_num_threads(1)
    plays = []
    for block in blocks:
        usable = audio[None, : len(audio) // block * block]
        latents = StreamingModel(path).play("encode", usable, block)
        for method in ("encode", "decode", "forward"):
            model = StreamingModel(path)
            given = latents if method == "decode" else usable
            start = time.perf_counter()
            heard = model.play(method, given, block)
            spent = time.perf_counter() - start
            _require_sound(path, model.shape(method), method, block, usable.shape[-1], heard)
            seconds = usable.shape[-1] / SAMPLE_RATE
            factor, level = round(spent / seconds, 3), round(level_dbfs(heard), 1)
            plays.append(Playback(method, block, seconds, factor, level))
    return [asdict(play) for play in plays]


def _require_sound(
    path: Path,
    shape: tuple[int, int, int, int],
    method: str,
    block: int,
    samples: int,
    heard: Signal,
) -> None:
    wrong = None
    if heard.shape != (shape[2], samples // shape[3]):
        wrong = f"the wrong length ({heard.shape[-1]} for {samples // shape[3]})"
    elif not np.isfinite(heard).all():
        wrong = "non-finite numbers"
    elif np.abs(heard).max() < _SILENCE:
        wrong = "silence"
    if wrong:
        raise MorpheneError(f"{path}: {method} gives {wrong} in blocks of {block}.")
