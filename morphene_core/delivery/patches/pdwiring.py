"""The subpatches of the Pure Data patch: what its panels send, and how that reaches nn~."""

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.delivery.demo import SECTIONS
from morphene_core.delivery.patches import wording
from morphene_core.delivery.patches.pdfile import Atom, Canvas
from morphene_core.final_model import FinalModel

GOOD, BAD, WHITE = "#2e7d32", "#b3261e", "#ffffff"
"""Colours of bars that say how it is, and of the text on them."""

_RAMP_MS = 30
_FADE_MS = 80
_ROW = 104  # of what one slider sends


def sources_wired(slug: str) -> Canvas:
    """Return the subpatch of both inputs: a file player or adc~ each, its level and its meter."""
    canvas = Canvas(620, 500)
    choice, inverse = _chosen(canvas, 300, 20, "source", 2), canvas.obj(300, 50, "==", 0)
    files, live = _ramp(canvas, 300, 80, 20), _ramp(canvas, 430, 80, 20)
    canvas.chain(choice, inverse, files[0])
    canvas.connect(choice, live[0])
    inputs = canvas.obj(460, 160, "adc~", 1, 2)
    for index in (1, 2):
        x = 20 + 140 * (index - 1)
        player = canvas.inside(x, 160, f"player-{index}", _player_wired(slug, index))
        played, heard = canvas.obj(x, 200, "*~"), canvas.obj(460 + 60 * (index - 1), 200, "*~")
        scaled = canvas.obj(x, 360, "*~")
        canvas.chain(player, played, scaled, canvas.obj(x, 450, "outlet~"))
        canvas.connect(files[1], played, 0, 1)
        canvas.connect(inputs, heard, index - 1)
        canvas.connect(live[1], heard, 0, 1)
        canvas.connect(heard, scaled)
        canvas.connect(
            _decibels(canvas, x + 60, 225, f"$0-level-{index}", wording.LEVEL_DB), scaled, 0, 1
        )
        _metered(canvas, scaled, x + 60, 390, f"$0-vu-{index}")
    return canvas


def _player_wired(slug: str, index: int) -> Canvas:
    """Return a player of a section of demo.wav, or of a file of one's own, again and again."""
    section = SECTIONS[index - 1]
    canvas = Canvas(700, 460)
    reader, since = canvas.obj(120, 300, "readsf~"), canvas.obj(420, 330, "timer")
    canvas.connect(reader, canvas.obj(120, 420, "outlet~"))
    again = canvas.obj(120, 170, "metro", round(1000 * section.seconds))
    start = round(section.start * SAMPLE_RATE)
    demo = _opens(canvas, (120, 200), reader, since, "b", "demo.wav", start)
    path = canvas.obj(300, 170, "symbol")
    canvas.chain(path, _opens(canvas, (300, 200), reader, since, "s", "$1"))
    canvas.connect(again, demo)
    play, stop = canvas.message(120, 140, 1), canvas.message(60, 200, 0)
    for target in (again, reader):
        canvas.connect(stop, target)
    canvas.connect(play, again)

    on_off = _switched(canvas, 20, 20)
    own, which = canvas.obj(20, 80, "f"), canvas.obj(20, 110, "sel", 0, 1)
    canvas.chain(on_off, own, which, play)
    canvas.connect(on_off, stop, 1)
    canvas.connect(which, path, 1)
    chosen = canvas.obj(120, 50, "t", "b", "b")
    canvas.chain(canvas.obj(120, 20, "r", f"$0-demo-{index}"), chosen, play)
    panel, file = canvas.obj(300, 50, "openpanel"), canvas.obj(300, 80, "t", "b", "s", "b", "b")
    canvas.chain(canvas.obj(300, 20, "r", f"$0-open-{index}"), panel, file, path)
    canvas.connect(canvas.obj(420, 50, "r", f"{slug}-file-{index}"), file)
    canvas.connect(file, path, 1, 1)
    canvas.connect(file, stop, 2)
    for source, outlet, flag in ((chosen, 1, 0), (file, 3, 1)):
        is_own = canvas.message(200 + 100 * flag, 110, flag)
        canvas.connect(source, is_own, outlet)
        canvas.connect(is_own, own, 0, 1)

    long_enough, repeat = canvas.obj(420, 360, "moses", 300), canvas.obj(420, 390, "t", "b")
    canvas.connect(reader, since, 1, 1)
    canvas.chain(since, long_enough)
    canvas.connect(long_enough, repeat, 1)
    canvas.connect(repeat, path)
    canvas.comment(520, 350, "a file that ends begins again; one that cannot be read does not", 18)
    return canvas


def _opens(
    canvas: Canvas, at: tuple[int, int], reader: int, since: int, kind: str, *file: Atom
) -> int:
    """Add what opens a file, starts it and notes when; return what takes the bang or the path."""
    x, y = at
    order, start = canvas.obj(x, y, "t", "b", kind, "b"), canvas.message(x, y + 60, 1)
    opened = canvas.message(x + 40, y + 30, "open", *file)
    canvas.connect(order, since, 2)
    canvas.connect(order, opened, 1)
    canvas.connect(opened, reader)
    canvas.chain(order, start, reader)
    return order


