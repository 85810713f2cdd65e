"""Excerpts of audio files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from morphene_core.audio.mono import mono_blocks
from morphene_core.audio.wav import SAMPLE_RATE, Mono

_FADE = SAMPLE_RATE // 200  # 5 ms: enough against a click, too short to hear


def excerpt(files: Sequence[Path], seconds: float) -> Mono:
    """Join the beginnings of several files, in equal shares, faded where they are cut.

    Args:
        files: audio of any format, rate and number of channels; little more than is used is read.
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
    blocks, length = [np.empty(0, np.float32)], 0
    for block in mono_blocks(file):
        blocks.append(block)
        length += len(block)
        if length > samples:
            break
    audio = np.concatenate(blocks)[:samples]
    if length > samples:
        fade = min(_FADE, len(audio))
        audio[len(audio) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return audio
