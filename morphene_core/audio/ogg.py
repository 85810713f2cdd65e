"""Ogg streams by their pages: what is lost, and whether the end is there (RFC 3533).

libsndfile passes over damaged pages, and takes the last page that it finds for the end.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_CHUNK = 1 << 20
_HEADER = 27
_FIELDS = struct.Struct("<5xBQII")
_LONGEST_PAGE = _HEADER + 255 + 255 * 255
_FIRST, _LAST = 2, 4  # flags of a page
_NO_GRANULE = (1 << 64) - 1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class OggExtent:
    """What a walk from page to page through a file found.

    Attributes:
        lost: frames of missing or damaged pages before the last good page.
        ended: whether the last page of the stream is there.
        chained: frames of further streams that follow the first one, which alone is read.
    """

    lost: int
    ended: bool
    chained: int


class _Page(NamedTuple):
    flags: int
    granule: int  # frames up to the end of the page
    serial: int
    number: int
    length: int


def ogg_extent(descriptor: int) -> OggExtent:
    """Walk through the pages of an Ogg file and verify their checksums.

    Args:
        descriptor: the open file; its position is left as it is.
    """
    serial: int | None = None
    last, granule, lost, ended = -1, 0, 0, True
    finished: list[int] = []  # the lengths of complete streams
    for page in _pages(descriptor):
        if serial is None or (ended and page.flags & _FIRST):
            serial, last, granule, ended = page.serial, -1, 0, False
        if page.serial != serial:  # beside the audio: a picture, a skeleton
            continue
        known = page.granule != _NO_GRANULE
        if page.number > last + 1 and known:
            gap = page.number - last - 1
            lost += (page.granule - granule) * gap // (gap + 1)
        last, granule = page.number, page.granule if known else granule
        if page.flags & _LAST:
            finished.append(granule)
            ended = True
    total = sum(finished) + (0 if ended else granule)
    return OggExtent(lost, ended, total - finished[0] if finished else 0)


def _pages(descriptor: int) -> Iterator[_Page]:
    """Give the valid pages of a file."""
    position, window, start = 0, b"", 0
    while True:
        if position + _LONGEST_PAGE > start + len(window):
            start, window = position, os.pread(descriptor, _CHUNK, position)
        if page := _page(window, position - start):
            yield page
            position += page.length
            continue
        found = window.find(b"OggS", position - start + 1)
        if found < 0 and len(window) < _CHUNK:
            return
        position = start + (found if found >= 0 else len(window) - 3)


def _page(window: bytes, offset: int) -> _Page | None:
    """Return the page that begins at an offset, or None where there is no valid one."""
    head = window[offset : offset + _HEADER]
    if len(head) < _HEADER or head[:4] != b"OggS":
        return None
    body = offset + _HEADER + head[26]
    length = _HEADER + head[26] + sum(window[offset + _HEADER : body])
    data = window[offset : offset + length]
    if len(data) < length or _checksum(data) != head[22:26]:
        return None
    flags, granule, serial, number = _FIELDS.unpack_from(head)
    return _Page(flags, granule, serial, number, length)


def _checksum(page: bytes) -> bytes:
    """Return the checksum of a page: zlib's polynomial with the bits in the other order."""
    data = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    register = zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return register.to_bytes(4, "big").translate(_REVERSED)
