"""The Pure Data patch of an instrument: vanilla objects (Pd 0.53 and later) and nn~.

What a musician touches lies in panels; how it is wired lies in subpatches (`pdwiring`). Sliders
can be moved from elsewhere by names that begin with the slug, such as ``pyroviolin-morph``.
"""

from dataclasses import dataclass

from morphene_core.delivery.patches import wording
from morphene_core.delivery.patches.pdfile import Canvas, label
from morphene_core.delivery.patches.pdwiring import (
    BAD,
    GOOD,
    WHITE,
    controls_wired,
    morph_wired,
    output_wired,
    sources_wired,
    status_wired,
)
from morphene_core.final_model import FinalModel

_INK, _QUIET = "#1f2933", "#52606d"
_PANEL, _SLOT, _ACCENT = "#e9eef2", "#fbfcfd", "#2f6f9f"
_LEFT, _LEFT_WIDTH = 16, 320
_RIGHT = _LEFT + _LEFT_WIDTH + 14
_GAP = 12
_HEADER = 62
_ROW, _CELL = 26, 312  # of a latent slider


@dataclass(frozen=True)
class _Patch:
    """What all parts of a patch take."""

    canvas: Canvas
    slug: str
    model: FinalModel

    def panel(self, x: int, y: int, width: int, height: int, title: str) -> None:
        """Draw a box with a title, on which the next objects lie."""
        self.canvas.obj(
            x, y, "cnv", 8, width, height, "empty", "empty", title, 12, 14, 0, 13, _PANEL, _INK, 0
        )

    def bar(
        self, place: tuple[int, int, int, int], text: str, size: int, colour: str, receive: str
    ) -> None:
        """Draw a coloured bar with white text that a receiver may change."""
        x, y, width, height = place
        self.canvas.obj(
            x, y, "cnv", 8, width, height, "empty", receive, label(text), 12, height // 2, 0, size,
            colour, WHITE, 0,
        )  # fmt: skip

    def words(self, x: int, y: int, text: str) -> None:
        """Write small grey text on a panel."""
        self.canvas.obj(
            x, y, "cnv", 1, 1, 1, "empty", "empty", label(text), 0, 8, 0, 11, _PANEL, _QUIET, 0
        )

    def slider(
        self, place: tuple[int, int, int, int], name: str, bounds: tuple[float, float, float]
    ) -> None:
        """Add a slider with its lowest, highest and first value.

        It sends to ``$0-{name}`` and can be set by sending to ``{slug}-{name}``.
        """
        x, y, width, height = place
        low, high, first = bounds
        position = round((first - low) / (high - low) * (width - 1) * 100)
        self.canvas.obj(
            x, y, "hsl", width, height, low, high, 0, 1, f"$0-{name}", f"{self.slug}-{name}",
            "empty", 0, 0, 0, 11, _SLOT, _ACCENT, _INK, position, 1,
        )  # fmt: skip

    def button(self, x: int, y: int, name: str, text: str) -> None:
        """Add a button that sends to ``$0-{name}`` and can be pressed as ``{slug}-{name}``."""
        self.canvas.obj(
            x, y, "bng", 19, 200, 50, 0, f"$0-{name}", f"{self.slug}-{name}", text, 26, 9, 0, 11,
            _SLOT, _ACCENT, _INK,
        )  # fmt: skip

    def choice(self, x: int, y: int, name: str, cells: int, first: int) -> None:
        """Add a row of cells of which one is chosen: sends its number, from 0."""
        self.canvas.obj(
            x, y, "hradio", 19, 1, 1, cells, f"$0-{name}", f"{self.slug}-{name}", "empty", 0, 0, 0,
            11, _SLOT, _ACCENT, _INK, first,
        )  # fmt: skip

    def meter(self, x: int, y: int, height: int, name: str) -> None:
        """Add a level meter that shows what ``$0-{name}`` receives, in dB."""
        self.canvas.obj(
            x, y, "vu", 13, height, f"$0-{name}", "empty", 0, 0, 0, 10, _INK, _INK, 0, 0
        )


