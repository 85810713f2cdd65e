"""The file format of Pure Data, as much of it as our patches take."""

import re
from collections.abc import Iterator
from itertools import pairwise

from morphene_core.delivery.patches.graph import Cord, Graph, Node, Shape

Atom = str | int | float

VANILLA = {
    "!=": (2, 1), "*~": (2, 1), "+": (2, 1), "-": (2, 1), "==": (2, 1), "bng": (1, 1),
    "change": (1, 1), "clip": (3, 1), "cnv": (0, 0), "dbtorms": (1, 1), "delay": (2, 1),
    "env~": (1, 1), "f": (2, 1), "floatatom": (1, 1), "hradio": (1, 1), "hsl": (1, 1),
    "inlet": (0, 1), "inlet~": (0, 1), "int": (2, 1), "line~": (2, 1), "loadbang": (0, 1),
    "makefilename": (1, 1), "message": (1, 1), "metro": (2, 1), "moses": (2, 2),
    "openpanel": (1, 1), "outlet": (1, 0), "outlet~": (1, 0), "print": (1, 0), "r": (0, 1),
    "readsf~": (1, 2), "s": (1, 0), "samplerate~": (1, 1), "symbol": (2, 1), "text": (0, 0),
    "tgl": (1, 1), "timer": (2, 1), "vu": (2, 2),
}  # fmt: skip
"""Pure Data's own objects that our patches are made of, by inlets and outlets. Apart are those that
have more of them with more arguments: adc~, dac~, route, sel, t."""

