"""The Max patch of an instrument: stock objects of Max 8, and nn~.

It opens in the presentation view, where everything lies that a musician touches. Sliders can be
moved from elsewhere by the names that begin with the instrument's slug, such as
``pyroviolin-morph``.
"""

from dataclasses import dataclass

from morphene_core.delivery.demo import SECTIONS
from morphene_core.delivery.patches import wording
from morphene_core.delivery.patches.graph import Shape
from morphene_core.delivery.patches.maxfile import Patcher, Place, width
from morphene_core.final_model import FinalModel

_INK, _QUIET = [0.12, 0.16, 0.2, 1.0], [0.32, 0.38, 0.43, 1.0]
_WHITE, _PANEL = [1.0, 1.0, 1.0, 1.0], [0.91, 0.93, 0.95, 1.0]
_ACCENT, _SLOT = [0.18, 0.44, 0.62, 1.0], [0.98, 0.99, 0.99, 1.0]
_GOOD, _BAD = [0.18, 0.49, 0.2, 1.0], [0.7, 0.15, 0.12, 1.0]
_LEFT, _LEFT_WIDTH = 16, 320
_RIGHT = _LEFT + _LEFT_WIDTH + 14
_GAP = 12
_ROW, _CELL = 26, 316  # of a latent slider
_RAMP_MS = 30
_FADE_MS = 80
_LATENTS_Y = 620  # in the patching view: below the wiring of the rest


