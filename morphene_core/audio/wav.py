"""Reading and writing mono audio."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from morphene_core.errors import InputError
from morphene_core.files import atomic_file

SAMPLE_RATE = 48_000
"""Sample rate of all prepared audio and of every instrument, in Hz."""

Mono = NDArray[np.float32]

_BLOCK_FRAMES = 1 << 16


def read_mono(path: Path) -> Mono:
    """Read an audio file as the mean of its channels, at its own sample rate.

    Returns:
        Shape (samples,), full scale 1.0.

    Raises:
        InputError: the file is missing or cannot be read as audio.
    """
    return _read(path, lambda rate: lambda block, last: block)


def read_resampled(path: Path) -> Mono:
    """Read an audio file as the mean of its channels at 48 kHz (soxr, very high quality).

    Both are done while reading, so that memory holds the result and little more.

    Returns:
        Shape (samples,), full scale 1.0.

    Raises:
        InputError: the file is missing or cannot be read as audio.
    """
    return _read(path, _resampler)


def write_wav(path: Path, audio: NDArray[np.floating[Any]], subtype: str = "PCM_24") -> None:
    """Write mono audio at 48 kHz as WAV, complete or not at all.

    Args:
        path: the file; its folder is made.
        audio: shape (samples,), full scale 1.0; an integer subtype clips what is beyond.
        subtype: libsndfile's name of the sample format.
    """
    with atomic_file(path) as temporary:
        soundfile.write(temporary, audio, SAMPLE_RATE, subtype=subtype, format="WAV")


def concatenate(paths: Iterable[Path]) -> Mono:
    """Read several files and join them end to end, shape (samples,).

    Raises:
        InputError: a file is missing or cannot be read as audio.
    """
    return np.concatenate([np.empty(0, np.float32), *(read_mono(path) for path in paths)])


_Convert = Callable[[Mono, bool], Mono]


def _read(path: Path, converter: Callable[[int], _Convert]) -> Mono:
    blocks = [np.empty(0, np.float32)]
    try:
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            convert, read = converter(sound.samplerate), 0
            while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                read += len(block)
                mono = block.mean(axis=1, dtype=np.float64).astype(np.float32)
                blocks.append(convert(mono, read >= sound.frames))
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read as audio: {error}") from error
    return np.concatenate(blocks)


def _resampler(rate: int) -> _Convert:
    if rate == SAMPLE_RATE:
        return lambda block, last: block
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="VHQ")
    return lambda block, last: stream.resample_chunk(block, last=last)
