"""Known damage in grades, and known paths between two sounds, for the calibration of metrics.

All take mono audio at 48 kHz, shape (samples,), and give as many samples, the same ones each time.
"""

import librosa
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import butter, sosfilt

RATE = 48_000
WINDOW, HOP = 2048, 512


def low_pass(audio: np.ndarray, hertz: float) -> np.ndarray:
    """Take away what lies above, as a dull model does (24 dB an octave)."""
    return single(sosfilt(butter(4, hertz, fs=RATE, output="sos"), audio))


def hiss(audio: np.ndarray, snr_db: float) -> np.ndarray:
    """Add white noise."""
    return single(audio + white_noise(audio) * 10 ** (-snr_db / 20))


def white_noise(audio: np.ndarray) -> np.ndarray:
    """Return nothing but noise, of the same power."""
    noise = np.random.default_rng(1).standard_normal(len(audio))
    return single(noise * np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def clicks(audio: np.ndarray, per_second: float) -> np.ndarray:
    """Add clicks at random places, half as high as the peak."""
    rng = np.random.default_rng(2)
    places = rng.integers(0, len(audio), round(per_second * len(audio) / RATE))
    return _clicked(audio, places, 0.5)


def block_clicks(audio: np.ndarray, block: int, height: float = 0.2, every: int = 1) -> np.ndarray:
    """Add a click at every so many ends of a block, as high as a share of the peak."""
    return _clicked(audio, np.arange(block - 1, len(audio), every * block), height)


def block_steps(audio: np.ndarray, block: int, depth: float) -> np.ndarray:
    """Give each block a gain of its own: the waveform leaps where two meet."""
    gains = 1 + depth * np.random.default_rng(3).uniform(-1, 1, len(audio) // block + 1)
    return single(audio * np.repeat(gains, block)[: len(audio)])


def buzz(audio: np.ndarray, ratio: int, level_db: float) -> np.ndarray:
    """Add a tone at the frame rate with all its harmonics, so much under the audio's power."""
    pulses = np.convolve(np.arange(len(audio)) % ratio == 0, np.hanning(16), "same")
    pulses -= pulses.mean()
    gain = np.sqrt(np.mean(np.square(audio, dtype=np.float64)) / np.mean(pulses**2))
    return single(audio + pulses * gain * 10 ** (level_db / 20))


def pitch_shift(audio: np.ndarray, cents: float) -> np.ndarray:
    """Play it higher at the same speed."""
    return single(librosa.effects.pitch_shift(audio, sr=RATE, n_steps=cents / 100))


def dropouts(audio: np.ndarray, share: float) -> np.ndarray:
    """Silence a share of the time, in gaps of 80 ms with ramps of 5 ms."""
    gap = round(0.08 * RATE)
    cells = np.random.default_rng(4).permutation(len(audio) // gap)
    gains = np.ones(len(audio))
    for cell in cells[: round(share * len(cells))]:
        gains[cell * gap : (cell + 1) * gap] = 0
    ramp = np.hanning(480)
    return single(audio * np.convolve(gains, ramp / ramp.sum(), "same"))


def blur(audio: np.ndarray, strength: float) -> np.ndarray:
    """Smooth the magnitudes over time and frequency, as the mean over all that may come does.

    That is what a network gives which was trained on spectral distances alone (RAVE's phase 1).
    Strength 1 is a standard deviation of 11 ms and 12 Hz. Griffin and Lim's iterations look for a
    sound that has those magnitudes.
    """
    spectrum = stft(audio)
    wanted = gaussian_filter(np.abs(spectrum), (0.5 * strength, strength))
    for _ in range(8):
        spectrum = stft(istft(wanted * np.exp(1j * np.angle(spectrum)), len(audio)))
    return as_loud(istft(wanted * np.exp(1j * np.angle(spectrum)), len(audio)), audio)


def phase_deviations(audio: np.ndarray, radians: float, frames: float = 5) -> np.ndarray:
    """Turn the phases by random angles: as sharp as before, but another course of noise and beats.

    That is what a network gives which learned from a discriminator what sounds right. The angles
    have this standard deviation and change within so many frames of 11 ms.
    """
    spectrum = stft(audio)
    angles = np.random.default_rng(5).standard_normal(spectrum.shape)
    angles = gaussian_filter(angles, (1, frames))
    turned = spectrum * np.exp(1j * radians * angles / angles.std())
    return as_loud(istft(turned, len(audio)), audio)


def spectral_morph(a: np.ndarray, b: np.ndarray, amount: float) -> np.ndarray:
    """Interpolate the levels of two spectra, with the phases of the first."""
    spectra = stft(a), stft(b)
    floor = max(np.abs(s).max() for s in spectra) * 1e-4
    levels = [np.log(np.maximum(np.abs(s), floor)) for s in spectra]
    magnitudes = np.exp((1 - amount) * levels[0] + amount * levels[1])
    return istft(magnitudes * np.exp(1j * np.angle(spectra[0])), len(a))


def crossfade(a: np.ndarray, b: np.ndarray, amount: float) -> np.ndarray:
    """Mix the waveforms."""
    return single((1 - amount) * a + amount * b)


def as_loud(audio: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Give audio the RMS level of another."""
    return single(audio * np.linalg.norm(reference) / np.linalg.norm(audio))


def stft(audio: np.ndarray) -> np.ndarray:
    return librosa.stft(np.asarray(audio, np.float64), n_fft=WINDOW, hop_length=HOP)


def istft(spectrum: np.ndarray, samples: int) -> np.ndarray:
    return single(librosa.istft(spectrum, n_fft=WINDOW, hop_length=HOP, length=samples))


def single(audio: np.ndarray) -> np.ndarray:
    return np.asarray(audio, np.float32)


def _clicked(audio: np.ndarray, places: np.ndarray, height: float) -> np.ndarray:
    clicked = audio.copy()
    clicked[places] += height * np.abs(audio).max() * (-1) ** np.arange(len(places))
    return single(clicked)
