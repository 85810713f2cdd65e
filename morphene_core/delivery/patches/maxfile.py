"""The file format of Max, as much of it as our patches take."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from morphene_core.delivery.patches.graph import Cord, Graph, Node, Shape

Place = tuple[int, int, int, int]
"""Left, top, width and height."""


STOCK: dict[str, tuple[int, tuple[str, ...]]] = {
    "!=": (2, ("int",)),
    "*~": (2, ("signal",)),
    "+": (2, ("float",)),
    "-": (2, ("float",)),
    "==": (2, ("int",)),
    "adc~": (1, ("signal", "signal")),
    "buffer~": (1, ("float", "bang")),
    "button": (1, ("bang",)),
    "clip": (3, ("",)),
    "comment": (1, ()),
    "dac~": (2, ()),
    "dbtoa": (1, ("",)),
    "delay": (2, ("bang",)),
    "dspstate~": (1, ("int", "float", "int", "int")),
    "flonum": (1, ("", "bang")),
    "gate": (2, ("",)),
    "groove~": (3, ("signal", "signal")),
    "info~": (1, ("float", "list", "float", "float", "float", "float", "float", "", "int", "")),
    "line~": (2, ("signal", "bang")),
    "loadbang": (1, ("bang",)),
    "loadmess": (1, ("",)),
    "message": (2, ("",)),
    "meter~": (1, ("float",)),
    "panel": (1, ()),
    "print": (1, ()),
    "r": (0, ("",)),
    "s": (1, ()),
    "sel": (2, ("bang", "")),
    "sig~": (1, ("signal",)),
    "slider": (1, ("",)),
    "tab": (1, ("int", "", "")),
    "textbutton": (1, ("", "", "int")),
    "toggle": (1, ("int",)),
}
"""Max's own objects that our patches are made of: inlets, and what each outlet sends. `t` is apart,
with an outlet for each of its arguments."""

_NO_PATCH = (KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)
_COLUMN = 140
_WIDEST = 2 * _COLUMN  # a longer message is broken into lines

_TRIGGERS = {"b": "bang", "f": "float", "i": "int"}


def _ports(words: list[str], nn: Shape) -> tuple[int, tuple[str, ...]] | None:
    """Return an object's inlets, and what its outlets send; None if nothing is known of it."""
    if words[:1] == ["nn~"]:
        return nn.inlets, ("signal",) * nn.outlets
    if words[:1] == ["t"]:
        return 1, tuple(_TRIGGERS.get(word, "") for word in words[1:])
    return STOCK.get(words[0]) if words else None


