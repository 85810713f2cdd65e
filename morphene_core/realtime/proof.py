"""The real-time proof: plays a .ts as nn~ does, and says whether it can be played on stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from morphene_core.errors import InputError, MorpheneError
from morphene_core.progress import Report, silent
from morphene_core.realtime.report import RealtimeReport

if TYPE_CHECKING:
    from morphene_core.audio.wav import Mono
    from morphene_core.realtime.host import Attributes, Signal
    from morphene_core.realtime.pd import PdFiles

DEFAULT_BLOCK = 2048
"""Samples per block: RAVE's ratio, the shortest block that nn~ plays it in."""

_SECONDS = (0.5, 3600.0)  # of audio per method: some blocks at least, an hour at most
_MAX_THREADS = 256  # torch starts as many as it is told, and has no limit of its own


def play(
    path: Path,
    method: str,
    signal: "Signal",
    block: int = DEFAULT_BLOCK,
    seed: int = 0,
    attributes: "Attributes | None" = None,
) -> "Signal":
    """Play a method of a fresh model, block by block, as nn~ would.

    Args:
        path: the .ts.
        method: of the model.
        signal: shape (channels, frames at the method's input ratio).
        block: samples of audio per block; nn~ takes no less than the model's largest ratio, and
            the next power of two.
        seed: of the noise that the model draws: same seed, same audio.
        attributes: values to set before, by name.

    Returns:
        Shape (channels, frames at the method's output ratio), without a last incomplete block.

    Raises:
        InputError: the file is nothing that nn~ plays, or has no such method or channels; or the
            block is too large.
        MorpheneError: the model fails while it plays, or refuses an attribute.
    """
    from morphene_core.realtime.host import Host, block_size, isolated, play_blocks
    from morphene_core.realtime.model import LoadedModel

    model = LoadedModel(path)
    of = model.methods.get(method)
    if of is None:
        raise InputError(f"{path} has no method {method}, but {', '.join(model.methods)}.")
    if signal.shape[0] != of.in_channels:
        raise InputError(
            f"{method} of {path} takes {of.in_channels} channels, not {signal.shape[0]}."
        )
    with isolated(threads=1):  # the same sums, however many there are
        host = Host(model, method, block_size(model, block), attributes or {}, seed)
        heard = play_blocks(host, signal)
    if host.failed:
        raise MorpheneError(f"{path}: {method} fails: {host.error}")
    return heard


def prove(
    path: Path,
    methods: Sequence[str] | None = None,
    block: int = DEFAULT_BLOCK,
    seconds: float = 60.0,
    threads: int = 1,
    audio: "tuple[Mono, Mono] | None" = None,
    report: Report = silent,
    host: "PdFiles | None" = None,
) -> RealtimeReport:
    """Play every method of a .ts against the clock, and try what a stage does to it.

    Args:
        path: the .ts.
        methods: which of its methods; None takes all that are known how to play.
        block: samples of audio per block, see `play`.
        seconds: audio that each method plays against the clock, 0.5 to 3,600. Memory is judged
            from 96 blocks on: 4.1 s in blocks of 2,048 at 48 kHz.
        threads: that torch may use. nn~ leaves it at all cores, which one of several instruments
            does not have.
        audio: musical and non-musical source, shape (samples,), 48 kHz; None synthesizes them.
        report: takes progress.
        host: Pure Data with nn~, which then plays the model; None takes the stand-in.

    Raises:
        InputError: the file is nothing that nn~ plays, or has no such method; or the block, the
            seconds or the threads are not to be had.
        MorpheneError: Pure Data does not play it.
    """
    from morphene_core.realtime.course import prepare  # torch
    from morphene_core.realtime.host import isolated
    from morphene_core.realtime.stand_in_course import run_in_stand_in

    _require_possible(block, seconds, threads)
    with isolated(threads):
        course = prepare(path, methods, block, seconds, threads, audio, report)
        if host is None:
            return run_in_stand_in(course)
        from morphene_core.realtime.pd_course import run_in_pure_data

        return run_in_pure_data(course, host)


def _require_possible(block: int, seconds: float, threads: int) -> None:
    least, most = _SECONDS
    if not least <= seconds <= most:  # NaN is neither
        raise InputError(
            f"A proof of {seconds:g} seconds is not possible: give {least:g} seconds or more, and"
            f" an hour ({most:g}) at most."
        )
    if block < 1:
        raise InputError(f"A block of {block} samples is none: give 1 or more.")
    if not 1 <= threads <= _MAX_THREADS:
        raise InputError(f"torch takes 1 to {_MAX_THREADS} threads, not {threads}.")
