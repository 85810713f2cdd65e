"""What plays a model while something is tried on it: the stand-in of nn~, or a real host."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

from morphene_core.final_model import Method
from morphene_core.realtime.host import Attributes, BlockTime, Host, Signal, play_blocks
from morphene_core.realtime.model import LoadedModel


class Player(Protocol):
    """Plays methods of one model, each time from the state that is in its file.

    Attributes:
        block: samples of audio per block.
        rate: in Hz.
        times_ms: what the blocks that were played last took of the processor; empty if unknown.
        errors: what the host said of blocks that failed; empty if none did.
    """

    block: int
    rate: int
    times_ms: list[float]
    errors: list[str]

    def play(self, method: Method, frames: Signal, reload_at: int | None = None) -> Signal:
        """Play a signal.

        Args:
            method: of the model.
            frames: shape (channels, frames at the method's input ratio).
            reload_at: the block before which the model is loaded again.

        Returns:
            Shape (channels, frames at the method's output ratio).
        """


class StandIn:
    """The stand-in of nn~ as a `Player`; its times are those of the processor.

    Args:
        model: fresh from its file. It is not played itself, copies of it are.
        block: samples of audio per block.
        rate: in Hz.
        attributes: what is set after loading.
        seed: of the noise that the model draws.
    """

    def __init__(
        self, model: LoadedModel, block: int, rate: int, attributes: Attributes, seed: int = 0
    ) -> None:
        self.block, self.rate = block, rate
        self.times_ms: list[float] = []
        self.errors: list[str] = []
        self._model, self._attributes, self._seed = model, attributes, seed

    def play(self, method: Method, frames: Signal, reload_at: int | None = None) -> Signal:
        """Play a signal, see `Player.play`."""
        copy = self._model.copy()
        host = Host(copy, method.name, self.block, self._attributes, self._seed)
        times: list[BlockTime] = []
        heard = play_blocks(host, frames, reload_at, times.append)
        self.times_ms = [1e3 * of.cpu for of in times]
        self.errors = [host.error] if host.failed else []
        return heard

    def play_at_once(self, method: Method, frames: Signal) -> Signal:
        """Play a whole signal in one call of a fresh model: offline, so to say.

        Whatever the model raises is raised.
        """
        model = self._model.copy()
        for name, values in self._attributes.items():
            model.set(name, values)
        torch.manual_seed(self._seed)
        y = model.call(method.name, torch.from_numpy(np.ascontiguousarray(frames))[None].clone())
        return np.asarray(y[0].numpy(), np.float32)


Offline = Callable[[Method, Signal], Signal]
"""Plays a method in one call, see `StandIn.play_at_once`."""
