"""What an open audio file gives, whatever decodes it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from morphene_core.errors import InputError

BLOCK_FRAMES = 1 << 16

_BLOCK_SAMPLES = 1 << 20  # of all channels together: 4 MiB, for headers with hundreds of channels

Block = NDArray[np.float32]
"""Decoded audio, shape (frames, channels), full scale 1.0."""


def damaged(reason: str) -> InputError:
    """Return the error for a file that is audio and cannot be decoded."""
    return InputError(f"is damaged ({reason}): copy or export it again")


class NoAudioError(InputError):
    """A file that holds no audio, or none in a format that anything here reads.

    Attributes:
        reason: what it is instead.
        intact: whether it can be read as something else, such as a picture.
    """

    def __init__(self, reason: str, intact: bool = False) -> None:
        super().__init__(f"holds no audio ({reason}): remove it or replace it by audio")
        self.reason = reason
        self.intact = intact


class AudioStream(Protocol):
    """An open audio file.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        format: container and sample format, such as "WAV PCM_24".
        announced: frames that the file should give by its own account, or None where it gives
            none.
        slack: how many frames fewer than announced can be read of an intact file.
        lost: frames known to be damaged or missing between the beginning and the end, whether
            the decoder leaves them out or makes something up. Final once `blocks` has ended.
        damage: why reading broke off before the end, or what shows that the end is missing;
            otherwise None. Final once `blocks` has ended.
    """

    sample_rate: int
    channels: int
    format: str
    announced: int | None
    slack: int
    lost: int
    damage: str | None

    def blocks(self) -> Iterator[Block]:
        """Give the audio from the beginning to where it ends or cannot be read any more.

        A block has `BLOCK_FRAMES` frames at most and is the caller's to keep or to change.
        """


def block_frames(channels: int) -> int:
    """Return how many frames a block has, so that its size is bounded for any file."""
    return max(1, min(BLOCK_FRAMES, _BLOCK_SAMPLES // channels))


@contextmanager
def regular_file(path: Path) -> Iterator[int]:
    """Open a file for reading and give its descriptor; never wait for anything.

    Raises:
        OSError: the file cannot be opened; with `errno.EINVAL` because it is a fifo, a device, a
            socket or a folder.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # first: to open a tape, say, has effects
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)
