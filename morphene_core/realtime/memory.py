"""What a model keeps of memory while it plays."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LEAK_MB = 0.25
"""Growth over a run from which on it is a leak. Models that leak nothing were seen to
keep 0.12 MB."""

_MB = 2**20


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

    Counted by glibc to the byte, tensors included. With another C library it is what the process
    occupies, which is coarser.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallinfo2"):
        libc.mallinfo2.restype = _Mallinfo
        info = libc.mallinfo2()
        return float(info.uordblks + info.hblkhd) / _MB
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / _MB


def growth_mb(samples: Sequence[float]) -> float:
    """Return by how much memory grew over a run, from its second quarter to its last.

    Args:
        samples: memory in MB at even distances. The first quarter does not count: the model's
            buffers are made there, and its code is optimized.
    """
    if len(samples) < 4:
        return 0.0
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return float(np.median(late) - np.median(early))