def morph_wired() -> Canvas:
    """Return the subpatch that makes a signal of the morph slider."""
    canvas = Canvas(260, 200)
    amount = canvas.obj(20, 20, "r", "$0-morph")
    bounded = canvas.obj(20, 50, "clip", 0, 1)
    message, line = _ramp(canvas, 20, 80, _RAMP_MS)
    canvas.chain(amount, bounded, message)
    canvas.chain(line, canvas.obj(20, 150, "outlet~"))
    return canvas


def output_wired() -> Canvas:
    """Return the subpatch of gain and of on and off, which fades out before nn~ is stopped."""
    canvas = Canvas(580, 440)
    sound, scaled, faded = (
        canvas.obj(20, 20, "inlet~"),
        canvas.obj(20, 230, "*~"),
        canvas.obj(20, 300, "*~"),
    )
    canvas.chain(sound, scaled, faded)
    out = canvas.obj(20, 350, "dac~", 1, 2)
    canvas.connect(faded, out)
    canvas.connect(faded, out, 0, 1)
    _metered(canvas, faded, 100, 330, "$0-vu-out")
    canvas.connect(_decibels(canvas, 60, 50, "$0-gain", wording.GAIN_DB), scaled, 0, 1)
    on_off = _switched(canvas, 200, 20)
    begin, end = canvas.obj(200, 90, "t", "b", "b", "b", "b"), canvas.obj(400, 90, "t", "b", "b")
    message, line = _ramp(canvas, 200, 210, _FADE_MS)
    canvas.chain(on_off, begin)
    canvas.connect(on_off, end, 1)
    canvas.connect(line, faded, 0, 1)
    louder, softer = canvas.message(200, 170, 1), canvas.message(400, 170, 0)
    wait, stop = canvas.obj(440, 120, "delay", _FADE_MS + 40), canvas.message(310, 130, "stop")
    enable, disable = canvas.message(240, 260, "enable", 1), canvas.message(440, 260, "enable", 0)
    settings = canvas.obj(240, 300, "s", "$0-nn")
    canvas.connect(begin, canvas.message(310, 180, ";", "pd", "dsp", 1), 3)
    canvas.connect(begin, stop, 2)
    canvas.connect(begin, enable, 1)
    canvas.chain(begin, louder, message)
    canvas.connect(end, softer, 1)
    canvas.connect(softer, message)
    canvas.chain(end, wait, disable, settings)
    canvas.chain(stop, wait)
    canvas.chain(enable, settings)
    return canvas


def controls_wired(slug: str, model: FinalModel) -> Canvas:
    """Return the subpatch that turns sliders into messages to nn~."""
    latents = model.latents
    rows, columns = wording.latent_grid(len(latents))
    canvas = Canvas(230 * columns + 230, max(60 + _ROW * rows, 460))
    far = (-wording.DEVIATIONS, wording.DEVIATIONS)
    for index, latent in enumerate(latents):
        column, row = divmod(index, rows)
        x, y = 20 + 230 * column, 20 + _ROW * row
        _sends(canvas, x, y, f"latent-{latent.number}", far, "set", "latent", latent.number, "$1")
    x = 20 + 230 * columns
    for row, name in enumerate(wording.knobs(model)):
        _sends(canvas, x, 20 + _ROW * row, name, (0, wording.MOST_NOISE), "set", name, "$1")
    reset, order = canvas.obj(x, 250, "r", "$0-reset"), canvas.obj(x, 280, "t", "b", "b")
    zeros = [atom for n in latents for atom in (";", f"{slug}-latent-{n.number}", 0)]
    canvas.chain(reset, order, canvas.message(x, 340, *zeros))
    clear, settings = (
        canvas.message(x + 60, 310, "set", "latent", 0, 0),
        canvas.obj(x + 60, 400, "s", "$0-nn"),
    )
    canvas.connect(order, clear, 1)
    canvas.chain(clear, settings)
    return canvas


