"""Mono audio in files of our own: 24-bit WAV at 48 kHz."""

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from morphene_core.errors import InputError
from morphene_core.files import atomic_file

SAMPLE_RATE = 48_000
"""Sample rate of all prepared audio and of every instrument, in Hz."""

Mono = NDArray[np.float32]

_BLOCK_FRAMES = 1 << 16
_FRAME_BYTES = 3
_STEPS = 2**23
_LARGEST_WAV = 2**32 - 1  # its sizes have 32 bits; longer audio becomes RF64 (EBU Tech 3306)
_FORMAT = struct.pack(
    "<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * _FRAME_BYTES, _FRAME_BYTES, 24
)


class WavWriter:
    """Writes one file, block by block; used as a context.

    libsndfile takes a full disk for success or a failed assertion. Here it is the OSError that
    the system gave, and a file that ends well holds what was announced.

    Args:
        path: the file, in a folder that exists.
        frames: how many samples will be written.

    Raises:
        OSError: the file cannot be written (also from `write` and at the end).
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._announced, self._written = frames, 0
        self._digest = hashlib.sha256()
        self._file = path.open("wb")
        self._put(_header(frames * _FRAME_BYTES))

    def __enter__(self) -> "WavWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._put(bytes(self._written * _FRAME_BYTES % 2))  # chunks have even lengths
        if kind is None and self._written != self._announced:
            raise ValueError(f"{self._written} samples written, {self._announced} announced")

    def write(self, audio: NDArray[np.floating[Any]]) -> Mono:
        """Write samples, shape (samples,), full scale 1.0; what is beyond is clipped.

        Returns:
            The samples as they will be read: rounded to 24 bits.
        """
        rounded = np.clip(np.rint(audio * np.float32(_STEPS)), -_STEPS, _STEPS - 1)
        whole = rounded.astype("<i4").view(np.uint8).reshape(-1, 4)
        self._put(np.ascontiguousarray(whole[:, :_FRAME_BYTES]).data)
        self._written += len(audio)
        read_back: Mono = (rounded / _STEPS).astype(np.float32)
        return read_back

    @property
    def sha256(self) -> str:
        """Hash of what was written, complete once the context has ended."""
        return self._digest.hexdigest()

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)


def read_mono(path: Path) -> Mono:
    """Read an audio file as the mean of its channels, at its own sample rate.

    Returns:
        Shape (samples,), full scale 1.0.

    Raises:
        InputError: the file is missing or cannot be read as audio.
    """
    try:
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            blocks = sound.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True)
            return np.concatenate([np.empty(0, np.float32), *map(mono_mix, blocks)])
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path} cannot be read as audio: {error}") from error


def mono_mix(block: Mono, dc_offset: float = 0.0) -> Mono:
    """Return the mean of the channels less a constant.

    Args:
        block: shape (frames, channels).
        dc_offset: the constant, full scale 1.0.

    Returns:
        Shape (frames,).
    """
    mix = block[:, 0].astype(np.float64)
    for channel in block.T[1:]:  # ten times as fast as a mean over the short axis
        mix += channel
    return (mix / block.shape[1] - dc_offset).astype(np.float32)


def write_wav(path: Path, audio: NDArray[np.floating[Any]]) -> None:
    """Write mono audio at 48 kHz as 24-bit WAV, complete or not at all.

    Args:
        path: the file; its folder is made.
        audio: shape (samples,), full scale 1.0; what is beyond is clipped.
    """
    with atomic_file(path) as temporary, WavWriter(temporary, len(audio)) as wav:
        for start in range(0, len(audio), _BLOCK_FRAMES):
            wav.write(audio[start : start + _BLOCK_FRAMES])


def concatenate(paths: Iterable[Path]) -> Mono:
    """Read several files and join them end to end, shape (samples,).

    Raises:
        InputError: a file is missing or cannot be read as audio.
    """
    return np.concatenate([np.empty(0, np.float32), *(read_mono(path) for path in paths)])


def _header(size: int) -> bytes:
    """Return everything before ``size`` bytes of samples."""
    padded = size + size % 2
    riff = 4 + len(_FORMAT) + 8 + padded
    if riff <= _LARGEST_WAV:
        start = struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
        return start + _FORMAT + struct.pack("<4sI", b"data", size)
    # RF64: the 32-bit sizes are void, the "ds64" chunk (28 bytes and its head) holds true ones.
    start = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, riff + 36, size, size // _FRAME_BYTES, 0)
    return start + sizes + _FORMAT + struct.pack("<4sI", b"data", 0xFFFFFFFF)
