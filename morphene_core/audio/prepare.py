"""From raw recordings to the audio that an instrument is trained and judged on.

Two passes over the files, block by block: the first measures, the second writes. What a recording
session is worth relative to another is made equal; what happened within a session, a soft note
beside a loud one, is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from morphene_core.audio.holdout import Span
from morphene_core.audio.loudness import (
    CELLS_PER_SECOND,
    SILENT_PEAK,
    KWeightedCells,
    Powers,
    TruePeak,
    block_powers,
    gated_lufs,
)
from morphene_core.audio.mono import mono_blocks
from morphene_core.audio.pieces import PlannedPiece, WrittenPieces, plan_pieces, write_pieces
from morphene_core.audio.prepared import (
    AudioSettings,
    Limit,
    PreparedAudio,
    Recording,
    Session,
    write_index,
)
from morphene_core.audio.repeats import find_repeats
from morphene_core.audio.threads import Advance, in_threads
from morphene_core.audio.trim import Silence, kept_spans
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, sha256
from morphene_core.progress import Progress, Report, clock, silent

_CELL = SAMPLE_RATE // CELLS_PER_SECOND
_SILENT_DBTP = 20 * float(np.log10(SILENT_PEAK))

_State = tuple[int, int, int]


@dataclass(frozen=True)
class _Measure:
    """What the first pass keeps of a file; the cells are K-weighted powers of 10 ms."""

    recording: Recording
    state: _State
    frames: int
    cells: Powers
    true_peak: float
    spans: tuple[Span, ...] = ()  # what is kept, in cells

    @property
    def samples(self) -> list[Span]:
        """What is kept, in samples."""
        return [(start * _CELL, min(self.frames, end * _CELL)) for start, end in self.spans]

    @property
    def kept(self) -> int:
        """How many samples are kept."""
        return sum(end - start for start, end in self.samples)

    @property
    def kept_cells(self) -> Powers:
        """The cells that are kept."""
        return np.concatenate([np.empty(0), *(self.cells[a:b] for a, b in self.spans)])


def prepare_audio(
    source_folder: Path,
    recordings: Sequence[Recording],
    source_version: str,
    folder: Path,
    settings: AudioSettings = AudioSettings(),
    report: Report = silent,
) -> PreparedAudio:
    """Bring recordings to mono 48 kHz, even loudness and no long silence, and hold some out.

    Channels are averaged. Each recording session (folder of source files) gets one gain: to the
    target loudness, less where its true peak would pass the ceiling or where the gain would be
    absurd. The same input gives the same bytes. Memory does not grow with the length of a file.

    Args:
        source_folder: the folder of the recordings.
        recordings: which of its files to prepare.
        source_version: ``data_version`` of the recordings, for the record.
        folder: where to publish ``training/``, ``heldout/`` and ``audio.json``; what stood there
            before is replaced as a whole.
        settings: how to prepare.
        report: takes lines about the progress.

    Raises:
        InputError: a recording is not what it was when it was registered, all of them are silent
            as mono, less than ``settings.least_seconds`` remain without silence, or the disk is
            full.
    """
    sessions: list[Session] = []
    kept: list[_Measure] = []
    measures = _measure_all(source_folder, recordings, report)
    for name, group in groupby(measures, lambda m: m.recording.folder):
        session, files = _level(name, list(group), settings)
        sessions.append(session)
        kept += files
        for path in session.left_out:
            report(f"Left out {source_folder / path}: silent beside its folder, or silent as mono")
    _require_sound(source_folder, sessions)
    _require_enough(source_folder, kept, settings)
    kept.sort(key=lambda m: m.recording.path)
    with atomic_folder(folder) as partial:
        gains = {session.folder: 10 ** (session.gain_db / 20) for session in sessions}
        written = _write_all(source_folder, partial, kept, gains, settings, report)
        prepared = PreparedAudio(
            partial,
            source_version,
            settings,
            tuple(_measured_again(session, written) for session in sessions),
            tuple(piece for file in written for piece in file.pieces),
        )
        repeats = find_repeats(prepared.heldout, prepared.training, report)
        prepared = replace(prepared, repeats=tuple(repeats))
        write_index(prepared)
    report(
        f"Prepared {clock(prepared.training_seconds)} for training,"
        f" held out {clock(prepared.heldout_seconds)}"
    )
    return replace(prepared, folder=folder)


def _measure_all(folder: Path, recordings: Sequence[Recording], report: Report) -> list[_Measure]:
    """Measure files; sorted by session and path."""
    progress = Progress("Measuring audio", sum(r.seconds for r in recordings), report, "s")
    ordered = sorted(recordings, key=lambda r: (r.folder, r.path))
    return in_threads(lambda r, advance: _measure(folder, r, advance), ordered, progress)


def _measure(folder: Path, recording: Recording, advance: Advance) -> _Measure:
    path = folder / recording.path
    state = _state(path)
    if sha256(path) != recording.sha256:
        raise _changed(path)
    frames = 0
    cells, peak = KWeightedCells(SAMPLE_RATE), TruePeak()
    for block in mono_blocks(path, recording.dc_offset):
        cells.feed(block)
        peak.feed(block)
        frames += len(block)
        advance(len(block) / SAMPLE_RATE)
    # Whole cells to the very end, lest the last milliseconds of a file be without a level.
    cells.feed(np.zeros(-frames % _CELL))
    return _Measure(recording, state, frames, cells.result(), peak.result())


def _level(
    name: str, files: list[_Measure], settings: AudioSettings
) -> tuple[Session, list[_Measure]]:
    """Trim the files of a session and find its gain."""
    original = sum(file.frames for file in files) / SAMPLE_RATE
    if max(file.true_peak for file in files) <= _SILENT_DBTP:
        paths = tuple(file.recording.path for file in files)
        return Session(name, original_seconds=original, left_out=paths), []
    silence = Silence([file.cells for file in files], settings)
    trimmed = [
        replace(file, spans=kept_spans(silence.sounding(file.cells), settings)) for file in files
    ]
    kept = [file for file in trimmed if file.spans]
    lufs = gated_lufs(np.concatenate([block_powers(file.kept_cells) for file in kept]))
    peak = max(file.true_peak for file in kept)
    gain, limit = _gain(lufs, peak, settings)
    session = Session(
        name,
        original_seconds=original,
        left_out=tuple(file.recording.path for file in trimmed if not file.spans),
        kept_seconds=sum(file.kept for file in kept) / SAMPLE_RATE,
        silence_dbfs=10 * float(np.log10(silence.power)),
        silence_share=_silence_share(kept, silence),
        gain_db=gain,
        limited_by=limit,
        lufs_before=_finite(lufs),
        true_peak_before_dbtp=peak,
    )
    return session, kept


def _silence_share(files: Sequence[_Measure], silence: Silence) -> float:
    kept = [silence.sounding(file.cells)[start:end] for file in files for start, end in file.spans]
    return 1 - float(np.concatenate(kept).mean())


def _gain(lufs: float, true_peak: float, settings: AudioSettings) -> tuple[float, Limit]:
    limits: list[tuple[float, Limit]] = [
        (settings.loudness_lufs - lufs, "loudness"),
        (settings.true_peak_dbtp - true_peak, "true peak"),
        (settings.max_gain_db, "gain"),
    ]
    return min(limits, key=lambda limit: limit[0])


def _write_all(
    source_folder: Path,
    folder: Path,
    files: Sequence[_Measure],
    gains: dict[str, float],
    settings: AudioSettings,
    report: Report,
) -> list[WrittenPieces]:
    for name in ("training", "heldout"):
        (folder / name).mkdir()
    plans = plan_pieces([(file.recording, file.samples) for file in files], settings)
    progress = Progress("Writing audio", sum(f.frames for f in files) / SAMPLE_RATE, report, "s")

    def write(job: tuple[_Measure, tuple[PlannedPiece, ...]], advance: Advance) -> WrittenPieces:
        file, pieces = job
        path = source_folder / file.recording.path
        blocks = _counted(mono_blocks(path, file.recording.dc_offset), advance)
        gain = gains[file.recording.folder]
        written = write_pieces(folder, file.recording, blocks, pieces, gain, settings.fade_seconds)
        if _state(path) != file.state:
            raise _changed(path)
        return written

    return in_threads(write, list(zip(files, plans, strict=True)), progress)


def _counted(blocks: Iterator[Mono], advance: Advance) -> Iterator[Mono]:
    for block in blocks:
        yield block
        advance(len(block) / SAMPLE_RATE)


def _measured_again(session: Session, written: Sequence[WrittenPieces]) -> Session:
    """Add what was measured on the written pieces of a session."""
    files = [file for file in written if file.recording.folder == session.folder]
    if not files:
        return session
    lufs = gated_lufs(np.concatenate([file.blocks for file in files]))
    peak = max(file.true_peak for file in files)
    return replace(session, lufs_after=_finite(lufs), true_peak_after_dbtp=_finite(peak))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no infinity


def _require_sound(folder: Path, sessions: Sequence[Session]) -> None:
    if sessions and not any(session.kept_seconds for session in sessions):
        raise InputError(
            f"{folder} is silent as mono: the channels of its recordings cancel each other."
            " Invert one channel or keep only one."
        )


def _require_enough(folder: Path, files: Sequence[_Measure], settings: AudioSettings) -> None:
    seconds = sum(file.kept for file in files) / SAMPLE_RATE
    if seconds < settings.least_seconds:
        raise InputError(
            f"{folder} holds {seconds:.1f} s of audio without silence, too little to train on."
            f" Add recordings: {settings.least_seconds:g} s at least, better 10 minutes or more."
        )


def _state(path: Path) -> _State:
    """Return what tells cheaply whether a file was changed."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _changed(path: Path) -> InputError:
    return InputError(f"{path} changed since it was registered. Start again.")