def puredata_patch(slug: str, model: FinalModel) -> str:
    """Return the text of the patch ``{slug}.pd``."""
    rows, columns = wording.latent_grid(len(model.latents))
    right_width = max(620, columns * _CELL + 8)
    width = _RIGHT + right_width + 16
    patch = _Patch(Canvas(width + 4, 0), slug, model)
    top = _header(patch, width)
    left = top
    for draw in (_sources, _output, _noise):
        left = draw(patch, left) + _GAP
    right = _morph(patch, top, right_width) + _GAP
    right = _latents(patch, right, right_width, rows) + _GAP
    right = _host(patch, right, right_width) + _GAP
    bottom = max(left, right)
    patch.canvas.height = _wiring(patch, bottom, width - 32) + 20
    return patch.canvas.file()


def _header(patch: _Patch, width: int) -> int:
    patch.canvas.obj(
        0, 0, "cnv", 8, width, _HEADER, "empty", "empty",
        label(wording.one_line(patch.model.name)), 18, 22, 0, 24, _INK, WHITE, 0,
    )  # fmt: skip
    patch.canvas.obj(
        18, 48, "cnv", 1, 1, 1, "empty", "empty", label(wording.facts(patch.model)), 0, 0, 0, 11,
        _INK, "#c3ccd5", 0,
    )  # fmt: skip
    notice = wording.notice(patch.model)
    if not notice:
        return _HEADER + 14
    patch.bar((0, _HEADER, width, 24), notice, 12, BAD, "empty")
    return _HEADER + 24 + 14


def _sources(patch: _Patch, y: int) -> int:
    patch.panel(_LEFT, y, _LEFT_WIDTH, 252, "What it hears")
    patch.choice(_LEFT + 12, y + 32, "source", 2, 0)
    patch.words(_LEFT + 58, y + 34, "1st: files, 2nd: adc~ 1 and 2")
    for index, source in enumerate(("musical", "non-musical"), 1):
        line = y + 64 + (index - 1) * 92
        patch.words(_LEFT + 12, line, f"{source} (input {index}), dB")
        patch.button(_LEFT + 12, line + 22, f"open-{index}", "a file ...")
        patch.button(_LEFT + 124, line + 22, f"demo-{index}", "from demo.wav")
        patch.slider((_LEFT + 15, line + 50, 181, 17), f"level-{index}", (*wording.LEVEL_DB, 0))
        patch.words(_LEFT + 206, line + 51, "-40 to 20")
        patch.meter(_LEFT + 292, line, 80, f"vu-{index}")
    return y + 252


def _output(patch: _Patch, y: int) -> int:
    patch.panel(_LEFT, y, _LEFT_WIDTH, 118, "What you hear")
    patch.canvas.obj(
        _LEFT + 12, y + 36, "tgl", 56, 1, "$0-on", f"{patch.slug}-on", "ON", 66, 14, 0, 16, _SLOT,
        GOOD, _INK, 0, 1,
    )  # fmt: skip
    patch.words(_LEFT + 82, y + 60, "gain, -60 to 12 dB")
    patch.slider((_LEFT + 84, y + 80, 189, 17), "gain", (*wording.GAIN_DB, -6))
    patch.meter(_LEFT + 292, y + 22, 80, "vu-out")
    return y + 118


def _noise(patch: _Patch, y: int) -> int:
    knobs = wording.knobs(patch.model)
    if not knobs:
        return y - _GAP
    height = 34 + 52 * len(knobs)
    patch.panel(_LEFT, y, _LEFT_WIDTH, height, "How freely it plays")
    for index, (name, first) in enumerate(knobs.items()):
        title, meaning = wording.KNOBS[name]
        line = y + 34 + 52 * index
        patch.slider((_LEFT + 15, line, 141, 17), name, (0, wording.MOST_NOISE, first))
        patch.canvas.number(_LEFT + 166, line - 1, 5, f"$0-{name}")
        patch.words(_LEFT + 216, line + 1, title)
        patch.words(_LEFT + 12, line + 21, meaning)
    return y + height


