"""The facts in a delivery's metadata, which make it another delivery when they change."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Metadata = Mapping[str, Any]

HOW_MADE = ("format", "made_with")
"""What says how the files are made, and nothing of the instrument."""

_MISSING = object()


def facts_of(metadata: Metadata) -> dict[str, Any]:
    """Return what makes a delivery another one: `untimed` metadata, and of those only facts.

    The texts of criteria and approval are Morphene's words for facts that stand beside them, and a
    run that exported the same bytes again is none.

    Args:
        metadata: of the delivery; an older Morphene's, too.
    """
    kept = untimed(metadata)
    for worded in (*kept.get("criteria", []), kept.get("approval", {})):
        worded.pop("text", None)
    kept.get("lineage", {}).get("runs", {}).pop("export", None)
    return kept


def untimed(metadata: Metadata) -> dict[str, Any]:
    """Return a delivery's metadata without its version, checksums and timings.

    Args:
        metadata: of the delivery; an older Morphene's, too.
    """
    kept: dict[str, Any] = json.loads(json.dumps(metadata))
    for name in ("delivery", "files"):
        kept.pop(name, None)
    if "realtime" in kept:
        kept["realtime"] = {"verdict": kept["realtime"].get("verdict")}
    for criterion in kept.get("criteria", []):
        if criterion["name"] == "real_time_playback":
            criterion.update(text="", numbers=[])
    kept.get("model", {}).get("latency", {}).pop("measured_ms", None)
    return kept


def same_but_for_timing(one: Metadata, other: Metadata) -> bool:
    """Whether two deliveries' metadata say the same, however fast the machine was."""
    return facts_of(one) == facts_of(other)


def differences(before: Metadata, after: Metadata) -> list[str]:
    """Return the places of the facts that differ, such as "terms.rights.at", each once.

    The entries of a list have its place. How the files are made is no fact, and what metadata of
    another format do not have at all is not known to have changed.

    Args:
        before: what `facts_of` returned for one delivery.
        after: likewise, for a later one.
    """
    old, new = ({k: v for k, v in data.items() if k not in HOW_MADE} for data in (before, after))
    lenient = before.get("format") != after.get("format")
    return list(dict.fromkeys(_differing("", old, new, lenient)))


def _differing(place: str, old: Any, new: Any, lenient: bool) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*new, *(key for key in old if key not in new)):
            below = f"{place}.{key}" if place else key
            was, now = old.get(key, _MISSING), new.get(key, _MISSING)
            if not (lenient and was is _MISSING):
                yield from _differing(below, was, now, lenient)
    elif _are_lists_of_entries(old, new):
        for was, now in zip(old, new, strict=True):
            yield from _differing(place, was, now, lenient)
    elif old != new:
        yield place


def _are_lists_of_entries(old: Any, new: Any) -> bool:
    return (
        isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
        and all(isinstance(entry, Mapping) for entry in (*old, *new))
    )
