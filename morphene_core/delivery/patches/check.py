"""Whether the patches of a delivery fit its model: objects, cords, methods and attributes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from morphene_core.delivery.patches.graph import Graph, Node, Shape
from morphene_core.delivery.patches.maxfile import read_max
from morphene_core.delivery.patches.pdfile import read_pd
from morphene_core.final_model import FinalModel

_OWN = {
    "pd": {"enable": 1, "bufsize": 1, "bang": 0, "reload": 0},
    "maxpat": {"enable": 1, "reload": 0},
}
"""What nn~ itself takes, with the number of values."""

_MESSAGES = ("r", "message")

_NEEDED = {
    "pd": ("nn~", "adc~", "dac~", "readsf~", "line~", "hsl", "tgl", "samplerate~"),
    "maxpat": ("nn~", "adc~", "dac~", "groove~", "line~", "slider", "toggle", "dspstate~"),
}
"""Without these it is no patch that one can play."""


def patch_faults(folder: Path, slug: str, model: FinalModel) -> list[str]:
    """Return what is wrong with the patches of a delivery, a line each; nothing if they are right.

    Checked is what can be without the programs: that both can be read, that they are made of known
    objects, that every cord joins an outlet and an inlet that are there, that nn~ gets this model,
    a method that it has and a signal in each inlet, that all that is sent to it are attributes of
    the model with values of their number, and that something starts and stops it.

    Args:
        folder: with ``{slug}.pd`` and ``{slug}.maxpat``.
        slug: of the instrument.
        model: what was exported.
    """
    faults = []
    readers: dict[str, Callable[[str, Shape], list[Graph]]] = {
        "pd": read_pd,
        "maxpat": lambda text, nn: [read_max(text, nn)],
    }
    for suffix, read in readers.items():
        path = folder / f"{slug}.{suffix}"
        try:
            graphs = read(path.read_text(encoding="utf-8"), _nn_shape(model, suffix))
        except FileNotFoundError:
            faults.append(f"{path.name} is missing")
        except (OSError, ValueError) as error:  # with a file that is no UTF-8, or no JSON
            faults.append(f"{path.name} cannot be read: {error}")
        else:
            found = [
                *_objects(graphs, suffix),
                *_cords(graphs),
                *_model(graphs, slug, model, _OWN[suffix]),
            ]
            faults += [f"{path.name}: {fault}" for fault in found]
    return faults


def _nn_shape(model: FinalModel, suffix: str) -> Shape:
    """Return the inlets and outlets of nn~; in Pure Data its last outlet tells how it is."""
    morphs = [method for method in model.methods if method.name == "morph"]
    inlets, outlets = (morphs[0].in_channels, morphs[0].out_channels) if morphs else (1, 1)
    return Shape(inlets, outlets + (suffix == "pd"))


def _objects(graphs: Sequence[Graph], suffix: str) -> Iterator[str]:
    nodes = [node for graph in graphs for node in graph.nodes.values()]
    for node in nodes:
        if node.shape is None:
            yield f"nothing is known of the object [{node.text}]"
    kinds = {node.kind for node in nodes}
    yield from (f"it has no [{kind}]" for kind in _NEEDED[suffix] if kind not in kinds)


def _cords(graphs: Sequence[Graph]) -> Iterator[str]:
    for graph in graphs:
        for cord in graph.cords:
            source, target = graph.nodes.get(cord.source), graph.nodes.get(cord.target)
            if source is None or target is None:
                missing = cord.source if source is None else cord.target
                yield f"a connection leads to an object that is not there ({missing})"
                continue
            if source.shape and not 0 <= cord.outlet < source.shape.outlets:
                yield f"a connection leaves outlet {cord.outlet} of [{source.text}], which has none"
            if target.shape and not 0 <= cord.inlet < target.shape.inlets:
                yield f"a connection enters inlet {cord.inlet} of [{target.text}], which has none"


def _model(
    graphs: Sequence[Graph], slug: str, model: FinalModel, own: Mapping[str, int]
) -> Iterator[str]:
    """Check nn~ and all that is sent to it."""
    attributes: set[str] = set()
    for graph in graphs:
        for key, node in graph.of_kind("nn~"):
            yield from _nn(graph, key, node, slug, model)
    for message in _sent(graphs, slug):
        yield from _message(message, model, own)
        attributes.add(" ".join(message[:3] if message[1:2] == ["latent"] else message[:2]))
    for latent in model.latents:
        if f"set latent {latent.number}" not in attributes:
            yield f"nothing sets latent {latent.number}"
    for does, said in (("starts", "enable 1"), ("stops", "enable 0")):
        if said not in attributes:
            yield f"nothing {does} nn~ ({said})"


def _nn(graph: Graph, key: str, node: Node, slug: str, model: FinalModel) -> Iterator[str]:
    file, method, buffer = ([*node.words[1:], "", "", ""])[:3]
    if file != f"{slug}.ts":
        yield f"[{node.text}] loads {file or 'nothing'} in place of {slug}.ts"
    methods = {method.name: method for method in model.methods}
    if method not in methods:
        yield f"[{node.text}] calls {method or 'nothing'}, which the model does not have"
        return
    size = _whole(buffer)
    if size is None or size.bit_count() != 1 or size < model.ratio:
        yield f"[{node.text}] has a buffer that nn~ does not take as it is"
    kinds = [
        (cord.inlet, graph.nodes[cord.source].kind)
        for cord in graph.into(key)
        if cord.source in graph.nodes
    ]
    for inlet in range(methods[method].in_channels):
        if not any(kind not in _MESSAGES for entered, kind in kinds if entered == inlet):
            yield f"no sound enters inlet {inlet} of [{node.text}]"
    if not any(inlet == 0 and kind in _MESSAGES for inlet, kind in kinds):
        yield f"no messages enter inlet 0 of [{node.text}], which takes them"
    if not any(cord.source == key and cord.outlet == 0 for cord in graph.cords):
        yield f"nothing leaves outlet 0 of [{node.text}]"


def _sent(graphs: Sequence[Graph], slug: str) -> Iterator[list[str]]:
    """Give the messages that reach nn~, directly or by its name."""
    for graph in graphs:
        for cord in graph.cords:
            source, target = graph.nodes.get(cord.source), graph.nodes.get(cord.target)
            if source is None or target is None or source.kind != "message":
                continue
            by_name = target.kind == "s" and target.words[1:] in {("$0-nn",), (f"{slug}-nn",)}
            if by_name or target.kind == "nn~":
                yield list(source.words[1:])


def _message(words: list[str], model: FinalModel, own: Mapping[str, int]) -> Iterator[str]:
    """Check a message to nn~."""
    said = " ".join(words)
    if words[:1] != ["set"]:
        if own.get(words[0] if words else "") != len(words) - 1:
            yield f"nn~ does not take the message ({said})"
        return
    attributes = {attribute.name: attribute for attribute in model.attributes}
    attribute = attributes.get(words[1] if len(words) > 1 else "")
    if attribute is None:
        yield f"the message ({said}) sets an attribute that the model does not have"
    elif len(words) - 2 != len(attribute.types):
        yield f"the message ({said}) has the wrong number of values"
    elif attribute.name == "latent" and not _is_latent(words[2], model):
        yield f"the message ({said}) sets a latent that the model does not show"


def _is_latent(number: str, model: FinalModel) -> bool:
    found = _whole(number)
    return found is not None and found <= len(model.latents)  # 0 is all of them


def _whole(text: str) -> int | None:
    """Return a whole number that is not negative, or None if a text is none."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None
