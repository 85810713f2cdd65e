"""A stand-in for nn~ 1.6: it drives a .ts as that host does, without the host.

What nn~ does with a block is read in its source (backend.cpp, nn_tilde.cpp), and was compared with
it in Pure Data: docs/realtime.md.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from morphene_core.errors import InputError
from morphene_core.realtime.model import MAX_BLOCK, LoadedModel, Value, last_line

Signal = NDArray[np.float32]
"""Shape (channels, frames)."""

Attributes = Mapping[str, Sequence[Value]]

SINGLE_BUFFER = 4096
"""Samples in nn~'s buffers for a method with one input and one output, whatever the block."""

TICK = 64
"""Samples that Max and Pure Data compute at a time."""


class BlockTime(NamedTuple):
    """What a block took, in seconds: on the clock, and of the processor in the block's thread.

    Threads that torch starts beside it are not counted: their sum may be beyond a deadline that the
    model meets.
    """

    wall: float
    cpu: float


class Host:
    """One method of one model, played block by block.

    As in nn~, there is no warm-up, a new thread computes each block, denormals are flushed, and a
    block that fails (an exception, the wrong length or type) leaves the output as it was: the block
    before again, or silence at first. It keeps nothing that grows with the blocks, so that memory
    that does is the model's.

    Args:
        model: fresh from its file; it is played, and has a state from then on.
        method: which of its methods.
        block: samples of audio per block, see `block_size`.
        attributes: what is set after loading.
        seed: of the noise that the model draws.
        optimized: see `LoadedModel.call`.

    Attributes:
        took: what the last block took.
        failed: how many blocks failed.
        error: why the first of them did, or "".

    Raises:
        MorpheneError: an attribute cannot be set.
    """

    def __init__(
        self,
        model: LoadedModel,
        method: str,
        block: int,
        attributes: Attributes,
        seed: int = 0,
        optimized: bool = False,
    ) -> None:
        self.method, self.block = model.methods[method], block
        self._attributes, self._seed, self._optimized = attributes, seed, optimized
        self._begin(model)
        self._out = np.zeros((self.method.out_channels, block), np.float32)
        self.took = BlockTime(0.0, 0.0)
        self.failed, self.error = 0, ""

    def reload(self) -> None:
        """Load the file again, as nn~ does at the message ``reload``."""
        self._begin(LoadedModel(self._model.path))

    def perform(self, audio: Signal) -> Signal:
        """Play one block.

        Args:
            audio: shape (channels of the method, block), all at the rate of audio.

        Returns:
            Shape (output channels, block), likewise. It is overwritten by the next block.
        """
        thread = threading.Thread(target=self._perform, args=(audio, torch.get_num_threads()))
        thread.start()
        thread.join()
        return self._out

    def _begin(self, model: LoadedModel) -> None:
        self._model = model
        for name, values in self._attributes.items():
            model.set(name, values)
        torch.manual_seed(self._seed)

    def _perform(self, audio: Signal, threads: int) -> None:
        torch.set_flush_denormal(True)  # both are settings of a thread
        torch.set_num_threads(threads)
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            self._compute(audio)
        except Exception as error:  # whatever a model raises: nn~ prints it and goes on
            self.failed += 1
            self.error = self.error or last_line(error)
        self.took = BlockTime(time.perf_counter() - wall, time.thread_time() - cpu)

    def _compute(self, audio: Signal) -> None:
        of = self.method
        # A copy, as in nn~: sums of floats depend on where in memory the numbers begin.
        x = torch.from_numpy(audio).clone()
        x = x.reshape(of.in_channels, 1, -1, of.in_ratio)[..., -1]
        y = self._model.call(of.name, x.permute(1, 0, 2), self._optimized)
        y = y.repeat_interleave(of.out_ratio).reshape(1, of.out_channels, -1)
        if y.shape[-1] != self.block:
            raise RuntimeError(f"{y.shape[-1]} samples came out in place of {self.block}")
        if y.dtype != torch.float32:
            raise RuntimeError(f"{y.dtype} came out in place of torch.float32")
        self._out[:] = y[0].numpy()


@contextmanager
def isolated(threads: int) -> Iterator[None]:
    """Leave torch's number of threads and its random numbers as they were."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


def block_size(model: LoadedModel, wanted: int) -> int:
    """Return the block that nn~ makes of the one that is asked for.

    At least the largest ratio of the model, else the next power of two.

    Raises:
        InputError: it would be larger than `MAX_BLOCK`.
    """
    if wanted > MAX_BLOCK:
        raise InputError(
            f"A block of {wanted:,} samples is no block to play in: give one of {MAX_BLOCK:,} or"
            " less."
        )
    return max(model.largest_ratio, 1 << max(wanted - 1, 0).bit_length())


def buffer_latency(inputs: int, outputs: int, block: int, threaded: bool) -> int:
    """Return by how many samples nn~ itself delays the output of a method, beside the model.

    Read in nn_tilde.cpp 1.6 and measured in Pure Data 0.53. The buffers of a method with one input
    and one output are those of the object before it has loaded a model, and hold 4096 samples.

    Args:
        inputs: channels of the method.
        outputs: likewise.
        block: samples per block.
        threaded: whether it computes beside the audio thread, which is nn~'s default; a buffer
            size of 0 turns that off.
    """
    filled = SINGLE_BUFFER if inputs == outputs == 1 else block
    return filled - TICK + (block if threaded else 0)


def play_blocks(
    host: Host,
    frames: Signal,
    reload_at: int | None = None,
    took: Callable[[BlockTime], None] = lambda _: None,
) -> Signal:
    """Play a signal through a host; a last incomplete block is left out, as the host would.

    Args:
        host: where it is played.
        frames: shape (channels, frames at the method's input ratio).
        reload_at: the block before which the model is loaded again.
        took: takes the time of each block.

    Returns:
        Shape (channels, frames at the method's output ratio).
    """
    of = host.method
    step, kept = host.block // of.in_ratio, host.block // of.out_ratio
    count = frames.shape[-1] // step
    heard = np.empty((of.out_channels, count * kept), np.float32)
    for index in range(count):
        if index == reload_at:
            host.reload()
        block = frames[:, index * step : (index + 1) * step]
        audio = host.perform(np.repeat(np.ascontiguousarray(block, np.float32), of.in_ratio, 1))
        took(host.took)
        heard[:, index * kept : (index + 1) * kept] = audio[:, of.out_ratio - 1 :: of.out_ratio]
    return heard
