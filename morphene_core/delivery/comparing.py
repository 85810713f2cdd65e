"""What is different between the facts of two deliveries, in words for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from morphene_core.criteria.words import in_words

Facts = Mapping[str, Any]


class Change(NamedTuple):
    """A difference that is put in words.

    Attributes:
        place: in the metadata, such as "terms.licence".
        line: what is different, in one line.
    """

    place: str
    line: str


_FACTS = {
    "instrument.name": "name",
    "shippable": "shippable",
    "training.id": "training",
    "training.profile.name": "profile",
    "training.steps": "steps trained",
    "training.phase_1_steps": "steps of phase 1",
    "training.phase_2_steps": "steps of phase 2",
    "training.hours": "hours trained",
    "training.started": "training started",
    "training.finished": "training finished",
    "training.hardware": "hardware",
    "training.seed": "seed",
    "checkpoint.step": "step of the checkpoint",
    "checkpoint.phase": "phase of the checkpoint",
    "checkpoint.sha256": "checkpoint (SHA-256)",
    "checkpoint.chosen_by": "chosen by",
    "checkpoint.reason": "why it was chosen",
    "model.sha256": "model (SHA-256)",
    "model.version": "version of the model",
    "model.ratio": "samples per latent frame",
    "model.latency.samples": "latency in samples",
    "audio.sample_rate": "sample rate",
    "audio.demo": "recordings of the demo",
    "approval.state": "approval",
    "approval.verdict.listener": "judged by",
    "approval.verdict.at": "judged at",
    "approval.verdict.notes": "notes of the judgement",
    "realtime.verdict": "real-time proof",
    "terms.licence": "licence",
    "terms.release": "planned release",
    "terms.commercial": "commercial use, by the sources",
    "terms.share_alike": "share-alike",
    "terms.rights.decision": "rights decision",
    "terms.rights.who": "rights decision by",
    "terms.rights.at": "rights decision of",
    "terms.rights.document_sha256": "document of the rights decision (SHA-256)",
    "lineage.dataset": "dataset",
}
"""What is compared, by its place in the metadata, with its name for a person."""

_OF_A_SOURCE = {
    "source": "name",
    "licence": "licence",
    "origin": "origin",
    "attribution": "attribution",
    "document_sha256": "document (SHA-256)",
}
"""What is compared of a source, with its name for a person."""

_ENTRIES = (
    ("model.methods", "name", "method", ("in_channels", "in_ratio", "out_channels", "out_ratio")),
    ("model.attributes", "name", "attribute", ("types", "default", "meaning")),
    ("model.latents", "number", "latent", ("rises",)),
)
"""What is compared entry by entry: its place, what an entry is known by, its name, its fields."""

_LINES = (
    ("terms.conditions", "new condition", "no longer a condition"),
    ("terms.unclear", "new to be cleared", "no longer to be cleared"),
    ("terms.obstacles", "new obstacle to a release", "no longer an obstacle to a release"),
    ("terms.rights.sources", "the rights decision is for", "the rights decision is no longer for"),
    (
        "terms.rights.not_covered",
        "not covered by the rights decision",
        "no longer left out by the rights decision",
    ),
)
"""What is compared line by line: its place, and what is said of a new line and of one less."""


def compare(before: Facts, after: Facts) -> list[Change]:
    """Return what is different between the facts of two deliveries.

    Args:
        before: what `facts_of` returned for one; an older Morphene's, too.
        after: likewise, for a later one.
    """
    return [
        *_facts(before, after),
        *_criteria(before, after),
        *_thresholds(before, after),
        *_metrics(before, after),
        *_files(before, after),
        *_sources(before, after),
        *(change for entry in _ENTRIES for change in _entries(before, after, *entry)),
        *(change for lines in _LINES for change in _lines(before, after, *lines)),
    ]


def value_at(data: Any, place: str) -> Any:
    """Return what stands at a place such as "training.id"; None where there is nothing."""
    for key in place.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _facts(before: Facts, after: Facts) -> Iterator[Change]:
    for place, title in _FACTS.items():
        old, new = value_at(before, place), value_at(after, place)
        unknown = old is None and "format" not in before  # an older Morphene did not say
        if old != new and not unknown:
            said = "changed" if isinstance(new, Mapping) else f"{_said(new)} (was {_said(old)})"
            yield Change(place, f"{title}: {said}")


def _criteria(before: Facts, after: Facts) -> Iterator[Change]:
    was = {criterion["name"]: criterion["passed"] for criterion in _listed(before, "criteria")}
    for criterion in _listed(after, "criteria"):
        if was.get(criterion["name"], criterion["passed"]) != criterion["passed"]:
            now, then = ("holds", "did not") if criterion["passed"] else ("does not hold", "did")
            text = f"criterion {criterion['title'].lower()}: {now} ({then} before)"
            yield Change("criteria.passed", text)


def _thresholds(before: Facts, after: Facts) -> Iterator[Change]:
    """Compare what was asked for, whether or not a criterion holds for it as before."""
    old, new = _numbers(before), _numbers(after)
    for metric, number in new.items():
        was = old.get(metric, number)
        bound = "at most" if number["better"] == "lower" else "at least"
        now, then = (in_words(n["threshold"], n["unit"]) for n in (number, was))
        if number["threshold"] != was["threshold"]:
            text = f"{number['title']}: {bound} {now} is asked for (was {then})"
            yield Change("criteria.numbers.threshold", text)
        if number["provisional"] != was["provisional"]:
            said = "provisional now" if number["provisional"] else "no longer provisional"
            text = f"{number['title']}: its threshold is {said}"
            yield Change("criteria.numbers.provisional", text)


def _metrics(before: Facts, after: Facts) -> Iterator[Change]:
    """Compare what was measured, with the names and units that the criteria have for it."""
    old, new = (value_at(data, "checkpoint.metrics") or {} for data in (before, after))
    known = _numbers(before) | _numbers(after)
    for name in dict.fromkeys((*new, *old)):
        if old.get(name) != new.get(name):
            title, unit = (known.get(name, {}).get(key, "") for key in ("title", "unit"))
            said, was = _said(new.get(name)), _said(old.get(name))
            line = f"{title or name.replace('_', ' ')}: {said} {unit} (was {was})"
            yield Change(f"checkpoint.metrics.{name}", " ".join(line.split()))


def _numbers(facts: Facts) -> dict[str, Mapping[str, Any]]:
    return {n["metric"]: n for c in _listed(facts, "criteria") for n in c["numbers"]}


def _files(before: Facts, after: Facts) -> Iterator[Change]:
    """Name what was added and removed, the files of each source in one line."""
    old, new = _by_contents(before), _by_contents(after)
    added = [new[key] for key in new if key not in old]
    removed = [old[key] for key in old if key not in new]
    for what, files in (("added", added), ("removed", removed)):
        by_source: dict[tuple[str, str, str], list[str]] = {}
        for file in files:
            key = (file["role"], file["source"], file["licence"])
            by_source.setdefault(key, []).append(file["path"])
        for (role, name, licence), paths in sorted(by_source.items()):
            line = f"{role} source {name} ({licence}): {what} {', '.join(sorted(paths))}"
            yield Change("lineage.sources", line)


def _sources(before: Facts, after: Facts) -> Iterator[Change]:
    """Compare what is known of the files that both have: a line for each source and field."""
    old, new = _by_contents(before), _by_contents(after)
    pairs = [(old[key], new[key]) for key in new if key in old]
    for field, title in _OF_A_SOURCE.items():
        found = {
            (now["source"], _said(now.get(field)), _said(was.get(field)))
            for was, now in pairs
            if was.get(field, now.get(field)) != now.get(field)  # an older Morphene did not say
        }
        for name, now, was in sorted(found):
            yield Change(f"lineage.sources.{field}", f"source {name}: {title} {now} (was {was})")


def _by_contents(facts: Facts) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(file["role"], file["sha256"]): file for file in _listed(facts, "lineage.sources")}


def _entries(
    before: Facts, after: Facts, place: str, key: str, what: str, fields: Sequence[str]
) -> Iterator[Change]:
    old, new = (
        {entry[key]: entry for entry in _listed(data, place) if isinstance(entry, Mapping)}
        for data in (before, after)
    )
    if added := [str(name) for name in new if name not in old]:
        yield Change(place, f"new {what}s: {', '.join(added)}")
    if gone := [str(name) for name in old if name not in new]:
        yield Change(place, f"{what}s that are gone: {', '.join(gone)}")
    for name, entry in new.items():
        for field in fields:
            if name in old and old[name].get(field) != entry.get(field):
                said = f"{what} {name}: {field.replace('_', ' ')} {_said(entry.get(field))}"
                yield Change(f"{place}.{field}", said)


def _lines(before: Facts, after: Facts, place: str, more: str, less: str) -> Iterator[Change]:
    old, new = (_listed(data, place) for data in (before, after))
    yield from (Change(place, f"{more}: {line}") for line in new if line not in old)
    yield from (Change(place, f"{less}: {line}") for line in old if line not in new)


def _listed(data: Facts, place: str) -> Sequence[Any]:
    found = value_at(data, place)
    return found if isinstance(found, list) else []


def _said(value: Any) -> str:
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " ".join(map(_said, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
