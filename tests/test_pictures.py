import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from morphene_core.audio.pictures import (
    curves_png,
    overview_png,
    spectrograms_png,
)
from morphene_core.audits import RENDER_NAMES
from morphene_core.audits.pictures import draw_pictures

RATE = 48_000
Picture = Callable[[np.ndarray, int, str], bytes]
PICTURES: list[Picture] = [
    overview_png,
    lambda audio, rate, title: spectrograms_png({title: audio}, rate, title),
]


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def sweep(seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).uniform(-1, 1, len(time))
    return (0.3 * np.sin(2 * np.pi * 300 * time * (1 + time / seconds)) + 0.1 * noise).astype("f4")


def waveform(audio: np.ndarray, rate: int) -> np.ndarray:
    """Return where the waveform of an overview is drawn, which stands above the spectrogram."""
    return blue(overview_png(audio, rate, ""))[:140]


def blue(png: bytes) -> np.ndarray:
    image = pixels(png)
    return (image[..., 2] - image[..., 0] > 60) & (image[..., 0] < 120)


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_of_a_minute_is_small_and_900_pixels_wide(picture: Picture) -> None:
    png = picture(sweep(60), RATE, "violin, 0003 $x_{")
    assert pixels(png).shape[1] == 900
    assert len(png) < 150_000


def test_an_hour_is_drawn_fast_and_small() -> None:
    audio = np.tile(sweep(60), 60)
    start = time.process_time()
    png = overview_png(audio, RATE, "an hour")
    assert time.process_time() - start < 5
    assert len(png) < 150_000


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("samples", [0, 1, 100, 48_000])
def test_silence_of_any_length_can_be_drawn(picture: Picture, samples: int) -> None:
    assert pixels(picture(np.zeros(samples, np.float32), RATE, "silence")).shape[1] == 900


def test_the_waveform_shows_where_it_is_loud() -> None:
    audio = sweep(4)
    audio[: len(audio) // 2] *= 0.02
    drawn = waveform(audio, RATE)
    assert drawn[:, 500:880].sum() > 5 * drawn[:, 80:450].sum() > 0


def test_a_single_click_in_an_hour_is_seen() -> None:
    audio = np.zeros(3600 * 8000, np.float32)
    audio[len(audio) // 2] = 0.9
    quiet = waveform(np.zeros(3600 * 8000, np.float32), 8000)
    clicked = waveform(audio, 8000)
    assert clicked.any(axis=1).sum() > quiet.any(axis=1).sum() + 30


@pytest.mark.parametrize("hertz", [100, 1000, 10_000])
def test_the_spectrogram_shows_a_tone_at_its_frequency(hertz: int) -> None:
    audio = 0.5 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)
    image = pixels(spectrograms_png({"": audio}, RATE, "")).sum(axis=2)[:, 300:600]
    drawn = np.flatnonzero((image < 760).all(axis=1))  # white is only outside of the plot
    top, bottom = drawn.min(), drawn.max()
    brightest = top + np.argmax(image[top:bottom].mean(axis=1))
    height = np.log(24_000 / 40)
    expected = bottom - (bottom - top) * np.log(hertz / 40) / height
    assert abs(brightest - expected) < 0.06 * (bottom - top)


def test_curves_are_drawn_with_their_marks() -> None:
    steps = np.arange(1000.0)
    curves = {"loss": (steps, 30 * np.exp(-steps / 100) + 1), "validation": (steps, steps + 2)}
    plain = curves_png(curves, "step", "Losses")
    marked = curves_png(curves, "step", "Losses", {"phase 2": 500})
    assert pixels(plain).shape[1] == 900
    assert blue(plain).sum() > 300
    assert len(marked) < 150_000
    difference = np.abs(pixels(plain) - pixels(marked)).sum(axis=2)  # the palettes differ slightly
    changed = np.flatnonzero((difference > 120).any(axis=0))
    assert 400 < changed.min() < changed.max() < 560


def test_values_that_are_not_finite_are_left_out() -> None:
    steps = list(range(100))
    good = [10.0 + step for step in steps]
    holes = [*good[:99], float("nan")]
    drawn = curves_png({"a": (steps[:99], good[:99])}, "step", "")
    assert curves_png({"a": (steps, holes)}, "step", "") == drawn
    assert curves_png({"a": (steps, [*good[:99], float("inf")])}, "step", "") == drawn


@pytest.mark.parametrize("curve", [([], []), ([1.0], [float("nan")]), ([1.0], [2.0])])
def test_a_training_can_be_drawn_before_it_has_a_line(
    curve: tuple[list[float], list[float]],
) -> None:
    png = curves_png({"loss": curve}, "step", "Losses")
    assert (pixels(png) < 200).any()


def test_the_picture_of_an_audit_tells_its_numbers_as_every_text_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(sounds: dict[str, np.ndarray], *_: object) -> bytes:
        drawn.extend(sounds)
        return b""

    monkeypatch.setattr("morphene_core.audits.pictures.spectrograms_png", draw)
    monkeypatch.setattr("morphene_core.audits.pictures.morph_png", draw)
    metrics = {"musical_f0_error": 1200.0, "musical_voicing_error": 0.0529}
    path = {key: [0.0] for key in ("amount", "to_musical", "to_nonmusical")}
    sound = np.zeros(8, np.float32)
    draw_pictures(tmp_path, "", (sound, sound), dict.fromkeys(RENDER_NAMES, sound), metrics, path)
    said = " ".join(drawn[1].split())
    assert "pitch error 1,200 cents, voicing error 5.29 % of frames" in said
    assert said.startswith("reconstruction: spectral distance not measurable, ")


def test_the_same_sound_gives_the_same_bytes() -> None:
    assert overview_png(sweep(1), RATE, "x") == overview_png(sweep(1), RATE, "x")


def test_importing_the_pictures_does_not_import_matplotlib() -> None:
    code = "import sys, morphene_core.audio.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
