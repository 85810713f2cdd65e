"""MPEG audio (MP3) by its frames: how much of a file is valid.

Without a Xing header nothing in an MP3 says how long it is. libsndfile then estimates the length
from the first frame's bit rate, and reads no further than that.
"""

import os
from dataclasses import dataclass

_CHUNK = 1 << 20
_HEADER = 4
_BIT_RATES = {  # kbit/s by (MPEG 1?, layer), ISO 11172-3 and 13818-3
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {  # Hz by version: MPEG 1, 2 and 2.5
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}


@dataclass(frozen=True)
class MpegExtent:
    """What a walk from frame to frame through a file found.

    Attributes:
        samples: that the valid frames hold, per channel.
        counted: whether the file has a Xing or Info header, which says how long it is.
        lost: samples that the bytes between valid frames would have held, at the mean bit rate;
            a last frame that is cut counts whole.
    """

    samples: int
    counted: bool
    lost: int


def mpeg_extent(descriptor: int) -> MpegExtent:
    """Walk through the frames of an MPEG audio file.

    Args:
        descriptor: the open file; its position is left as it is.
    """
    source = _Source(descriptor)
    position = _after_id3v2(source)
    end = _before_tags(source)
    samples = frame_bytes = junk = cut = 0
    counted = False
    while position + _HEADER <= end:
        length, held = _frame(source.read(position, _HEADER))
        if not length or (frame_bytes == 0 and not _followed(source, position + length, end)):
            position, skipped = _next_sync(source, position + 1, end)
            junk += skipped if frame_bytes else 0  # before the first frame it is no audio
        elif position + length > end:
            cut = held
            break
        else:
            if not frame_bytes:
                head = source.read(position, min(length, 200))
                counted = b"Xing" in head or b"Info" in head or b"VBRI" in head
            samples += held
            frame_bytes += length
            position += length
    share = samples / frame_bytes if frame_bytes else 0.0
    return MpegExtent(samples, counted, cut + round(junk * share))


class _Source:
    """Random reads of a file through a window of 1 MiB."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._start, self._window = 0, b""

    def read(self, position: int, length: int) -> bytes:
        offset = position - self._start
        if not 0 <= offset <= len(self._window) - length:
            self._start, self._window = position, os.pread(self._descriptor, _CHUNK, position)
            offset = 0
        return self._window[offset : offset + length]


def _frame(header: bytes) -> tuple[int, int]:
    """Return a frame's bytes and samples per channel by its header; zeros where it is invalid."""
    if len(header) < _HEADER or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0, 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, frequency = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate_index in (0, 15) or frequency == 3:
        return 0, 0
    rate = 1000 * _BIT_RATES[version == 3, layer][rate_index]
    padding, sample_rate = header[2] >> 1 & 1, _SAMPLE_RATES[version][frequency]
    if layer == 1:
        return (12 * rate // sample_rate + padding) * 4, 384
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * rate // sample_rate + padding, samples


def _followed(source: _Source, position: int, end: int) -> bool:
    """Return whether a frame or the end follows: chance alone makes sync words everywhere."""
    return position >= end or _frame(source.read(position, _HEADER))[0] > 0


def _next_sync(source: _Source, position: int, end: int) -> tuple[int, int]:
    """Return where the next two frames in a row begin, and how many bytes are before them."""
    start = position - 1
    while position < end:
        window = source.read(position, min(end - position, 1 << 16))
        if (found := window.find(b"\xff")) < 0:
            position += max(len(window), 1)
            continue
        position += found
        length, _ = _frame(source.read(position, _HEADER))
        if length and _followed(source, position + length, end):
            return position, position - start
        position += 1
    return end, end - start


def _after_id3v2(source: _Source) -> int:
    head = source.read(0, 10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _before_tags(source: _Source) -> int:
    end = source.size
    if source.read(max(0, end - 128), 3) == b"TAG":
        end -= 128
    footer = source.read(max(0, end - 32), 32)
    if footer[:8] == b"APETAGEX":
        size = int.from_bytes(footer[12:16], "little")
        end -= min(end, size + (32 if footer[23] & 0x80 else 0))
    return end
