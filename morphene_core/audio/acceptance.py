"""Whether prepared audio is what it should be: the facts behind the asset checks."""

import soundfile

from morphene_core.audio.prepared import PreparedAudio
from morphene_core.audio.wav import SAMPLE_RATE

LOUDNESS_TOLERANCE_LU = 1.0
"""A session's deviation from its target that nobody hears as another level."""

TRUE_PEAK_TOLERANCE_DB = 0.1

MOST_SILENCE = 0.3
"""Share of silence from which on a model spends its time on learning it: a warning."""


def format_faults(prepared: PreparedAudio) -> list[str]:
    """Return every piece that is not mono 48 kHz WAV of its recorded length."""
    faults = []
    for piece in prepared.pieces:
        path = prepared.folder / piece.file
        try:
            info = soundfile.info(str(path))
        except (OSError, soundfile.LibsndfileError):
            faults.append(f"{piece.file} is missing or unreadable")
            continue
        found = (info.samplerate, info.channels, info.frames)
        if info.format not in ("WAV", "RF64") or found != (SAMPLE_RATE, 1, piece.frames):
            faults.append(
                f"{piece.file} is {info.format}, {info.samplerate} Hz, {info.channels} channels,"
                f" {info.frames} frames"
            )
    return faults


def loudness_faults(prepared: PreparedAudio) -> list[str]:
    """Return every session whose level, as measured on what was written, is not as it was set.

    A session may stay under the loudness where its true peak or the most gain allowed stood in the
    way; it must never pass the peak's ceiling.
    """
    settings, faults = prepared.settings, []
    for session in prepared.sessions:
        if session.limited_by is None:
            continue
        peak, loudness = session.true_peak_after_dbtp, session.lufs_after
        if peak is not None and peak > settings.true_peak_dbtp + TRUE_PEAK_TOLERANCE_DB:
            faults.append(f"{session.folder}: true peak {peak:.1f} dBTP")
        if session.limited_by == "loudness" and (
            loudness is None or abs(loudness - settings.loudness_lufs) > LOUDNESS_TOLERANCE_LU
        ):
            shown = "none" if loudness is None else f"{loudness:.1f} LUFS"
            faults.append(f"{session.folder}: loudness {shown}")
    return faults


def silence_share(prepared: PreparedAudio) -> float:
    """Return the share of the prepared audio that is silent: padding and short rests."""
    kept = sum(session.kept_seconds for session in prepared.sessions)
    silent = sum(session.silence_share * session.kept_seconds for session in prepared.sessions)
    return silent / kept if kept else 0.0
