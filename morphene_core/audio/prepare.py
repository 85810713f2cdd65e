"""From raw recordings to the audio that an instrument is trained and judged on.

Two passes over the files, one file in memory at a time: the first measures, the second writes.
What a recording session is worth relative to another is made equal; what happened within a
session, a soft note beside a loud one, is kept.
"""

import re
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.holdout import Span, heldout_length, heldout_spans, split_at
from morphene_core.audio.loudness import (
    CELLS_PER_SECOND,
    block_powers,
    cell_powers,
    gated_lufs,
    k_weighted_cells,
    true_peak_dbtp,
)
from morphene_core.audio.prepared import (
    AudioSettings,
    Piece,
    PreparedAudio,
    Session,
    write_index,
)
from morphene_core.audio.wav import SAMPLE_RATE, Mono, read_resampled, write_wav
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, sha256
from morphene_core.progress import Progress, Report, clock, silent
from morphene_core.sources.register import SILENT_PEAK, SourceFile, SourceRegister

_CELL = SAMPLE_RATE // CELLS_PER_SECOND


@dataclass(frozen=True)
class _Measure:
    """What the first pass keeps of a file: powers of 10 ms cells, plain and K-weighted."""

    source: SourceFile
    frames: int
    powers: NDArray[np.float64]
    weighted: NDArray[np.float64]
    true_peak: float
    trimmed: Span = (0, 0)

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.source.path).parent)


def prepare_audio(
    register: SourceRegister,
    folder: Path,
    settings: AudioSettings = AudioSettings(),
    report: Report = silent,
) -> PreparedAudio:
    """Bring recordings to mono 48 kHz, even loudness and no silent ends, and hold some out.

    Channels are averaged. Each recording session (folder of source files) gets one gain: to the
    target loudness, less where its true peak would pass the ceiling. The same input gives the same
    bytes.

    Args:
        register: the recordings.
        folder: where to publish ``training/``, ``heldout/`` and ``audio.json``; what stood there
            before is replaced as a whole.
        settings: how to prepare.
        report: takes lines about the progress.

    Raises:
        InputError: a recording changed since it was registered, a session is silent as mono, or
            less than ``settings.least_seconds`` remain without silent ends.
    """
    measures = _measure_all(register, report)
    sessions: list[Session] = []
    kept: list[_Measure] = []
    for name, group in groupby(sorted(measures, key=lambda m: m.folder), lambda m: m.folder):
        session, files = _level(register.folder / name, name, list(group), settings)
        for path in session.left_out:
            report(f"Left out {register.folder / path}: silent beside the rest of its folder")
        sessions.append(session)
        kept += files
    kept.sort(key=lambda m: m.source.path)
    _require_enough(register.folder, kept, settings)
    with atomic_folder(folder) as partial:
        gains = {session.folder: session.gain_db for session in sessions}
        pieces = _write_all(register, partial, kept, gains, settings, report)
        prepared = PreparedAudio(
            partial, register.data_version, settings, tuple(sessions), tuple(pieces)
        )
        write_index(prepared)
    report(
        f"Prepared {clock(prepared.training_seconds)} for training,"
        f" held out {clock(prepared.heldout_seconds)}"
    )
    return replace(prepared, folder=folder)


def _measure_all(register: SourceRegister, report: Report) -> list[_Measure]:
    progress = Progress("Measuring audio", register.seconds, report, "s")
    measures, done = [], 0.0
    for source in register.files:
        measures.append(_measure(register.folder, source))
        done += source.seconds
        progress.advance(done, source.path)
    return measures


def _measure(folder: Path, source: SourceFile) -> _Measure:
    audio = read_resampled(folder / source.path)
    if sha256(folder / source.path) != source.sha256:
        raise InputError(f"{folder / source.path} changed since it was registered. Start again.")
    # Whole cells to the very end, lest the last milliseconds of a file be without a level.
    padded = np.pad(audio, (0, -len(audio) % _CELL))
    return _Measure(
        source,
        len(audio),
        cell_powers(padded, _CELL),
        k_weighted_cells(padded, SAMPLE_RATE),
        true_peak_dbtp(audio),
    )