def _morph(patch: _Patch, y: int, width: int) -> int:
    patch.panel(_RIGHT, y, width, 116, "Morph")
    patch.slider((_RIGHT + 17, y + 38, (width - 34) // 2 * 2 + 1, 36), "morph", (0, 1, 0.5))
    patch.words(_RIGHT + 14, y + 82, "0: musical")
    patch.canvas.number(_RIGHT + width // 2 - 22, y + 82, 6, "$0-morph")
    patch.words(_RIGHT + width - 122, y + 82, "1: non-musical")
    return y + 116


def _latents(patch: _Patch, y: int, width: int, rows: int) -> int:
    height = 44 + rows * _ROW
    patch.panel(_RIGHT, y, width, height, "Latents")
    patch.words(
        _RIGHT + 96, y + 6, "what + does, and its share of all movement; -3 to 3 deviations"
    )
    patch.button(_RIGHT + width - 82, y + 6, "reset", "reset")
    for index, latent in enumerate(patch.model.latents):
        column, row = divmod(index, rows)
        x, line = _RIGHT + 12 + column * _CELL, y + 38 + row * _ROW
        name = f"latent-{latent.number}"
        bounds = (-wording.DEVIATIONS, wording.DEVIATIONS, 0.0)
        patch.words(x, line, wording.latent_label(latent))
        patch.slider((x + 122, line, 121, 17), name, bounds)
        patch.canvas.number(x + 250, line - 1, 5, f"$0-{name}")
    return y + height


def _host(patch: _Patch, y: int, width: int) -> int:
    patch.panel(_RIGHT, y, width, 146, "Pure Data and nn~")
    half = (width - 36) // 2
    patch.bar(
        (_RIGHT + 12, y + 32, half, 24),
        f"press ON to check the rate: {patch.model.sample_rate} Hz", 12, _QUIET, "$0-rate-bar",
    )  # fmt: skip
    patch.bar(
        (_RIGHT + 24 + half, y + 32, half, 24),
        "nn~ does not answer: is it installed?", 12, BAD, "$0-model-bar",
    )  # fmt: skip
    patch.choice(_RIGHT + 12, y + 68, "buffer", 3, wording.BUFFERS.index(wording.DEFAULT_BUFFER))
    for index, size in enumerate(wording.BUFFERS):
        text = wording.buffer_label(patch.model, size)
        patch.words(_RIGHT + 86, y + 64 + 17 * index, f"{['1st', '2nd', '3rd'][index]} {text}")
    patch.words(
        _RIGHT + 12, y + 122, "It stutters? Take a larger buffer, and more delay in Audio Settings."
    )
    return y + 146


def _wiring(patch: _Patch, y: int, width: int) -> int:
    canvas, model = patch.canvas, patch.model
    patch.panel(_LEFT, y, width, 136, "How it is wired")
    sources = canvas.inside(_LEFT + 16, y + 34, "sources", sources_wired(patch.slug))
    settings = canvas.obj(_LEFT + 130, y + 34, "r", "$0-nn")
    amount = canvas.inside(_LEFT + 226, y + 34, "morph", morph_wired())
    nn = canvas.obj(_LEFT + 16, y + 68, "nn~", f"{patch.slug}.ts", "morph", wording.DEFAULT_BUFFER)
    output = canvas.inside(_LEFT + 16, y + 102, "output", output_wired())
    status = canvas.inside(_LEFT + 130, y + 102, "status", status_wired(patch.slug, patch.model))
    canvas.inside(_LEFT + 226, y + 102, "controls", controls_wired(patch.slug, patch.model))
    canvas.connect(sources, nn)
    canvas.connect(sources, nn, 1, 1)
    canvas.connect(settings, nn)
    canvas.connect(amount, nn, 0, 2)
    canvas.connect(nn, output)
    canvas.connect(nn, status, model.method("morph").out_channels)
    canvas.comment(
        _LEFT + 330,
        y + 30,
        f"nn~ takes the musical source, the non-musical one and the amount, from 0 to 1. Other"
        f" patches can play it: send to {patch.slug}-morph, {patch.slug}-latent-1 ...,"
        f" {patch.slug}-gain, {patch.slug}-on (0 or 1). Click the boxes to see inside.",
        (width - 350) // 7,
    )
    return y + 136
