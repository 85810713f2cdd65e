from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from morphene_core.audio.loudness import integrated_lufs, level_dbfs, true_peak_dbtp
from morphene_core.audio.wav import SAMPLE_RATE, Mono, read_mono, write_wav
from morphene_core.delivery.demo import (
    BEST_LUFS,
    DEMO_SECONDS,
    LEAST_LUFS,
    MORPH_CURVE,
    SECTIONS,
    morph_amount,
    play_demo,
)
from morphene_core.errors import InputError
from morphene_core.metrics.clicks import clicks_per_second

LATENCY = 2000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a .ts that crossfades its inputs instead of morphing them, and is late."""
    import torch

    class Crossfade(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.latency = LATENCY
            self.register_buffer("past", torch.zeros(1, 3, LATENCY))
            self.register_buffer("forward_params", torch.tensor([1, 1, 1, 1]))
            self.register_buffer("morph_params", torch.tensor([3, 1, 1, 1]))

        @torch.jit.export
        def get_methods(self) -> list[str]:
            return ["forward", "morph"]

        @torch.jit.export
        def late(self, x: torch.Tensor) -> torch.Tensor:
            whole = torch.cat([self.past, x], -1)
            self.past = whole[..., x.shape[-1] :]
            return whole[..., : x.shape[-1]]

        @torch.jit.export
        def morph(self, x: torch.Tensor) -> torch.Tensor:
            x = self.late(x)
            return (1 - x[:, 2:]) * x[:, :1] + x[:, 2:] * x[:, 1:2]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.late(torch.cat([x, x, x], 1))[:, :1]

    path = tmp_path_factory.mktemp("model") / "crossfade.ts"
    torch.jit.save(torch.jit.script(Crossfade()), str(path))
    return path


def tone(hertz: float, seconds: float, level: float = 0.1) -> Mono:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, level: float = 0.1) -> Mono:
    samples = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE))
    return (level * samples).astype(np.float32)


def cut(demo: Mono) -> dict[str, Mono]:
    """Return the sections of a demo by their names."""
    bounds = ((s.name, s.start, s.start + s.seconds) for s in SECTIONS)
    return {n: demo[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for n, a, b in bounds}


SOURCES = {
    "long": (tone(440, 30), noise(30, 0.02)),
    "short": (tone(440, 0.7), noise(0.3, 0.02)),
    "one long, one a blink": (tone(440, 30), noise(0.01)),
    "a crackle among silence": (tone(440, 12), np.eye(1, 40_000, 20_000, dtype=np.float32)[0]),
    "quiet and loud": (tone(440, 12, 1e-3), noise(12, 0.3)),
    "with pauses": (
        np.tile(np.concatenate([np.zeros(50_000, np.float32), tone(440, 3)]), 4),
        noise(15, 0.02),
    ),
}


@pytest.fixture(scope="module")
def demos(model: Path) -> dict[str, Mono]:
    """Return the demo of each pair of sources."""
    return {name: play_demo(model, *sources) for name, sources in SOURCES.items()}


@pytest.mark.parametrize("name", SOURCES)
def test_every_demo_lasts_as_long_as_it_says_and_does_not_clip(
    name: str, demos: dict[str, Mono], tmp_path: Path
) -> None:
    write_wav(tmp_path / "demo.wav", demos[name])
    demo = read_mono(tmp_path / "demo.wav")
    assert len(demo) == round(DEMO_SECONDS * SAMPLE_RATE) and 30 <= DEMO_SECONDS <= 60
    assert np.isfinite(demo).all() and true_peak_dbtp(demo) <= -1.0


@pytest.mark.parametrize("name", SOURCES)
def test_all_sections_have_one_loudness_unless_peaks_leave_no_room(
    name: str, demos: dict[str, Mono]
) -> None:
    levels = [integrated_lufs(section, SAMPLE_RATE) for section in cut(demos[name]).values()]
    if "crackle" in name:
        assert levels[0] == pytest.approx(LEAST_LUFS, abs=0.5)  # the crackle did not hush it
    else:
        assert max(levels) - min(levels) < 0.5
        assert levels[0] == pytest.approx(BEST_LUFS, abs=0.5)


@pytest.mark.parametrize("name", ["long", "short", "with pauses"])
def test_it_begins_and_ends_with_sound_and_fades(name: str, demos: dict[str, Mono]) -> None:
    for section in cut(demos[name]).values():
        edge = SAMPLE_RATE // 10
        assert abs(section[0]) < 1e-4 and abs(section[-1]) < 1e-3
        whole = level_dbfs(section)
        assert level_dbfs(section[edge : 2 * edge]) > whole - 20
        assert level_dbfs(section[-5 * edge : -4 * edge]) > whole - 20


def test_between_the_sections_there_is_silence(demos: dict[str, Mono]) -> None:
    for before, after in pairwise(SECTIONS):
        gap = slice(
            round((before.start + before.seconds) * SAMPLE_RATE), round(after.start * SAMPLE_RATE)
        )
        assert not demos["long"][gap].any() and demos["long"][gap].size > SAMPLE_RATE / 10


@pytest.mark.parametrize("name", ["long", "short"])
def test_repeating_short_audio_does_not_click(name: str, demos: dict[str, Mono]) -> None:
    section = cut(demos[name])["musical"][SAMPLE_RATE:-SAMPLE_RATE]
    steepest = 2 * np.pi * 440 / SAMPLE_RATE * np.abs(section).max()
    assert np.abs(np.diff(section)).max() < 1.1 * steepest
    assert clicks_per_second(section, 2048) == 0


def test_the_morph_goes_where_the_knob_goes(model: Path) -> None:
    low, high = tone(500, 30), tone(4000, 30)
    section = cut(play_demo(model, low, high))["morph"]
    for second, amount in [(2.0, 0.0), (8.5, 0.5), (14.5, 1.0), (19.5, 0.3), (21.5, 0.0)]:
        part = section[round(second * SAMPLE_RATE) :][:4800]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        heard = spectrum[400] / (spectrum[50] + spectrum[400])  # 10 Hz a bin
        assert heard == pytest.approx(amount, abs=0.05)


def test_the_knob_is_played_and_does_not_jump() -> None:
    amount = morph_amount(22.0)
    assert amount[0] == 0 and amount.max() == pytest.approx(1.0) and amount.min() >= 0
    assert np.abs(np.diff(amount)).max() < 1e-5
    stays, moves = (
        [b[1] == a[1] for a, b in pairwise(MORPH_CURVE)].count(s) for s in (True, False)
    )
    assert stays >= 3 and moves >= 3


def test_the_same_audio_gives_the_same_bytes(model: Path, demos: dict[str, Mono]) -> None:
    assert play_demo(model, *SOURCES["short"]).tobytes() == demos["short"].tobytes()


def test_what_is_heard_is_as_late_as_the_knob_however_late_the_model_is(model: Path) -> None:
    sources = noise(30), np.zeros(30 * SAMPLE_RATE, np.float32)  # all that falls, falls by the knob
    section = cut(play_demo(model, *sources))["morph"]
    levels = np.sqrt(np.mean(np.square(section.reshape(-1, 480)), axis=1))
    gone = np.flatnonzero(levels < levels[100:200].mean() / 100)
    reached = np.flatnonzero(morph_amount(22.0)[::480] > 0.99)
    assert abs(int(gone[0]) - int(reached[0])) <= 3  # of 10 ms; the model is late by 42 ms


@pytest.mark.parametrize("silent", [0, 1])
def test_a_source_without_audio_is_refused(model: Path, silent: int) -> None:
    sources = [tone(440, 5), noise(5)]
    sources[silent] = np.empty(0, np.float32)
    with pytest.raises(InputError, match="held-out audio of both sources"):
        play_demo(model, *sources)


def test_silence_stays_silence(model: Path) -> None:
    demo = play_demo(model, np.zeros(SAMPLE_RATE, np.float32), tone(440, 5))
    sections = cut(demo)
    assert not sections["musical"].any() and sections["nonmusical"].any()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.ts").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"no\.ts"):
        play_demo(tmp_path / "no.ts", tone(440, 5), noise(5))
