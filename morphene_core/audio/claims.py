"""The length that a file claims where libsndfile silently corrects it.

For a truncated file of most formats libsndfile reports what is there, and mentions the claim of the
header only in its log, or not at all.
"""

import os
import re

UNKNOWN_FRAMES = 1 << 62
"""From here on, libsndfile's count of frames means "not known" (it gives the largest integer)."""

# A writer that cannot seek back (ffmpeg or sox into a pipe) leaves one of these as the size.
_UNKNOWN_SIZES = {0x7FFFF000, 0x7FFFFFDB, 0x7FFFFFFF, 0xFFFFFFFF}
_SIZES = [
    re.compile(r"^ *(?:data|SSND|BODY|Data Size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE),
    re.compile(r"^Data length (\d+) should be (\d+)", re.MULTILINE),  # WVE
]
_RF64_FRAMES = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_FRAMES = [
    re.compile(r"^ *Frames +: (\d+)$", re.MULTILINE),  # AVR, MPC2K
    re.compile(r"Cols +: (\d+)\n.*\n *Name +: wavedata$", re.MULTILINE),  # MAT4, MAT5
]
_VOC_BYTES = re.compile(r"Extended II : (\d+)\n(?=.*Seems to be a truncated file)", re.DOTALL)
_VOC_HEADER = 12
_VOC_DATA = 42  # where the samples begin
_NIST_FRAMES = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)
_NIST_HEADER = 1024
_CAF_HEADER = 8
_ROUNDING = 8  # bytes: padding, and headers that writers miscount


def claimed_frames(log: str, frames: int, descriptor: int) -> int | None:
    """Return how many frames a file claims to have.

    Args:
        log: libsndfile's log of the open file.
        frames: what libsndfile says is there.
        descriptor: the open file; its position is left as it is.

    Returns:
        At least ``frames``; None where the file leaves it open.
    """
    if frames >= UNKNOWN_FRAMES:
        return None
    if match := _RF64_FRAMES.search(log):
        return int(match[2])
    for form in _FRAMES:
        if match := form.search(log):
            return max(frames, int(match[1]))
    head = os.pread(descriptor, _NIST_HEADER, 0)
    if head.startswith(b"NIST_1A") and (nist := _NIST_FRAMES.search(head)):
        return max(frames, int(nist[1]))
    for claimed, there in _sizes(log, descriptor):
        if claimed > there + _ROUNDING and claimed not in _UNKNOWN_SIZES:
            return max(frames + 1, round(frames * claimed / max(there, 1)))
    return frames


def _sizes(log: str, descriptor: int) -> list[tuple[int, int]]:
    """Return sizes of the audio data in bytes: as claimed, and as there are."""
    sizes = [(int(match[1]), int(match[2])) for form in _SIZES for match in form.finditer(log)]
    if match := _VOC_BYTES.search(log):
        there = os.fstat(descriptor).st_size - _VOC_DATA
        sizes.append((int(match[1]) - _VOC_HEADER, there))
    return sizes


def caf_shortage(descriptor: int) -> float:
    """Return by what factor the audio data that a CAF file claims exceed what is there.

    libsndfile refuses a CAF that is cut, and ffmpeg believes that it was meant to be so short.
    """
    size, position = os.fstat(descriptor).st_size, _CAF_HEADER
    while len(head := os.pread(descriptor, 12, position)) == 12:
        length = int.from_bytes(head[4:], "big", signed=True)
        position += 12
        if head[:4] == b"data":
            return max(1.0, length / max(size - position, 1))
        position += max(length, 0)
    return 1.0
