"""What the pages show of the votes of blind tests, as plain data for JSON."""

from typing import Any

from morphene_core.criteria import load_thresholds
from morphene_core.errors import DAMAGED
from morphene_core.home import Home, InstrumentPaths
from morphene_core.listening.states import current
from morphene_core.selection import rank_checkpoints
from morphene_core.votes import (
    Sound,
    Vote,
    agreement,
    discriminations,
    preferences,
    read_votes,
    reference_missed,
)

Data = dict[str, Any]


def votes(home: Home, paths: InstrumentPaths) -> Data:
    """Return what the votes say: what was told apart, what was preferred, and who agrees."""
    given = read_votes(paths)
    order = _automatic_order(home, paths)
    return {
        "votes": len(given),
        "listeners": sorted({vote.listener for vote in given}),
        "rankings": [_ranking(render, given, order) for render in _renders(given)],
        "told_apart": [
            {
                "a": _sound(pair.a),
                "b": _sound(pair.b),
                "render": pair.render,
                "correct": pair.correct,
                "answers": pair.answers,
                "p": pair.p_value,
            }
            for pair in discriminations(given)
        ],
    }


def _ranking(render: str, given: list[Vote], order: list[str]) -> Data:
    """Return the ranking by the preferences for one render: each is a question of its own."""
    asked = [vote for vote in given if vote.render == render]
    ranked = preferences(asked)
    places = {key: place for place, key in enumerate(order, start=1)}
    missed, hidden = reference_missed(asked)
    return {
        "render": render,
        "preferred": [
            {
                **_sound(entry.sound),
                "strength": entry.strength,
                "error": entry.error,
                "wins": entry.wins,
                "comparisons": entry.comparisons,
                "automatic": places.get(entry.sound.key),
            }
            for entry in ranked
        ],
        "tau": agreement(ranked, order),
        "reference_missed": missed,
        "reference_heard": hidden,
    }


def _renders(given: list[Vote]) -> list[str]:
    return sorted({vote.render for vote in given if vote.kind == "preference"})


def _sound(sound: Sound) -> Data:
    return {"key": sound.key, "training": sound.training, "step": sound.step}


def _automatic_order(home: Home, paths: InstrumentPaths) -> list[str]:
    """Return the hashes of the current training's checkpoints, as the measurements order them."""
    try:
        folder = current(paths)
        places = rank_checkpoints(folder, load_thresholds(home.path)).places if folder else ()
    except DAMAGED:  # nothing is audited yet, or what is cannot be read
        return []
    return [place.audit.checkpoint_sha256 for place in places]