@dataclass(frozen=True)
class _Patch:
    """What all parts of a patch take."""

    patcher: Patcher
    slug: str
    model: FinalModel

    def x(self, column: int) -> int:
        """Return where a column of the patching view begins; the widest object fits into one."""
        return 20 + column * (width(f"buffer~ {self.slug}-nonmusical demo.wav") + 16)

    def words(
        self, shown: Place, text: str, size: float = 11.0, colour: list[float] = _QUIET
    ) -> str:
        """Write text in the presentation view."""
        return self.patcher.aside("comment", shown, text=text, fontsize=size, textcolor=colour)

    def panel(self, shown: Place, title: str) -> None:
        """Draw a box with a title, on which the next objects lie."""
        x, y, width, _ = shown
        self.words((x + 8, y + 5, min(180, width - 16), 21), title, 13.0, _INK)
        self.patcher.backdrop(shown, _PANEL)

    def bar(self, at: tuple[int, int], shown: Place, text: str, colour: list[float]) -> str:
        """Add a coloured bar with white text that messages may change."""
        return self.patcher.gui(
            "comment", at, shown, text=text, fontsize=12.0, textcolor=_WHITE, bgcolor=colour
        )

    def slider(
        self, at: tuple[int, int], shown: Place, name: str, bounds: tuple[float, float, float]
    ) -> str:
        """Add a slider with its lowest, highest and first value, and a number box beside it.

        It can be set by sending to ``{slug}-{name}``; what is beyond its ends is taken for them.
        The slider itself goes from 0: with a minimum, Max would add that to all that enters it.

        Returns:
            The id of the object that passes the value on.
        """
        (x, y), (sx, sy, width, height) = at, shown
        low, high, first = bounds
        slider = self.patcher.gui(
            "slider", (x, y + 60), (sx, sy, width - 58, height), floatoutput=1, size=high - low,
            orientation=1, parameter_enable=0, bgcolor=_SLOT, knobcolor=_ACCENT,
        )  # fmt: skip
        number = self.patcher.gui(
            "flonum", (x, y + 104), (sx + width - 54, sy + height // 2 - 10, 54, 20), format=6,
            parameter_enable=0,
        )  # fmt: skip
        above_low = self.patcher.obj(x + 150, y, f"+ {abs(low):.1f}")
        value = self.patcher.obj(x + 60, y + 104, f"- {abs(low):.1f}")
        self.patcher.chain(self.patcher.obj(x, y, f"loadmess {first:g}"), above_low, slider)
        self.patcher.connect(self.patcher.obj(x, y + 30, f"r {self.slug}-{name}"), above_low)
        self.patcher.chain(slider, value, number)
        clip = self.patcher.obj(x, y + 126, f"clip {low:.1f} {high:.1f}")
        self.patcher.connect(number, clip)
        return clip

    def button(self, at: tuple[int, int], shown: Place, text: str) -> str:
        """Add a button with a text."""
        return self.patcher.gui("textbutton", at, shown, text=text, fontsize=11.0)

    def meter(self, at: tuple[int, int], shown: Place, signal: str) -> None:
        """Show a signal's level on a meter."""
        self.patcher.connect(signal, self.patcher.gui("meter~", at, shown))

    def ramp(self, x: int, y: int, milliseconds: int) -> tuple[str, str]:
        """Add a message box that takes numbers, and a line~ that ramps to them."""
        message = self.patcher.message(x, y, f"$1 {milliseconds}")
        line = self.patcher.obj(x, y + 30, "line~")
        self.patcher.connect(message, line)
        return message, line

    def decibels(self, x: int, y: int, level: str) -> str:
        """Turn a level in dB into a ramped factor; return the id of its line~."""
        message, line = self.ramp(x, y + 30, _RAMP_MS)
        self.patcher.chain(level, self.patcher.obj(x, y, "dbtoa"), message)
        return line

    def sends(self, at: tuple[int, int], shown: Place, attribute: str, number: int | None) -> None:
        """Add a slider that sets an attribute of the model, or one latent's offset."""
        if number is None:
            first = wording.knobs(self.model)[attribute]
            name, bounds, sets = attribute, (0.0, wording.MOST_NOISE, first), f"set {attribute} $1"
        else:
            name, sets = f"latent-{number}", f"set latent {number} $1"
            bounds = (-wording.DEVIATIONS, wording.DEVIATIONS, 0.0)
        value = self.slider(at, shown, name, bounds)
        x, y = at
        message = self.patcher.message(x, y + 150, sets)
        self.patcher.chain(value, message, self.patcher.obj(x, y + 174, f"s {self.slug}-nn"))


def max_patch(slug: str, model: FinalModel) -> str:
    """Return the text of the patch ``{slug}.maxpat``."""
    morph = model.method("morph")
    patch = _Patch(Patcher(Shape(morph.in_channels, morph.out_channels)), slug, model)
    rows, columns = wording.latent_grid(len(model.latents))
    right_width = max(620, columns * _CELL + 12)
    wide = _RIGHT + right_width + 16
    nn = patch.patcher.obj(patch.x(0), 540, f"nn~ {slug}.ts morph {wording.DEFAULT_BUFFER}")
    patch.patcher.connect(patch.patcher.obj(patch.x(0), 500, f"r {slug}-nn"), nn)
    top = _header(patch, wide)
    left = _sources(patch, top, nn) + _GAP
    left = _output(patch, left, nn) + _GAP
    left = _noise(patch, left)
    right = _morph(patch, top, right_width, nn) + _GAP
    right = _latents(patch, right, right_width, rows) + _GAP
    right = _host(patch, right, right_width)
    return patch.patcher.file(wide, max(left, right) + 16)


def _header(patch: _Patch, width: int) -> int:
    name, notice = wording.one_line(patch.model.name), wording.notice(patch.model)
    patch.words((14, 4, width - 28, 34), name, 24.0, _WHITE)
    patch.words((14, 38, width - 28, 20), wording.facts(patch.model), 11.0, _WHITE)
    patch.patcher.backdrop((0, 0, width, 62), _INK, 0)
    if not notice:
        return 62 + 14
    patch.words((10, 64, width - 20, 20), notice, 12.0, _WHITE)
    patch.patcher.backdrop((0, 62, width, 24), _BAD, 0)
    return 62 + 24 + 14


def _sources(patch: _Patch, y: int, nn: str) -> int:
    patcher, x = patch.patcher, _LEFT + 12
    patch.panel((_LEFT, y, _LEFT_WIDTH, 262), "What it hears")
    choice = patcher.gui(
        "tab", (patch.x(7), 50), (x, y + 32, 200, 22), tabs=["files", "inputs 1 and 2"],
        parameter_enable=0,
    )  # fmt: skip
    patcher.chain(patcher.obj(patch.x(7), 20, "loadmess 0"), choice)
    from_files, from_inputs = patch.ramp(patch.x(7), 130, 20), patch.ramp(patch.x(8), 130, 20)
    patcher.chain(choice, patcher.obj(patch.x(7), 100, "== 0"), from_files[0])
    patcher.connect(choice, from_inputs[0])
    inputs = patcher.obj(patch.x(8), 230, "adc~ 1 2")
    for index, source in enumerate(("musical", "nonmusical")):
        line, column = y + 66 + 96 * index, 1 + 3 * index
        title = "musical" if index == 0 else "non-musical"
        patch.words((x, line, 240, 20), f"{title} (input {index + 1}), level in dB")
        played = _player(patch, column, line + 24, f"{patch.slug}-{source}", index)
        files, live = (
            patcher.obj(patch.x(column), 430, "*~"),
            patcher.obj(patch.x(8) + 60 * index, 270, "*~"),
        )
        value = patch.slider(
            (patch.x(column + 2), 20),
            (x, line + 54, 250, 18),
            f"level-{index + 1}",
            (*wording.LEVEL_DB, 0.0),
        )
        scaled = patcher.obj(patch.x(column), 470, "*~")
        patcher.connect(played, files)
        patcher.connect(from_files[1], files, 0, 1)
        patcher.connect(inputs, live, index)
        patcher.connect(from_inputs[1], live, 0, 1)
        patcher.connect(files, scaled)
        patcher.connect(live, scaled)
        patcher.connect(patch.decibels(patch.x(column + 2), 180, value), scaled, 0, 1)
        patcher.connect(scaled, nn, 0, index)
        patch.meter((patch.x(column + 2), 280), (_LEFT + 292, line, 14, 80), scaled)
    return y + 262


def _player(patch: _Patch, column: int, y: int, buffer: str, index: int) -> str:
    """Add a player of a section of demo.wav, again and again, or of a file of one's own."""
    patcher, section = patch.patcher, SECTIONS[index]
    x, right = patch.x(column), patch.x(column + 1)
    own = patch.button((x, 20), (_LEFT + 12, y, 96, 22), "a file ...")
    demo = patch.button((right, 20), (_LEFT + 116, y, 120, 22), "from demo.wav")
    chosen, from_demo = patcher.obj(x, 50, "t b b"), patcher.obj(right, 50, "t b b b b")
    any_file, the_demo = (
        patcher.message(x, 80, "replace"),
        patcher.message(right, 80, "replace demo.wav"),
    )
    let, keep = patcher.message(x + 90, 80, "1"), patcher.message(x + 140, 80, "0")
    sound = patcher.obj(x, 130, f"buffer~ {buffer} demo.wav")
    whole, length = patcher.obj(x, 180, "gate"), patcher.obj(x, 210, f"info~ {buffer}")
    ends, zero = patcher.obj(x, 250, "t b b f"), patcher.message(x + 90, 250, "0.")
    speed, start = patcher.obj(x, 330, "sig~ 1"), patcher.message(x + 90, 330, "startloop")
    player = patcher.obj(x, 380, f"groove~ {buffer} 1 @loop 1")
    patcher.chain(own, chosen, any_file, sound)
    patcher.chain(demo, from_demo, start, player)
    patcher.chain(speed, player)
    patcher.connect(from_demo, the_demo, 2)
    patcher.connect(the_demo, sound)
    for order, flag, outlet in ((chosen, let, 1), (from_demo, keep, 3)):
        patcher.connect(order, flag, outlet)
        patcher.connect(flag, whole)
    bounds = (section.start, section.start + section.seconds)
    load = patcher.obj(right, 130, "loadbang")
    for inlet, second in enumerate(bounds, 1):
        bound = patcher.message(right, 130 + 40 * inlet, f"{1000 * second:.1f}")
        patcher.connect(from_demo, bound, 1)
        patcher.connect(load, bound)
        patcher.connect(bound, player, 0, inlet)
    patcher.connect(sound, whole, 1, 1)  # when a file of one's own is read, all of it is played
    patcher.chain(whole, length)
    patcher.connect(length, ends, 6)
    patcher.connect(ends, player, 2, 2)
    patcher.connect(ends, zero, 1)
    patcher.connect(zero, player, 0, 1)
    patcher.connect(ends, start)
    on = patcher.obj(right, 260, f"r {patch.slug}-is-on")
    patcher.chain(on, patcher.obj(right, 290, "sel 1"), start)
    return player


def _output(patch: _Patch, y: int, nn: str) -> int:
    """Gain, and an on/off that fades out before nn~ is stopped, so that neither clicks."""
    patcher, slug = patch.patcher, patch.slug
    x, right, level = (patch.x(column) for column in (9, 10, 11))
    patch.panel((_LEFT, y, _LEFT_WIDTH, 118), "What you hear")
    on = patcher.gui("toggle", (x, 50), (_LEFT + 12, y + 36, 56, 56), parameter_enable=0)
    patch.words((_LEFT + 76, y + 32, 60, 26), "ON", 16.0, _INK)
    patch.words((_LEFT + 76, y + 58, 180, 20), "gain in dB")
    value = patch.slider(
        (level, 20), (_LEFT + 78, y + 82, 206, 18), "gain", (*wording.GAIN_DB, -6.0)
    )
    patcher.chain(patcher.obj(x, 20, f"r {slug}-on"), on)
    patcher.connect(patcher.obj(right, 20, "loadmess 0"), on)  # nn~ itself begins enabled
    is_on = patcher.obj(x + 60, 84, "!= 0")  # a toggle passes on what it is sent: a pad's 127
    patcher.connect(on, is_on)
    begin, end = patcher.obj(x, 150, "t b b b b"), patcher.obj(right, 150, "t b b")
    for number, column, order in ((1, x, begin), (0, right, end)):
        patcher.chain(is_on, patcher.obj(column, 120, f"sel {number}"), order)
    patcher.connect(is_on, patcher.obj(x + 60, 50, f"s {slug}-is-on"))
    louder, softer = patcher.message(x, 190, "1"), patcher.message(right + 110, 190, "0")
    enable, disable = (
        patcher.message(x + 50, 190, "enable 1"),
        patcher.message(right, 230, "enable 0"),
    )
    stop, start_dsp = patcher.message(x + 140, 190, "stop"), patcher.message(x + 200, 190, "1")
    wait = patcher.obj(right, 190, f"delay {_FADE_MS + 40}")
    settings = patcher.obj(right, 270, f"s {slug}-nn")
    message, line = patch.ramp(x, 240, _FADE_MS)
    scaled, faded, out = (
        patcher.obj(x, row, text) for row, text in ((380, "*~"), (430, "*~"), (480, "dac~ 1 2"))
    )
    patcher.connect(begin, start_dsp, 3)
    patcher.connect(start_dsp, out)
    patcher.connect(begin, stop, 2)
    patcher.connect(stop, wait)
    patcher.connect(begin, enable, 1)
    patcher.connect(enable, settings)
    patcher.chain(begin, louder, message)
    patcher.connect(end, softer, 1)
    patcher.connect(softer, message)
    patcher.chain(end, wait, disable, settings)
    patcher.chain(nn, scaled, faded, out)
    patcher.connect(faded, out, 0, 1)
    patcher.connect(line, faded, 0, 1)
    patcher.connect(patch.decibels(level, 180, value), scaled, 0, 1)
    patch.meter((right, 430), (_LEFT + 292, y + 22, 14, 80), faded)
    return y + 118


def _noise(patch: _Patch, y: int) -> int:
    names = list(wording.knobs(patch.model))
    if not names:
        return y
    height = 34 + 52 * len(names)
    patch.panel((_LEFT, y, _LEFT_WIDTH, height), "How freely it plays")
    for index, name in enumerate(names):
        title, meaning = wording.KNOBS[name]
        line = y + 32 + 52 * index
        patch.sends((patch.x(12 + index), 20), (_LEFT + 12, line, 180, 18), name, None)
        patch.words((_LEFT + 200, line - 1, 116, 20), title, 11.0, _INK)
        patch.words((_LEFT + 12, line + 22, 290, 20), meaning)
    return y + height


def _morph(patch: _Patch, y: int, width: int, nn: str) -> int:
    patch.panel((_RIGHT, y, width, 116), "Morph")
    value = patch.slider(
        (patch.x(0), 20), (_RIGHT + 12, y + 36, width - 24, 40), "morph", (0.0, 1.0, 0.5)
    )
    patch.words((_RIGHT + 12, y + 82, 160, 20), "0: musical")
    patch.words((_RIGHT + width - 190, y + 82, 110, 20), "1: non-musical")
    message, line = patch.ramp(patch.x(0), 190, _RAMP_MS)
    patch.patcher.connect(value, message)
    patch.patcher.connect(line, nn, 0, 2)
    return y + 116


def _latents(patch: _Patch, y: int, width: int, rows: int) -> int:
    patcher, height = patch.patcher, 44 + rows * _ROW
    patch.panel((_RIGHT, y, width, height), "Latents")
    patch.words(
        (_RIGHT + 200, y + 6, 330, 20), "what + does, its share of all movement; in deviations"
    )
    for index, latent in enumerate(patch.model.latents):
        column, row = divmod(index, rows)
        x, line = _RIGHT + 12 + column * _CELL, y + 36 + row * _ROW
        patch.words((x, line, 112, 20), wording.latent_label(latent), 11.0, _INK)
        at = (patch.x(index % 16), _LATENTS_Y + 210 * (index // 16))
        patch.sends(at, (x + 114, line, 190, 18), "latent", latent.number)
    left, right = patch.x(14), patch.x(15)
    button = patch.button((left, 20), (_RIGHT + width - 82, y + 6, 70, 22), "reset")
    order, clear = patcher.obj(left, 60, "t b b"), patcher.message(right, 60, "set latent 0 0.")
    settings = patcher.obj(right, 90, f"s {patch.slug}-nn")
    zeros = " ".join(f"; {patch.slug}-latent-{latent.number} 0." for latent in patch.model.latents)
    patcher.chain(button, order, patcher.message(left, 120, zeros))
    patcher.connect(order, clear, 1)
    patcher.connect(clear, settings)
    return y + height


def _host(patch: _Patch, y: int, width: int) -> int:
    """The sample rate, which nn~ never checks, and what to know of its buffer."""
    patcher, rate = patch.patcher, patch.model.sample_rate
    x, right = patch.x(16), patch.x(18)
    patch.panel((_RIGHT, y, width, 150), "Max and nn~")
    bar = patch.bar(
        (x, 340), (_RIGHT + 12, y + 32, width - 24, 22),
        f"press ON to check the sample rate, which has to be {rate} Hz", _QUIET,
    )  # fmt: skip
    state, is_right = patcher.obj(x, 90, "dspstate~"), patcher.obj(x, 130, f"sel {rate}.")
    patcher.chain(patcher.obj(x, 50, "loadbang"), state)
    patcher.connect(state, is_right, 1)
    wrong = patcher.obj(right, 170, "t b f f")
    patcher.connect(is_right, wrong, 1)
    for source, outlet, column, text, colour in (
        (is_right, 0, x, f"set the sample rate is right: {rate} Hz", _GOOD),
        (wrong, 1, right, f"set OUT OF TUNE: Max runs at $1 Hz and this takes {rate} Hz", _BAD),
    ):
        says = patcher.message(column, 210, text)
        paints = patcher.message(column, 250, "bgcolor " + " ".join(map(str, colour)))
        patcher.connect(source, says, outlet)
        patcher.connect(source, paints, 0)
        patcher.connect(says, bar)
        patcher.connect(paints, bar)
    console = patcher.message(
        right, 290, f"OUT OF TUNE: Max runs at $1 Hz and this takes {rate} Hz"
    )
    patcher.connect(wrong, console, 2)
    patcher.connect(console, patcher.obj(right, 320, f"print {patch.slug}"))
    for row, size in enumerate(wording.BUFFERS):
        text = wording.buffer_label(patch.model, size)
        patch.words((_RIGHT + 12, y + 60 + 21 * row, 280, 20), text)
    patch.words(
        (_RIGHT + 300, y + 60, width - 312, 78),
        f"The buffer is the last word of nn~ {patch.slug}.ts morph {wording.DEFAULT_BUFFER}: unlock"
        " the patch, leave the presentation view and change it there. It stutters? Take a larger"
        " one. On Windows nn~ computes in the audio thread: take a large I/O vector size, too.",
    )
    return y + 150
