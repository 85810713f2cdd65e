"""What a patch is made of, whichever program it is for, so that both can be checked alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    """How many inlets and outlets an object has."""

    inlets: int
    outlets: int


@dataclass(frozen=True)
class Node:
    """An object of a patch.

    Attributes:
        words: its class and its arguments; ``message`` and what it sends for a message box.
        shape: its inlets and outlets, or None if nothing is known of such an object.
    """

    words: tuple[str, ...]
    shape: Shape | None

    @property
    def kind(self) -> str:
        """Its class."""
        return self.words[0] if self.words else ""

    @property
    def text(self) -> str:
        """Its class and its arguments, as one reads them."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Cord:
    """A connection, from an outlet to an inlet. Nodes go by their keys."""

    source: str
    outlet: int
    target: str
    inlet: int


@dataclass
class Graph:
    """A patch, or a subpatch: nodes by their keys, and the cords between them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    cords: list[Cord] = field(default_factory=list)

    def of_kind(self, kind: str) -> Iterator[tuple[str, Node]]:
        """Give the nodes of a class with their keys."""
        return ((key, node) for key, node in self.nodes.items() if node.kind == kind)

    def into(self, key: str) -> Iterator[Cord]:
        """Give the cords that end at a node."""
        return (cord for cord in self.cords if cord.target == key)