def _level(
    path: Path, name: str, files: list[_Measure], settings: AudioSettings
) -> tuple[Session, list[_Measure]]:
    """Trim the files of a session and find its gain."""
    loudest = max(float(file.powers.max(initial=0.0)) for file in files)
    if loudest <= SILENT_PEAK**2:
        raise InputError(
            f"{path} is silent as mono: the channels of its recordings cancel each other."
            " Invert one channel or keep only one."
        )
    threshold = loudest * 10 ** (settings.silence_db / 10)
    trimmed = [replace(file, trimmed=_trim(file, threshold, settings)) for file in files]
    kept = [file for file in trimmed if file.trimmed[1]]
    blocks = np.concatenate([block_powers(_cells_of(file)) for file in kept])
    lufs, peak = gated_lufs(blocks), max(file.true_peak for file in kept)
    gain = min(settings.loudness_lufs - lufs, settings.true_peak_dbtp - peak)
    after = gated_lufs(blocks * 10 ** (gain / 10))
    left_out = tuple(file.source.path for file in trimmed if not file.trimmed[1])
    session = Session(name, gain, _finite(lufs), _finite(after), peak, peak + gain, left_out)
    return session, kept


def _trim(file: _Measure, threshold: float, settings: AudioSettings) -> Span:
    """Return the part of a file from its first to its last sound, with padding."""
    sounding = np.flatnonzero(file.powers >= threshold)
    if not len(sounding):
        return 0, 0
    before = round(settings.pad_before_seconds * CELLS_PER_SECOND)
    after = round(settings.pad_after_seconds * CELLS_PER_SECOND)
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    return max(0, first - before) * _CELL, min(file.frames, (last + after) * _CELL)


def _cells_of(file: _Measure) -> NDArray[np.float64]:
    start, end = file.trimmed
    return file.weighted[start // _CELL : -(-end // _CELL)]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no infinity


def _length(file: _Measure) -> int:
    return file.trimmed[1] - file.trimmed[0]


def _require_enough(folder: Path, files: list[_Measure], settings: AudioSettings) -> None:
    seconds = sum(map(_length, files)) / SAMPLE_RATE
    if seconds < settings.least_seconds:
        raise InputError(
            f"{folder} holds {seconds:.1f} s of audio without silent ends, too little to train on."
            f" Add recordings: {settings.least_seconds:g} s at least, better 10 minutes or more."
        )


def _write_all(
    register: SourceRegister,
    folder: Path,
    files: list[_Measure],
    gains: dict[str, float],
    settings: AudioSettings,
    report: Report,
) -> list[Piece]:
    parts = _split([_length(file) for file in files], settings)
    digits = max(4, len(str(len(parts))))
    progress = Progress("Writing audio", sum(map(_length, files)) / SAMPLE_RATE, report, "s")
    pieces: list[Piece] = []
    for index, group in groupby(parts, lambda part: part[0]):
        file = files[index]
        audio = read_resampled(register.folder / file.source.path)
        audio *= np.float32(10 ** (gains[file.folder] / 20))
        for _, (start, end), held in group:
            name = f"{len(pieces):0{digits}d}_{_safe(file.source.path)}.wav"
            relative = f"{'heldout' if held else 'training'}/{name}"
            span = (file.trimmed[0] + start, file.trimmed[0] + end)
            pieces.append(_write_piece(folder, relative, file.source, audio, span, settings))
        progress.advance(sum(piece.frames for piece in pieces) / SAMPLE_RATE, file.source.path)
    return pieces


def _split(lengths: list[int], settings: AudioSettings) -> list[tuple[int, Span, bool]]:
    wanted = heldout_length(
        sum(lengths),
        settings.heldout_share,
        round(settings.heldout_min_seconds * SAMPLE_RATE),
        round(settings.heldout_max_seconds * SAMPLE_RATE),
    )
    shortest = round(settings.heldout_stretch_seconds * SAMPLE_RATE)
    return split_at(lengths, heldout_spans(lengths, wanted, settings.heldout_stretches, shortest))


def _write_piece(
    folder: Path, file: str, source: SourceFile, audio: Mono, span: Span, settings: AudioSettings
) -> Piece:
    start, end = span
    write_wav(folder / file, _faded(audio[start:end], settings.fade_seconds))
    return Piece(
        file,
        "heldout" if file.startswith("heldout/") else "training",
        source.path,
        source.sha256,
        start / SAMPLE_RATE,
        end / SAMPLE_RATE,
        end - start,
        sha256(folder / file),
    )


def _faded(audio: Mono, seconds: float) -> Mono:
    """Return a copy with linear fades, shorter ones in a piece of under two fades."""
    length = min(round(seconds * SAMPLE_RATE), len(audio) // 2)
    ramp = np.linspace(0, 1, length, endpoint=False, dtype=np.float32)
    faded = audio.copy()
    faded[:length] *= ramp
    faded[len(faded) - length :] *= ramp[::-1]
    return faded


def _safe(path: str) -> str:
    """Return a file's stem as every file system and command line takes it."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", PurePosixPath(path).stem).strip("_")[:60] or "audio"
