"""Raw recordings as mono audio at 48 kHz, block by block."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from morphene_core.audio.decode import open_audio
from morphene_core.audio.wav import SAMPLE_RATE, Mono, mono_mix
from morphene_core.errors import InputError


def mono_blocks(path: Path, dc_offset: float = 0.0) -> Iterator[Mono]:
    """Give the mean of a recording's channels at 48 kHz (soxr, very high quality).

    Args:
        path: audio of any format, rate and number of channels.
        dc_offset: constant that is subtracted, full scale 1.0.

    Yields:
        Blocks of shape (samples,). However they are cut, together they are the same samples.

    Raises:
        InputError: the file is missing or cannot be read as audio.
    """
    try:
        with open_audio(path) as stream:
            mixed = (mono_mix(block, dc_offset) for block in stream.blocks())
            yield from _resampled(mixed, stream.sample_rate)
    except OSError as error:
        raise InputError(f"{path} cannot be read as audio: {error}") from error


def _resampled(blocks: Iterator[Mono], rate: int) -> Iterator[Mono]:
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
