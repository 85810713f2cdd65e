"""How bright and how dense a texture is, in a stretch of a non-musical recording."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.signal.windows import hann

from morphene_core.audio.coverage.stream import ANALYSIS_RATE, MARGIN_SECONDS
from morphene_core.audio.onsets import SILENT_DBFS, onset_times

_WINDOW = ANALYSIS_RATE  # 1 s
_FRAME = 1024
_LOWEST_HZ = 50.0
_BANDS_PER_OCTAVE = 3


def count_texture(audio: NDArray[np.float32], seconds: float) -> dict[str, Any]:
    """Return the counts of a stretch of a non-musical recording, in windows of a second.

    Brightness is the spectral centroid from 50 Hz to 12 kHz, of the amplitudes of the window's mean
    power spectrum. White noise is at 5.8 kHz, pink at 4.1 kHz, brown (6 dB per octave) at 2.1 kHz.
    Density is the number of events that begin (see ``onset_times``, with windows of 21 ms in thirds
    of an octave, which noise does not trigger); about 20 a second can be told apart. Neither
    depends on the level. A window whose RMS is under -80 dBFS counts as silence. A second that a
    recording ends in counts if half of it is there, and of a shorter recording the only one does.

    Args:
        audio: at ANALYSIS_RATE with margins, shape (samples,).
        seconds: between the margins.

    Returns:
        ``seconds``; ``onsets``: events; ``windows``: seconds by "brightness:events", the
        brightness in thirds of an octave above 1 kHz; ``levels``: seconds by RMS in dBFS.
    """
    windows, levels = Counter[str](), Counter[str]()
    onsets = onset_times(audio, ANALYSIS_RATE, window=512, bands_per_octave=3) - MARGIN_SECONDS
    onsets = onsets[(onsets >= 0) & (onsets < seconds)]
    for second in range(max(1, round(seconds)) if seconds else 0):
        start = (MARGIN_SECONDS + second) * ANALYSIS_RATE
        window = audio[start : start + _WINDOW]
        level = 10 * np.log10(np.mean(np.square(window, dtype=np.float64)) + 1e-20)
        if level >= SILENT_DBFS:
            events = np.sum((onsets >= second) & (onsets < second + 1))
            windows[f"{_brightness(window)}:{events}"] += 1
            levels[f"{level:.0f}"] += 1
    found = {"windows": dict(windows), "levels": dict(levels)}
    return {"seconds": seconds, "onsets": len(onsets), **found}


def _brightness(window: NDArray[np.float32]) -> int:
    """Return the third of an octave in which the spectral centroid lies; 0 begins at 1 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(window, _FRAME)[:: _FRAME // 2]
    spectra = rfft(frames * hann(_FRAME, sym=False).astype(np.float32))
    hertz = np.arange(spectra.shape[1]) * ANALYSIS_RATE / _FRAME
    amplitudes = np.sqrt(np.mean(np.abs(spectra) ** 2, axis=0)) * (hertz >= _LOWEST_HZ)
    centroid = np.sum(hertz * amplitudes) / (np.sum(amplitudes) + 1e-20)
    return int(np.floor(_BANDS_PER_OCTAVE * np.log2(max(centroid, _LOWEST_HZ) / 1000)))