_SPECIAL = re.compile(r"([\\;,$ ])")
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Canvas:
    """A canvas: objects in their order, and the cords between them.

    Args:
        width: of its window.
        height: likewise.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._objects: list[str] = []
        self._cords: list[tuple[int, int, int, int]] = []

    def obj(self, x: int, y: int, *atoms: Atom) -> int:
        """Add an object or a GUI element by its class and arguments; return its number."""
        return self._add("obj", x, y, _joined(atoms))

    def message(self, x: int, y: int, *atoms: Atom) -> int:
        """Add a message box; return its number."""
        return self._add("msg", x, y, _joined(atoms))

    def number(self, x: int, y: int, digits: int, receive: str) -> int:
        """Add a number box that shows what a name receives; return its number."""
        return self._add("floatatom", x, y, _joined((digits, 0, 0, 0, "-", receive, "-", 0)))

    def comment(self, x: int, y: int, text: str, columns: int) -> int:
        """Add a comment that breaks after a number of columns; return its number."""
        words = re.sub(r"([,;])", r" \1 ", text).split()  # Pd keeps these apart, and joins them
        return self._add("text", x, y, f"{' '.join(map(_word, words))}, f {columns}")

    def inside(self, x: int, y: int, name: str, canvas: "Canvas") -> int:
        """Add a subpatch with what a canvas holds; return its number."""
        opening = f"#N canvas 60 60 {canvas.width} {canvas.height} {name} 0;"
        closing = f"#X restore {x} {y} pd {name};"
        self._objects.append("\n".join([opening, *canvas.lines(), closing]))
        return len(self._objects) - 1

    def connect(self, source: int, target: int, outlet: int = 0, inlet: int = 0) -> None:
        """Connect an outlet to an inlet."""
        self._cords.append((source, outlet, target, inlet))

    def chain(self, *numbers: int) -> None:
        """Connect first outlets to first inlets, one after the other."""
        for source, target in pairwise(numbers):
            self.connect(source, target)

    def lines(self) -> list[str]:
        """Return what stands between the opening of this canvas and its end."""
        return self._objects + [f"#X connect {' '.join(map(str, cord))};" for cord in self._cords]

    def file(self) -> str:
        """Return the text of a patch that is this canvas."""
        opening = f"#N canvas 60 60 {self.width} {self.height} 12;"
        return "\n".join([opening, *self.lines(), ""])

    def _add(self, kind: str, x: int, y: int, rest: str) -> int:
        self._objects.append(f"#X {kind} {x} {y} {rest};")
        return len(self._objects) - 1


def escaped(text: str) -> str:
    r"""Return a text as one atom: what would end it, or be replaced, is behind a backslash."""
    return _SPECIAL.sub(r"\\\1", text)


def label(text: str) -> str:
    """Return a text as the label of a GUI element.

    It takes $1 and #1 for arguments and "empty" for none, reads 007 as a number unless something
    follows, and loses a backslash when it is saved.
    """
    safe = re.sub(r"([$#])(?=\d)", r"\1 ", text.replace("\\", "/"))
    if _NUMBER.fullmatch(safe):
        return f"{safe} "
    return {"": "empty", "empty": "Empty"}.get(safe, safe)


def _word(text: str) -> str:
    """Return a word of a comment; Pd would write numbers in its own way (1.10 as 1.1)."""
    return f"\\{text}" if _NUMBER.fullmatch(text) else escaped(text)


def _joined(atoms: tuple[Atom, ...]) -> str:
    return " ".join(escaped(a) if isinstance(a, str) else f"{a:.10g}" for a in atoms)


def read_pd(text: str, nn: Shape) -> list[Graph]:
    """Return what a Pure Data patch is made of: the patch itself last, its subpatches before it.

    Args:
        text: of the file.
        nn: inlets and outlets of nn~, which depend on the model's method.

    Raises:
        ValueError: it is no patch: the reason.
    """
    open_canvases: list[Graph] = []
    done: list[Graph] = []
    for line, words in enumerate(_statements(text), 1):
        if words[:2] == ["#N", "canvas"]:
            open_canvases.append(Graph())
            continue
        if words[0] != "#X" or not open_canvases:
            raise ValueError(f"it is no Pure Data patch (statement {line}: {' '.join(words)})")
        canvas = open_canvases[-1]
        try:
            if words[1] == "connect":
                source, outlet, target, inlet = words[2:6]
                canvas.cords.append(Cord(source, int(outlet), target, int(inlet)))
            elif words[1] == "restore":
                done.append(open_canvases.pop())
                _put(open_canvases[-1], Node(tuple(words[4:6]), _around(done[-1])))
            else:
                _put(canvas, _node(words[1:], nn))
        except (IndexError, ValueError) as error:
            raise ValueError(f"statement {line} is damaged: {' '.join(words)}") from error
    if len(open_canvases) != 1:
        raise ValueError("it is no Pure Data patch, or it is cut off")
    return [*done, open_canvases[0]]


def _statements(text: str) -> Iterator[list[str]]:
    """Give the words of each statement; a backslash keeps what follows it as it is."""
    for statement in re.findall(r"((?:\\.|[^\\;])+);", text, re.DOTALL):
        found = re.findall(r"(?:\\.|[^\\\s])+", statement, re.DOTALL)
        if words := [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in found]:
            yield words


def _node(words: list[str], nn: Shape) -> Node:
    kinds = {"obj": words[3:], "msg": ["message", *words[3:]]}
    parts = kinds.get(words[0], [words[0]])
    return Node(tuple(parts), _shape(parts, nn))


def _shape(words: list[str], nn: Shape) -> Shape | None:
    kind, arguments = words[0], len(words) - 1
    by_arguments = {
        "nn~": nn,
        "adc~": Shape(1, arguments),
        "dac~": Shape(arguments, 0),
        "route": Shape(1, arguments + 1),
        "sel": Shape(2 if arguments == 1 else 1, arguments + 1),
        "t": Shape(1, arguments),
    }
    return by_arguments.get(kind) or (Shape(*VANILLA[kind]) if kind in VANILLA else None)


def _around(inside: Graph) -> Shape:
    """Return the inlets and outlets of a subpatch."""
    kinds = [node.kind.removesuffix("~") for node in inside.nodes.values()]
    return Shape(kinds.count("inlet"), kinds.count("outlet"))


def _put(canvas: Graph, node: Node) -> None:
    canvas.nodes[str(len(canvas.nodes))] = node
