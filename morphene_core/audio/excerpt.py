"""Excerpts of audio files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from morphene_core.audio.wav import SAMPLE_RATE, Mono

_FADE = SAMPLE_RATE // 200  # 5 ms: enough against a click, too short to hear


def excerpt(files: Sequence[Path], seconds: float) -> Mono:
    """Join the beginnings of several files, in equal shares, faded where they are cut.

    Args:
        files: audio of any rate and number of channels; no more than is used is read.
        seconds: length asked for; less if the files hold less.

    Returns:
        Shape (samples,), mono, 48 kHz.
    """
    wanted = int(seconds * SAMPLE_RATE)
    parts = [np.empty(0, np.float32)]
    for index, file in enumerate(files):
        share = (wanted - sum(map(len, parts))) // (len(files) - index)
        parts.append(_beginning(file, share))
    return np.concatenate(parts)


def _beginning(file: Path, samples: int) -> Mono:
    # By descriptor: by name, libsndfile takes some suffixes for headerless audio.
    with file.open("rb") as raw, soundfile.SoundFile(raw.fileno(), closefd=False) as sound:
        rate = sound.samplerate
        block = sound.read(-(-samples * rate // SAMPLE_RATE), dtype="float32", always_2d=True)
        cut = sound.tell() < sound.frames
    audio: Mono = block.mean(axis=1, dtype=np.float64).astype(np.float32)
    if rate != SAMPLE_RATE:
        audio = soxr.resample(audio, rate, SAMPLE_RATE).astype(np.float32)
    audio = audio[:samples]
    if cut:
        fade = min(_FADE, len(audio))
        audio[len(audio) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return audio
