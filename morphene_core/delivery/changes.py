"""``CHANGES.md``: what is different from each earlier version of a delivery."""

from collections.abc import Iterable, Mapping

from morphene_core.delivery.comparing import compare
from morphene_core.delivery.facts import HOW_MADE, Metadata, differences, facts_of
from morphene_core.delivery.markdown import plain

_FOLLOWS_FROM = {
    "approval.verdict.training": ("training.id",),
    "approval.verdict.step": ("checkpoint.step",),
    "approval.verdict.checkpoint_sha256": ("checkpoint.sha256",),
    "criteria.numbers.value": ("checkpoint.metrics",),
    "criteria.numbers.passed": ("checkpoint.metrics", "criteria.numbers.threshold"),
    "lineage.checkpoint": ("checkpoint.sha256",),
    "model.bytes": ("model.sha256",),
    "model.latency.ms": ("model.latency.samples",),
    "model.latents": ("model.sha256",),
    "notice": ("shippable", "training.profile"),
    "terms.attributions": ("lineage.sources",),
}
"""What says the same again: it needs no word of its own where one of these has had one."""


def changes_text(metadata: Metadata, earlier: Mapping[int, Metadata]) -> str:
    """Return ``CHANGES.md``.

    Args:
        metadata: of the new delivery.
        earlier: of those before it, by their versions; an older Morphene's, too.
    """
    name, version = metadata["instrument"]["name"], metadata["delivery"]["version"]
    parts = [f"# Changes of {plain(name)}, version {version}"]
    for number in sorted(earlier, reverse=True):
        lines = "\n".join(f"- {plain(line)}" for line in changes(earlier[number], metadata))
        parts += [f"## Since version {number}", lines or _no_facts(earlier[number], metadata)]
    if not earlier:
        parts.append("This is the first version.")
    return "\n\n".join(parts) + "\n"


def changes(before: Metadata, after: Metadata) -> list[str]:
    """Return what is different between two deliveries, a line for each thing.

    Facts that have no words of their own are named by their places in the metadata, so that there
    is a line whenever any of them differs.
    """
    old, new = facts_of(before), facts_of(after)
    found = compare(old, new)
    named = {change.place for change in found}
    others = [place for place in differences(old, new) if not _is_said(place, named)]
    lines = [change.line for change in found]
    return lines + ([f"other facts changed: {', '.join(others)}"] if others else [])


def _no_facts(before: Metadata, after: Metadata) -> str:
    if any(before.get(name) != after.get(name) for name in HOW_MADE):
        return "Nothing but how the files are made."
    return "Nothing: it is the same, delivered anew."


def _is_said(place: str, named: Iterable[str]) -> bool:
    """Whether a place, or what it follows from, is among those that have words."""
    roots = {place}
    for follower, from_these in _FOLLOWS_FROM.items():
        roots |= set(from_these) if _in(place, follower) else set()
    return any(_in(said, root) or _in(root, said) for said in named for root in roots)


def _in(place: str, other: str) -> bool:
    """Whether a place is another one, or below it."""
    return place == other or place.startswith(f"{other}.")
