"""The Max patch, which nobody can run here, as a graph: every way through it is named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from morphene_core.delivery.demo import SECTIONS
from morphene_core.delivery.patches import write_patches
from morphene_core.delivery.patches.graph import Cord, Graph, Shape
from morphene_core.delivery.patches.maxfile import read_max
from tests.patches import SLUG, an_exported_model

LATENTS = 16
NN, TO_NN = f"nn~ {SLUG}.ts morph 4096", f"s {SLUG}-nn"
SWITCH = "toggle -> != 0"
SET, AMOUNT = "message set", "message $1 30 -> line~"
LEVEL = f"dbtoa -> {AMOUNT}"

SLIDERS = {
    "morph": (0.5, 0.0, 1.0),
    "gain": (-6, -60.0, 12.0),
    "level-1": (0, -40.0, 20.0),
    "level-2": (0, -40.0, 20.0),
    "temperature": (1, 0.0, 1.0),
    "encoder_noise": (1, 0.0, 1.0),
} | {f"latent-{n}": (0, -3.0, 3.0) for n in range(1, LATENTS + 1)}
"""By name: the first value, the lowest, the highest."""

MOVES = {
    "morph": f"{AMOUNT} ->2 {NN}",
    "gain": f"{LEVEL} ->1 *~ -> *~ -> dac~ 1 2",
    "level-1": f"{LEVEL} ->1 *~ -> {NN}",
    "level-2": f"{LEVEL} ->1 *~ ->1 {NN}",
    "temperature": f"{SET} temperature $1 -> {TO_NN}",
    "encoder_noise": f"{SET} encoder_noise $1 -> {TO_NN}",
} | {f"latent-{n}": f"{SET} latent {n} $1 -> {TO_NN}" for n in range(1, LATENTS + 1)}
"""What becomes of a slider's value."""

PLAYERS = {
    source: (inlet, f"{1000 * of.start:.1f}", f"{1000 * (of.start + of.seconds):.1f}")
    for inlet, (source, of) in enumerate(zip(("musical", "nonmusical"), SECTIONS, strict=False))
}
"""By source: the inlet of nn~, and where its section of demo.wav begins and ends, in ms."""


def slider_routes() -> list[str]:
    routes = []
    for name, (first, low, high) in SLIDERS.items():
        moved = f"+ {abs(low)} -> slider -> - {abs(low)} -> flonum -> clip {low} {high}"
        routes += [f"loadmess {first} -> {moved} -> {MOVES[name]}"]
        routes += [f"r {SLUG}-{name} -> {moved} -> {MOVES[name]}"]
    zeros = " ".join(f"; {SLUG}-latent-{n} 0." for n in range(1, LATENTS + 1))
    return [
        *routes,
        f"textbutton -> t b b 1-> message set latent 0 0. -> {TO_NN}",
        f"textbutton -> t b b -> message {zeros}",
    ]


def player_routes() -> list[str]:
    routes = []
    for source, (inlet, begin, end) in PLAYERS.items():
        player, sound = f"groove~ {SLUG}-{source} 1 @loop 1", f"buffer~ {SLUG}-{source} demo.wav"
        demo, own = "textbutton -> t b b b b", "textbutton -> t b b"
        read = f"{sound} 1->1 gate -> info~ {SLUG}-{source} 6-> t b b f"
        routes += [
            f"{own} 1-> message 1 -> gate -> info~ {SLUG}-{source}",
            f"{own} -> message replace -> {read} 2->2 {player}",
            f"{read} 1-> message 0. ->1 {player}",
            f"{read} -> message startloop -> {player}",
            f"{demo} 3-> message 0 -> gate -> info~ {SLUG}-{source}",
            f"{demo} 2-> message replace demo.wav -> {sound}",
            f"{demo} 1-> message {begin} ->1 {player}",
            f"{demo} 1-> message {end} ->2 {player}",
            f"{demo} -> message startloop -> {player}",
            f"loadbang -> message {begin} ->1 {player}",
            f"loadbang -> message {end} ->2 {player}",
            f"r {SLUG}-is-on -> sel 1 -> message startloop -> {player}",
            f"sig~ 1 -> {player} -> *~ -> *~ ->{inlet} {NN}",
            f"{player} -> *~ -> *~ -> meter~",
            f"adc~ 1 2 {inlet}-> *~ -> *~ ->{inlet} {NN}",
            f"loadmess 0 -> tab -> == 0 -> message $1 20 -> line~ ->1 *~ -> *~ ->{inlet} {NN}",
            f"tab -> message $1 20 -> line~ ->1 *~ -> *~ ->{inlet} {NN}",
        ]
    return routes


