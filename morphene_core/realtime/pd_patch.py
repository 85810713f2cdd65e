"""The patch by which Pure Data plays a model from a file into a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from morphene_core.final_model import Method
from morphene_core.realtime.host import TICK, Attributes

MODEL, PATCH = "model.ts", "play.pd"
GIVEN, HEARD, FINITE, TICKS = "given.wav", "heard.wav", "finite.wav", "ticks.wav"
"""Files in the folder where it is played: what goes in and comes out, and what each tick took."""

_LARGEST = 2_000_000_000  # samples that soundfiler may read; its own limit is 83 s


@dataclass(frozen=True)
class Play:
    """What is to be played.

    Attributes:
        method: of the model.
        block: nn~'s buffer size.
        rate: in Hz.
        samples: that Pure Data runs for, whole ticks.
        attributes: what is set at the beginning, and again after a reload.
        reload_sample: when the model is loaded again, or None.
    """

    method: Method
    block: int
    rate: int
    samples: int
    attributes: Attributes
    reload_sample: int | None = None


class _Canvas:
    """Lines of a patch; objects are numbered in their order."""

    def __init__(self) -> None:
        self._objects: list[str] = []
        self._wires: list[str] = []

    def add(self, kind: str, text: str) -> int:
        self._objects.append(f"#X {kind} 10 {10 + 20 * len(self._objects)} {text};")
        return len(self._objects) - 1

    def obj(self, text: str) -> int:
        return self.add("obj", text)

    def wire(self, source: int, outlet: int, sink: int, inlet: int) -> None:
        self._wires.append(f"#X connect {source} {outlet} {sink} {inlet};")

    def write(self, path: Path) -> None:
        lines = ["#N canvas 0 0 450 300 12;", *self._objects, *self._wires]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_patch(folder: Path, play: Play) -> None:
    """Write the patch; it plays as soon as Pure Data opens it, and quits when it is through."""
    canvas = _Canvas()
    loaded = canvas.obj("loadbang")
    start = canvas.obj("t b b b b")
    canvas.wire(loaded, 0, start, 0)
    given, heard = _arrays(canvas, play)
    files = canvas.obj("soundfiler")
    # In this order: read, set, tell the players, begin to compute.
    read = _message(canvas, [f"read -resize -maxsize {_LARGEST} {GIVEN} {' '.join(given)}"], files)
    canvas.wire(start, 3, read, 0)
    nn = canvas.obj(f"nn~ {MODEL} {play.method.name} {play.block}")
    settings = _message(canvas, _settings(play.attributes), nn)
    canvas.wire(start, 2, settings, 0)
    _players(canvas, given, heard, nn, start)
    _clock(canvas)
    begin = canvas.add("msg", r"\; pd dsp 1")
    canvas.wire(start, 0, begin, 0)
    if play.reload_sample is not None:
        again = _after(canvas, loaded, play.reload_sample, play.rate)
        reload = _message(canvas, ["reload", *_settings(play.attributes)], nn)
        canvas.wire(again, 0, reload, 0)
    _end(canvas, loaded, files, heard, nn, play)
    canvas.write(folder / PATCH)


def _arrays(canvas: _Canvas, play: Play) -> tuple[list[str], list[str]]:
    given = [f"given{index}" for index in range(play.method.in_channels)]
    heard = [f"heard{index}" for index in range(play.method.out_channels)]
    sizes: Mapping[str, int] = {
        **dict.fromkeys(given, 1),
        **dict.fromkeys(heard, play.samples),
        "finite": play.samples,
        "ticks": play.samples // TICK,
    }
    for name, size in sizes.items():
        canvas.obj(f"table {name} {size}")
    return given, heard


def _players(
    canvas: _Canvas, given: Sequence[str], heard: Sequence[str], nn: int, start: int
) -> None:
    for inlet, name in enumerate(given):
        player = canvas.obj(f"tabplay~ {name}")
        canvas.wire(start, 1, player, 0)
        canvas.wire(player, 0, nn, inlet)
    # A table takes what is not finite for 0. So that is looked for: a sum is finite if all are.
    finite = canvas.obj("expr~ finite($v1)")
    for outlet, name in enumerate([*heard, "finite"]):
        recorder = canvas.obj(f"tabwrite~ {name}")
        canvas.wire(start, 1, recorder, 0)
        if name == "finite":
            canvas.wire(finite, 0, recorder, 0)
        else:
            canvas.wire(nn, outlet, recorder, 0)
            canvas.wire(nn, outlet, finite, 0)


def _clock(canvas: _Canvas) -> None:
    """Write into a table how many ms each tick of the audio took."""
    tick, order = canvas.obj("bang~"), canvas.obj("t b b b")
    watch, count, more, store = (
        canvas.obj(text) for text in ("realtime", "f 0", "+ 1", "tabwrite ticks")
    )
    for wire in (
        (tick, 0, order, 0),
        (order, 2, count, 0),
        (count, 0, more, 0),
        (more, 0, count, 1),
        (count, 0, store, 1),
        (order, 1, watch, 1),
        (watch, 0, store, 0),
        (order, 0, watch, 0),
    ):
        canvas.wire(*wire)


def _end(
    canvas: _Canvas, loaded: int, files: int, heard: Sequence[str], nn: int, play: Play
) -> None:
    over = _after(canvas, loaded, play.samples, play.rate)
    order = canvas.obj("t b b b")
    canvas.wire(over, 0, order, 0)
    write = _message(
        canvas,
        [
            f"write -wave -bytes 4 {HEARD} {' '.join(heard)}",
            f"write -wave -bytes 4 {FINITE} finite",
            f"write -wave -bytes 4 {TICKS} ticks",
        ],
        files,
    )
    leave = canvas.add("msg", r"\; pd quit")
    # Pure Data crashes if it quits while nn~ computes. Another buffer waits for it to be through.
    wait = _message(canvas, [f"bufsize {play.block}"], nn)
    canvas.wire(order, 2, wait, 0)
    canvas.wire(order, 1, write, 0)
    canvas.wire(order, 0, leave, 0)


def _after(canvas: _Canvas, loaded: int, samples: int, rate: int) -> int:
    """Add a delay that ends before the tick that begins at a sample, whatever it is rounded to."""
    delay = canvas.obj(f"delay {1e3 * (samples + TICK / 2) / rate:.6f}")
    canvas.wire(loaded, 0, delay, 0)
    return delay


def _message(canvas: _Canvas, messages: Sequence[str], to: int) -> int:
    message = canvas.add("msg", r" \, ".join(messages) or "bang")
    canvas.wire(message, 0, to, 0)
    return message


def _settings(attributes: Attributes) -> list[str]:
    return [
        f"set {name} {' '.join(f'{float(value):g}' for value in values)}"
        for name, values in attributes.items()
    ]
