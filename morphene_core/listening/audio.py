"""Audio as the browser gets it: files in parts, as it asks for them."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse

from morphene_core.audio.decode import open_audio
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import InputError
from morphene_core.listening.answers import HttpError

# What browsers decode themselves; all else is converted while it is sent.
_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}
_SAMPLE_BYTES = 2
_WAV_HEAD = 44


def audio_file(path: Path) -> Response:
    """Answer with a file, or the parts of it that were asked for; it is read as it is sent."""
    media_type = _TYPES.get(path.suffix.casefold())
    if media_type is None:
        return _converted(path)
    return FileResponse(path, media_type=media_type, headers={"cache-control": "no-cache"})


def blind_wav(audio: Mono, gain: float, noise: np.random.Generator) -> Response:
    """Answer with audio that tells nothing but how it sounds.

    Args:
        audio: shape (samples,), at 48 kHz.
        gain: factor of its level, 1 at most.
        noise: dither of the last of 24 bits, so that the same audio twice is never the same bytes.
    """
    dither = noise.random(len(audio)) - noise.random(len(audio))
    steps = np.clip(np.rint(audio * np.float64(gain) * 2**23 + dither), -(2**23), 2**23 - 1)
    whole = steps.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    data = _wav_head(len(audio) * 3, SAMPLE_RATE, 1, 3) + whole.tobytes()
    return Response(data, media_type="audio/wav")


def _converted(path: Path) -> Response:
    """Answer with a file that browsers do not read, as 16-bit WAV; seeking waits for what came."""
    parts = _wav_parts(path)
    try:
        first = next(parts)
    except (InputError, OSError) as error:
        raise HttpError(415, f"{path.name} cannot be played: {error}.") from error

    def everything() -> Iterator[bytes]:
        yield first
        yield from parts

    return StreamingResponse(iterate_in_threadpool(everything()), media_type="audio/wav")


def _wav_parts(path: Path) -> Iterator[bytes]:
    with open_audio(path) as stream:
        # Of unknown length: the largest that a WAV may have; players stop where the data does.
        yield _wav_head(2**31 - 2 * _WAV_HEAD, stream.sample_rate, stream.channels, _SAMPLE_BYTES)
        for block in stream.blocks():
            samples = np.clip(np.nan_to_num(block), -1, 1) * (2**15 - 1)
            yield np.rint(samples).astype("<i2").tobytes()


def _wav_head(size: int, sample_rate: int, channels: int, sample_bytes: int) -> bytes:
    frame = channels * sample_bytes
    head = io.BytesIO()
    head.write(struct.pack("<4sI4s", b"RIFF", size + _WAV_HEAD - 8, b"WAVE"))
    numbers = (16, 1, channels, sample_rate, sample_rate * frame, frame, 8 * sample_bytes)
    head.write(struct.pack("<4sIHHIIHH", b"fmt ", *numbers))
    head.write(struct.pack("<4sI", b"data", size))
    return head.getvalue()
