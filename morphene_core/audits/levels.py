"""Renders at one loudness, so that ears compare their sound and not their level."""

import numpy as np

from morphene_core.audio.loudness import SILENT_PEAK, integrated_lufs, level_dbfs, true_peak_dbtp
from morphene_core.audio.wav import SAMPLE_RATE, Mono

TARGET_LUFS = -23.0
"""Of every render and reference (EBU R 128's level), unless its peaks leave no room for it."""

SILENT_LUFS = -120.0

PEAK_DBTP = -1.0
_MOST_GAIN_DB = 40.0  # what is softer is silence, and stays so


def matched(audio: Mono) -> tuple[Mono, float, float]:
    """Bring a render to the target loudness, with its true peak under -1 dBTP.

    Args:
        audio: shape (samples,), 48 kHz, any numbers; those that are not finite become 0.

    Returns:
        The audio; the gain in dB; the loudness that it has then in LUFS, SILENT_LUFS for silence.
    """
    audio = np.nan_to_num(audio, nan=0.0, posinf=0.0, neginf=0.0)
    if loudness(audio) == SILENT_LUFS:
        return audio, 0.0, SILENT_LUFS
    # Measured near the target: loudness has an absolute gate, under which quiet passages vanish.
    near = TARGET_LUFS - level_dbfs(audio)
    wanted = near + TARGET_LUFS - loudness(amplified(audio, near))
    gain = round(min(wanted, PEAK_DBTP - true_peak_dbtp(audio), _MOST_GAIN_DB), 3)
    levelled = amplified(audio, gain)
    return levelled, gain, loudness(levelled)


def amplified(audio: Mono, gain_db: float) -> Mono:
    """Return audio of any shape with its level changed by a number of dB."""
    return audio * np.float32(10 ** (gain_db / 20))


def loudness(audio: Mono) -> float:
    """Return the loudness of audio in LUFS (ITU-R BS.1770-4), SILENT_LUFS for silence.

    Args:
        audio: shape (samples,), 48 kHz.
    """
    found = integrated_lufs(audio, SAMPLE_RATE)
    sounds = np.isfinite(found) and float(np.abs(audio).max(initial=0.0)) > SILENT_PEAK
    return round(float(found), 2) if sounds else SILENT_LUFS
