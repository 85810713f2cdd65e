"""The pieces of prepared audio: planned over all recordings, and written recording by recording."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from morphene_core.audio.holdout import Span, heldout_length, heldout_spans, split_at
from morphene_core.audio.loudness import KWeightedCells, Powers, TruePeak, block_powers
from morphene_core.audio.prepared import AudioSettings, Piece, Recording
from morphene_core.audio.wav import SAMPLE_RATE, Mono, WavWriter
from morphene_core.errors import InputError


@dataclass(frozen=True)
class PlannedPiece:
    """A piece that is to be written: a file and its spans of the recording, in samples."""

    file: str
    set: Literal["training", "heldout"]
    spans: tuple[Span, ...]

    @property
    def frames(self) -> int:
        """Length in samples."""
        return sum(end - start for start, end in self.spans)


@dataclass(frozen=True)
class WrittenPieces:
    """What was written of one recording.

    Attributes:
        recording: where they come from.
        pieces: the files.
        blocks: powers of their gating blocks.
        true_peak: their highest, in dBTP.
    """

    recording: Recording
    pieces: tuple[Piece, ...]
    blocks: Powers
    true_peak: float


def plan_pieces(
    recordings: Sequence[tuple[Recording, Sequence[Span]]], settings: AudioSettings
) -> list[tuple[PlannedPiece, ...]]:
    """Cut recordings at the ends of the held-out stretches.

    Args:
        recordings: in time order, each with the spans that are kept of it, in samples.
        settings: how much to hold out.

    Returns:
        The pieces of each recording.
    """
    lengths = [sum(end - start for start, end in spans) for _, spans in recordings]
    parts = split_at(lengths, _heldout(lengths, settings))
    digits = max(4, len(str(len(parts))))
    plans: list[tuple[PlannedPiece, ...]] = []
    number = 0
    for index, group in groupby(parts, lambda part: part[0]):
        recording, spans = recordings[index]
        pieces = []
        for _, span, held in group:
            name = f"{number:0{digits}d}_{_safe(recording.path)}.wav"
            number += 1
            role: Literal["training", "heldout"] = "heldout" if held else "training"
            pieces.append(PlannedPiece(f"{role}/{name}", role, _source_spans(spans, span)))
        plans.append(tuple(pieces))
    return plans


def write_pieces(
    folder: Path,
    recording: Recording,
    blocks: Iterator[Mono],
    pieces: Sequence[PlannedPiece],
    gain: float,
    fade_seconds: float,
) -> WrittenPieces:
    """Write the pieces of one recording, amplified, with fades where they are cut.

    Args:
        folder: prepared audio, with a folder for each set.
        recording: where the audio comes from.
        blocks: its samples at 48 kHz from the beginning, each of shape (samples,).
        pieces: what to write, in time order.
        gain: factor.
        fade_seconds: length of a fade.

    Raises:
        InputError: the recording has fewer samples than were planned.
        OSError: the disk is full.
    """
    samples = _Samples(blocks, recording)
    fade = round(fade_seconds * SAMPLE_RATE)
    peak = TruePeak()
    written, powers = [], [np.empty(0)]
    for piece in pieces:
        cells = KWeightedCells(SAMPLE_RATE)
        with WavWriter(folder / piece.file, piece.frames) as wav:
            for span in piece.spans:
                for offset, block in samples.take(span):
                    faded = _faded(block * np.float32(gain), offset, span[1] - span[0], fade)
                    read_back = wav.write(faded)
                    cells.feed(read_back)
                    peak.feed(read_back)
        powers.append(block_powers(cells.result()))
        written.append(_described(piece, recording, wav.sha256))
    return WrittenPieces(recording, tuple(written), np.concatenate(powers), peak.result())


class _Samples:
    """Gives spans of a stream of blocks, in order."""

    def __init__(self, blocks: Iterator[Mono], recording: Recording) -> None:
        self._blocks, self._recording = blocks, recording
        self._block: Mono = np.empty(0, np.float32)
        self._start = 0  # where the block begins

    def take(self, span: Span) -> Iterator[tuple[int, Mono]]:
        """Give the parts of a span: where they begin in it, and their samples."""
        first, end = span
        position = first
        while position < end:
            while self._start + len(self._block) <= position:
                self._start += len(self._block)
                self._block = self._next()
            part = self._block[position - self._start : end - self._start]
            yield position - first, part
            position += len(part)

    def _next(self) -> Mono:
        for block in self._blocks:
            return block
        raise InputError(f"{self._recording.path} became shorter while it was prepared.")


def _heldout(lengths: Sequence[int], settings: AudioSettings) -> list[Span]:
    wanted = heldout_length(
        sum(lengths),
        settings.heldout_share,
        round(settings.heldout_min_seconds * SAMPLE_RATE),
        round(settings.heldout_max_seconds * SAMPLE_RATE),
    )
    seconds = sum(lengths) / SAMPLE_RATE
    stretches = settings.heldout_stretches + int(seconds / settings.heldout_stretch_every_seconds)
    shortest = round(settings.heldout_stretch_seconds * SAMPLE_RATE)
    return heldout_spans(lengths, wanted, stretches, shortest)


def _source_spans(spans: Sequence[Span], part: Span) -> tuple[Span, ...]:
    """Return where a part of joined spans lies in what they were cut from."""
    found, before = [], 0
    for start, end in spans:
        first = start + max(0, part[0] - before)
        last = min(end, start + part[1] - before)
        if first < last:
            found.append((first, last))
        before += end - start
    return tuple(found)


def _faded(block: Mono, offset: int, length: int, fade: int) -> Mono:
    """Fade a block in place where it lies at an end of its span.

    Args:
        block: shape (samples,).
        offset: where it begins in the span.
        length: of the span; two fades never overlap in a short one.
        fade: length of a linear fade, in samples.
    """
    fade = min(fade, length // 2)
    head = np.arange(offset, min(offset + len(block), fade))
    block[: len(head)] *= (head / max(1, fade)).astype(np.float32)
    tail = np.arange(max(offset, length - fade), offset + len(block))
    block[len(block) - len(tail) :] *= ((length - 1 - tail) / max(1, fade)).astype(np.float32)
    return block


def _described(piece: PlannedPiece, recording: Recording, sha256: str) -> Piece:
    spans = tuple((start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in piece.spans)
    return Piece(
        piece.file, piece.set, recording.path, recording.sha256, spans, piece.frames, sha256
    )


def _safe(path: str) -> str:
    """Return a file's stem as every file system and command line takes it."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", PurePosixPath(path).stem).strip("_")[:60] or "audio"
