"""Proof that an exported model plays in real time, in a stand-in of nn~ or in Pure Data itself.

`play` plays a method of a .ts block by block; `prove` measures all of them, and what a stage does
to them. Nothing here needs RAVE, and torch is imported by what plays only.
"""

from morphene_core.realtime.proof import DEFAULT_BLOCK, play, prove
from morphene_core.realtime.report import (
    Finding,
    Latency,
    Memory,
    MethodTimes,
    RealtimeReport,
    judge,
)

__all__ = [
    "DEFAULT_BLOCK",
    "Finding",
    "Latency",
    "Memory",
    "MethodTimes",
    "RealtimeReport",
    "judge",
    "play",
    "prove",
]