def status_wired(slug: str, model: FinalModel) -> Canvas:
    """Return the subpatch that watches the sample rate, which nn~ does not, and asks how nn~ is."""
    rate = model.sample_rate
    canvas = Canvas(1200, 460)
    answers, route = canvas.obj(20, 20, "inlet"), canvas.obj(20, 50, "route", "loaded", "bufsize")
    loaded = canvas.obj(20, 80, "sel", 1, 0)
    bar = canvas.obj(20, 250, "s", "$0-model-bar")
    canvas.chain(answers, route, loaded)
    _says(canvas, (loaded, 0), (20, 110), "the model is loaded", GOOD, bar)
    _says(canvas, (loaded, 1), (20, 180), "the model file was not found", BAD, bar)
    ask, asked = canvas.obj(20, 300, "loadbang"), canvas.message(20, 330, "bang")
    size = _chosen(canvas, 160, 300, "buffer", len(wording.BUFFERS))
    picked = canvas.obj(160, 330, "sel", 0, 1, 2)
    settings = canvas.obj(20, 420, "s", "$0-nn")
    canvas.chain(ask, asked, settings)
    canvas.chain(size, picked)
    for index, buffer in enumerate(wording.BUFFERS):
        message = canvas.message(160 + 110 * index, 370, "bufsize", buffer)
        canvas.connect(picked, message, index)
        canvas.chain(message, settings)
    start, clock = canvas.obj(420, 20, "loadbang"), canvas.obj(420, 50, "metro", 1000)
    measured, changed = canvas.obj(420, 80, "samplerate~"), canvas.obj(420, 110, "change")
    right = canvas.obj(420, 140, "sel", rate)
    canvas.chain(start, clock, measured, changed, right)
    rate_bar = canvas.obj(420, 330, "s", "$0-rate-bar")
    _says(canvas, (right, 0), (420, 170), f"the sample rate is right: {rate} Hz", GOOD, rate_bar)
    both = canvas.obj(760, 200, "t", "b", "f")
    text = f"OUT OF TUNE: %d Hz, must be {rate}"
    wrong, named = (
        canvas.obj(760, 230, "makefilename", text),
        canvas.message(760, 260, "label", "$1"),
    )
    warned = canvas.message(900, 260, "color", BAD, WHITE)
    canvas.connect(right, both, 1)
    canvas.connect(both, wrong, 1)
    canvas.chain(both, warned, rate_bar)
    canvas.chain(wrong, named, rate_bar)
    line = f"OUT OF TUNE: Pd runs at $1 Hz and this takes {rate} Hz".split()
    console, printed = canvas.message(900, 300, *line), canvas.obj(900, 330, "print", slug)
    canvas.connect(both, console, 1)
    canvas.chain(console, printed)
    return canvas


def _says(
    canvas: Canvas, source: tuple[int, int], at: tuple[int, int], text: str, colour: str, bar: int
) -> None:
    """Let an outlet give a bar a text and a colour."""
    number, outlet = source
    for row, message in enumerate((("label", text), ("color", colour, WHITE))):
        box = canvas.message(at[0], at[1] + 30 * row, *message)
        canvas.connect(number, box, outlet)
        canvas.connect(box, bar)


def _switched(canvas: Canvas, x: int, y: int) -> int:
    """Add what tells on, which any number but 0 is (a pad sends 127), from off: its two outlets."""
    on_off = canvas.obj(x, y + 30, "sel", 1, 0)
    canvas.chain(canvas.obj(x, y, "r", "$0-on"), canvas.obj(x + 64, y, "!=", 0), on_off)
    return on_off


def _chosen(canvas: Canvas, x: int, y: int, name: str, cells: int) -> int:
    """Add what gives the number of the cell that a row shows, whatever the row was sent."""
    cell = canvas.obj(x + 140, y, "clip", 0, cells - 1)
    canvas.chain(canvas.obj(x, y, "r", f"$0-{name}"), canvas.obj(x + 95, y, "int"), cell)
    return cell


def _sends(
    canvas: Canvas, x: int, y: int, name: str, bounds: tuple[float, float], *message: str | int
) -> None:
    """Turn what a slider sends into a message to nn~."""
    canvas.chain(
        canvas.obj(x, y, "r", f"$0-{name}"),
        canvas.obj(x, y + 25, "clip", *bounds),
        canvas.message(x, y + 50, *message),
        canvas.obj(x, y + 75, "s", "$0-nn"),
    )


def _ramp(canvas: Canvas, x: int, y: int, milliseconds: int) -> tuple[int, int]:
    """Add a message box that takes numbers and a line~ that ramps to them."""
    message, line = canvas.message(x, y, "$1", milliseconds), canvas.obj(x, y + 30, "line~")
    canvas.connect(message, line)
    return message, line


def _decibels(canvas: Canvas, x: int, y: int, name: str, bounds: tuple[float, float]) -> int:
    """Add what turns a level in dB into a ramped factor; return the number of its line~."""
    message, line = _ramp(canvas, x, y + 100, _RAMP_MS)
    canvas.chain(
        canvas.obj(x, y, "r", name),
        canvas.obj(x, y + 25, "clip", *bounds),
        canvas.obj(x, y + 50, "+", 100),  # Pd's decibels: 100 is full scale
        canvas.obj(x, y + 75, "dbtorms"),
        message,
    )
    return line


def _metered(canvas: Canvas, signal: int, x: int, y: int, name: str) -> None:
    """Show a signal's level on a meter."""
    level = canvas.obj(x, y, "env~", 4096)
    canvas.chain(signal, level, canvas.obj(x, y + 30, "-", 100), canvas.obj(x, y + 60, "s", name))
