"""Audio files of any format, decoded block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 16

Block = NDArray[np.float32]
"""Decoded audio, shape (frames, channels), full scale 1.0."""


class AudioStream:
    """An open audio file.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        format: container and sample format, such as "WAV PCM_24".
        announced: frames that the file says it has, or None where it does not say.
        damage: why reading broke off before the end, or None; known once `blocks` has ended.
    """

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self._sound = sound
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        self.format = f"{sound.format} {sound.subtype}"
        self.announced: int | None = sound.frames
        self.damage: str | None = None

    def blocks(self) -> Iterator[Block]:
        """Give the audio from the beginning to where it ends or cannot be read any more."""
        while len(block := self._sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield block


@contextmanager
def open_audio(path: Path) -> Iterator[AudioStream]:
    """Open an audio file.

    Raises:
        InputError: the file is no audio.
        OSError: the file cannot be opened.
    """
    # By descriptor: by name, libsndfile takes some suffixes for headerless audio.
    with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        yield AudioStream(sound)