class Patcher:
    """A patcher: boxes, and the cords between them.

    Args:
        nn: inlets and outlets of nn~.
    """

    def __init__(self, nn: Shape) -> None:
        self._nn = nn
        self._boxes: list[dict[str, Any]] = []
        self._lines: list[dict[str, Any]] = []
        self._apart = 0

    def obj(self, x: int, y: int, text: str) -> str:
        """Add an object by its class and arguments; return its id."""
        return self._add("newobj", text.split(), (x, y, width(text), 22), {"text": text})

    def message(self, x: int, y: int, text: str) -> str:
        """Add a message box; return its id."""
        return self._add(
            "message",
            ["message", *text.split()],
            (x, y, min(width(text), _WIDEST), 22),
            {"text": text},
        )

    def gui(self, kind: str, at: tuple[int, int], shown: Place, **attributes: Any) -> str:
        """Add a GUI object.

        Args:
            kind: its class.
            at: left and top in the patching view, where it is no wider than a column.
            shown: where it lies in the presentation view.
            attributes: as in the file.

        Returns:
            Its id.
        """
        place = (*at, min(shown[2], _COLUMN), shown[3])
        presentation = {"presentation": 1, "presentation_rect": [float(n) for n in shown]}
        return self._add(kind, [kind], place, presentation | attributes)

    def aside(self, kind: str, shown: Place, **attributes: Any) -> str:
        """Add a GUI object that has no cords: in the patching view it lies apart, on the left."""
        self._apart += 1
        return self.gui(kind, (-2 * _COLUMN, 60 * self._apart), shown, **attributes)

    def backdrop(self, shown: Place, colour: list[float], rounded: int = 6) -> None:
        """Add a panel that lies behind everything in the presentation view."""
        self._apart += 1
        place = (-4 * _COLUMN, 30 * self._apart, _COLUMN, 20)
        attributes = {
            "presentation": 1, "presentation_rect": [float(n) for n in shown], "background": 1,
            "ignoreclick": 1, "mode": 0, "rounded": rounded, "bgcolor": colour,
        }  # fmt: skip
        self._add("panel", ["panel"], place, attributes)

    def connect(self, source: str, target: str, outlet: int = 0, inlet: int = 0) -> None:
        """Connect an outlet to an inlet."""
        line = {"source": [source, outlet], "destination": [target, inlet]}
        self._lines.append({"patchline": line})

    def chain(self, *ids: str) -> None:
        """Connect first outlets to first inlets, one after the other."""
        for source, target in pairwise(ids):
            self.connect(source, target)

    def file(self, wide: int, high: int) -> str:
        """Return the text of the patch, which opens in the presentation view."""
        patcher = {
            "fileversion": 1,
            "appversion": {
                "major": 8, "minor": 5, "revision": 0, "architecture": "x64", "modernui": 1,
            },
            "classnamespace": "box",
            "rect": [60.0, 80.0, float(wide), float(high)],
            "openinpresentation": 1,
            "default_fontsize": 12.0,
            "default_fontname": "Arial",
            "boxes": [{"box": box} for box in self._boxes],
            "lines": self._lines,
        }  # fmt: skip
        return json.dumps({"patcher": patcher}, indent=1, ensure_ascii=False) + "\n"

    def _add(self, kind: str, words: list[str], place: Place, attributes: dict[str, Any]) -> str:
        ports = _ports(words, self._nn)
        if ports is None:
            raise ValueError(f"nothing is known of the object {words[0]}")
        inlets, outlets = ports
        box = {
            "id": f"obj-{len(self._boxes) + 1}",
            "maxclass": kind,
            "numinlets": inlets,
            "numoutlets": len(outlets),
            "patching_rect": [float(n) for n in place],
        }
        if outlets:
            box["outlettype"] = list(outlets)
        self._boxes.append(box | attributes)
        return str(box["id"])


def width(text: str) -> int:
    """Return how wide an object with a text is drawn."""
    return max(32, 7 * len(text) + 14)


def read_max(text: str, nn: Shape) -> Graph:
    """Return what a Max patch is made of.

    Args:
        text: of the file.
        nn: inlets and outlets of nn~, which depend on the model's method.

    Raises:
        ValueError: it is no patch: the reason.
    """
    try:
        patcher = json.loads(text)["patcher"]
        graph = Graph()
        for entry in patcher["boxes"]:
            key, words = str(entry["box"]["id"]), _words(entry["box"])
            ports = _ports(words, nn)
            if key in graph.nodes:
                raise ValueError(f"two objects are {key}")
            shape = Shape(ports[0], len(ports[1])) if ports else None
            graph.nodes[key] = Node(tuple(words), shape)
        graph.cords.extend(_cords(patcher["lines"]))
    except _NO_PATCH as error:
        raise ValueError(f"it is no Max patch ({type(error).__name__}: {error})") from error
    return graph


def _words(box: dict[str, Any]) -> list[str]:
    """Return an object's class and arguments."""
    kind, text = str(box["maxclass"]), str(box.get("text", ""))
    if kind == "newobj":
        return text.split()
    return [kind, *(text.split() if kind == "message" else [])]


def _cords(lines: list[dict[str, Any]]) -> Iterator[Cord]:
    for line in lines:
        (source, outlet), (target, inlet) = (
            line["patchline"][end] for end in ("source", "destination")
        )
        yield Cord(str(source), int(outlet), str(target), int(inlet))
