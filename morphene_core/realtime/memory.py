"""What a model keeps of memory while it plays: how it is counted, and when it is a leak."""

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST_BLOCKS = 96
"""Blocks from which on memory can be judged: each of the parts that are compared has 12 of them,
of which at least one finds the heap at its lowest."""

LEAK_KB = 1.0
"""Growth per block from which on it may be a leak: 1.4 MB a minute, in blocks of 2,048 at 48 kHz.
Over 3,000 blocks an export grew by 0.07 KB a block, in two jumps."""

STRETCHES = 24
"""Even stretches of a run of which the lowest memory is kept."""

_WARM_UP = 6  # stretches: the model's buffers are made there, and its code is optimized
_PART = 3  # stretches that are compared as one
_KB, _MB = 2**10, 2**20


class _Mallinfo(ctypes.Structure):
    """`mallinfo2` of glibc 2.33 and newer (malloc.h)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def allocated_mb() -> float:
    """Return the memory that this process has allocated and not freed, in MB (2**20 bytes).

    Counted by glibc to the byte, tensors included, in a microsecond. With another C library it is
    what the process occupies, which is coarser.
    """
    mallinfo = _mallinfo()
    if mallinfo:
        info = mallinfo()
        return float(info.uordblks + info.hblkhd) / _MB
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / _MB


def lows(memory_mb: NDArray[np.float64]) -> list[float]:
    """Return the lowest memory in each of the even stretches of a run, in MB.

    What is allocated between two blocks jumps to and fro, by 0.15 to 1.5 MB, as the heap has room
    for this or that; its lowest level stays, to a few KB, unless something is kept.

    Args:
        memory_mb: shape (blocks,), after each block, in MB.

    Returns:
        As many as `STRETCHES`; none if the blocks are fewer than `LEAST_BLOCKS`.
    """
    if len(memory_mb) < LEAST_BLOCKS:
        return []
    return [round(float(of.min()), 4) for of in np.array_split(memory_mb, STRETCHES)]


def leak_kb(lowest_mb: list[float], blocks: int) -> float:
    """Return by how much memory grows with every block, in KB; 0 where it is no leak.

    A leak grows on, in every part of the run after its first quarter, and by more than `LEAK_KB` a
    block in each. A heap that jumps once, or to and fro, does not.

    Args:
        lowest_mb: see `lows`.
        blocks: of the whole run.
    """
    if not lowest_mb:
        return 0.0
    parts = np.array(lowest_mb[_WARM_UP:]).reshape(-1, _PART).min(axis=1)
    growth = np.diff(parts) * _MB / _KB / (_PART * blocks / STRETCHES)
    return float(growth.mean()) if growth.min() >= LEAK_KB else 0.0


def growth_mb(lowest_mb: list[float]) -> float:
    """Return by how much memory grew over a run, without its first quarter, in MB.

    Args:
        lowest_mb: see `lows`, not empty.
    """
    return min(lowest_mb[-_PART:]) - min(lowest_mb[_WARM_UP : _WARM_UP + _PART])


@functools.cache
def _mallinfo() -> Callable[[], _Mallinfo] | None:
    """Return glibc's function, made once: to make it costs memory, which would be measured."""
    found = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if found is not None:
        found.restype = _Mallinfo
    return found