def switch_routes() -> list[str]:
    faded = "message $1 80 -> line~ ->1 *~ -> dac~ 1 2"
    begin, end = f"{SWITCH} -> sel 1 -> t b b b b", f"{SWITCH} -> sel 0 -> t b b"
    return [
        f"loadmess 0 -> {end} -> delay 120 -> message enable 0 -> {TO_NN}",
        f"r {SLUG}-on -> {begin} 3-> message 1 -> dac~ 1 2",
        f"{begin} 2-> message stop -> delay 120",
        f"{begin} 1-> message enable 1 -> {TO_NN}",
        f"{begin} -> message 1 -> {faded}",
        f"{end} 1-> message 0 -> {faded}",
        f"{SWITCH} -> s {SLUG}-is-on",
        f"r {SLUG}-nn -> {NN} -> *~ -> *~ -> dac~ 1 2",
        f"{NN} -> *~ -> *~ ->1 dac~ 1 2",
        f"{NN} -> *~ -> *~ -> meter~",
    ]


def rate_routes(rate: int) -> list[str]:
    right, wrong = f"dspstate~ 1-> sel {rate}.", f"dspstate~ 1-> sel {rate}. 1-> t b f f"
    said = f"OUT OF TUNE: Max runs at $1 Hz and this takes {rate} Hz"
    green, red = "message bgcolor 0.18 0.49 0.2 1.0", "message bgcolor 0.7 0.15 0.12 1.0"
    return [
        f"loadbang -> {right} -> message set the sample rate is right: {rate} Hz -> comment",
        f"{right} -> {green} -> comment",
        f"{wrong} 2-> message {said} -> print {SLUG}",
        f"{wrong} 1-> message set {said} -> comment",
        f"{wrong} -> {red} -> comment",
    ]


ROUTES = [*slider_routes(), *player_routes(), *switch_routes(), *rate_routes(48_000)]


def ways(graph: Graph, route: str) -> list[tuple[str, list[Cord]]]:
    """Return each way along a route: the box at its end, and the cords that lead there.

    Args:
        graph: of the patch.
        route: what the boxes on it say, such as "toggle -> sel 1 1->2 groove~ a": beside an arrow
            stand the outlet and the inlet, where they are not the first. It begins at any such box.
    """
    first, *steps = re.split(r" (\d*)->(\d*) ", route)
    found: list[tuple[str, list[Cord]]]
    found = [(key, []) for key, node in graph.nodes.items() if node.text == first]
    for outlet, inlet, text in zip(steps[::3], steps[1::3], steps[2::3], strict=True):
        ports = (int(outlet or 0), int(inlet or 0))
        found = [
            (cord.target, [*way, cord])
            for key, way in found
            for cord in graph.cords
            if (cord.source, (cord.outlet, cord.inlet)) == (key, ports)
            and graph.nodes[cord.target].text == text
        ]
    return found


def ends(graph: Graph, *routes: str) -> set[str]:
    """Return the boxes at which routes end."""
    return {key for route in routes for key, _ in ways(graph, route)}


def written(folder: Path, **changes: Any) -> str:
    write_patches(folder, SLUG, an_exported_model(LATENTS, **changes))
    return (folder / f"{SLUG}.maxpat").read_text()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("max"))


@pytest.fixture(scope="module")
def graph(text: str) -> Graph:
    return read_max(text, Shape(3, 1))


def test_every_way_that_is_named_is_there(graph: Graph) -> None:
    assert [route for route in ROUTES if not ways(graph, route)] == []


def test_every_connection_is_on_a_way_that_is_named(graph: Graph) -> None:
    known = {cord for route in ROUTES for _, way in ways(graph, route) for cord in way}
    rest = {*graph.cords} - known
    assert [(graph.nodes[c.source].text, graph.nodes[c.target].text) for c in rest] == []
    assert len(graph.cords) == len(known)


def test_files_and_inputs_are_faded_each_by_its_own_choice(graph: Graph) -> None:
    players = [f"groove~ {SLUG}-{source} 1 @loop 1 -> *~" for source in PLAYERS]
    faded = "message $1 20 -> line~ ->1 *~"
    assert ends(graph, *players) == ends(graph, f"tab -> == 0 -> {faded}")
    assert ends(graph, "adc~ 1 2 -> *~", "adc~ 1 2 1-> *~") == ends(graph, f"tab -> {faded}")


def test_sliders_add_nothing_to_what_they_are_sent_and_reach_from_end_to_end(
    text: str, graph: Graph
) -> None:
    boxes = {box["box"]["id"]: box["box"] for box in json.loads(text)["patcher"]["boxes"]}
    for name, (_, low, high) in SLIDERS.items():
        (slider,) = ends(graph, f"r {SLUG}-{name} -> + {abs(low)} -> slider")
        # Max adds a slider's "min" to what enters it, too: -3 would make -3 of a 0.
        assert "min" not in boxes[slider] and "mult" not in boxes[slider]
        assert boxes[slider]["size"] == high - low and boxes[slider]["floatoutput"] == 1


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_the_sample_rate_that_is_asked_for_is_the_models(tmp_path: Path, rate: int) -> None:
    graph = read_max(written(tmp_path, sample_rate=rate), Shape(3, 1))
    assert [route for route in rate_routes(rate) if not ways(graph, route)] == []
