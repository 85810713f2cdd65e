"""``CHANGES.md``: what is different from each earlier version of a delivery."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from morphene_core.delivery.card import plain

Metadata = Mapping[str, Any]

_FACTS = (
    ("instrument.name", "name"),
    ("shippable", "shippable"),
    ("training.id", "training"),
    ("training.profile.name", "profile"),
    ("training.steps", "steps trained"),
    ("training.phase_1_steps", "steps of phase 1"),
    ("training.phase_2_steps", "steps of phase 2"),
    ("training.hours", "hours trained"),
    ("training.hardware", "hardware"),
    ("training.seed", "seed"),
    ("checkpoint.step", "step of the checkpoint"),
    ("checkpoint.phase", "phase of the checkpoint"),
    ("checkpoint.sha256", "checkpoint (SHA-256)"),
    ("checkpoint.chosen_by", "chosen by"),
    ("model.sha256", "model (SHA-256)"),
    ("model.version", "version of the model"),
    ("model.ratio", "samples per latent frame"),
    ("model.latency.samples", "latency in samples"),
    ("audio.sample_rate", "sample rate"),
    ("audio.demo", "recordings of the demo"),
    ("approval.state", "approval"),
    ("approval.verdict.listener", "judged by"),
    ("approval.verdict.at", "judged at"),
    ("realtime.verdict", "real-time proof"),
    ("terms.licence", "licence"),
    ("terms.release", "planned release"),
    ("terms.commercial", "commercial use, by the sources"),
    ("terms.share_alike", "share-alike"),
    ("terms.rights.decision", "rights decision"),
    ("terms.rights.who", "rights decision by"),
    ("lineage.dataset", "dataset"),
)
"""What is compared, by its place in the metadata, with its name for a person."""

_LISTS = (
    ("model.methods", "name", "method", ("in_channels", "in_ratio", "out_channels", "out_ratio")),
    ("model.attributes", "name", "attribute", ("types", "default", "meaning")),
    ("model.latents", "number", "latent", ("rises",)),
)
"""What is compared entry by entry: its place, what an entry is known by, its name, its fields."""


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
        parts += [f"## Since version {number}", lines or "Nothing but how the files are made."]
    if not earlier:
        parts.append("This is the first version.")
    return "\n\n".join(parts) + "\n"


def changes(before: Metadata, after: Metadata) -> list[str]:
    """Return what is different between two deliveries, a line for each thing."""
    return [
        *_facts(before, after),
        *_criteria(before, after),
        *_metrics(before, after),
        *_sources(before, after),
        *(line for entry in _LISTS for line in _entries(before, after, *entry)),
        *_conditions(before, after),
    ]


def value_at(data: Any, place: str) -> Any:
    """Return what stands at a place such as "training.id"; None where there is nothing."""
    for key in place.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _facts(before: Metadata, after: Metadata) -> list[str]:
    lines = []
    for place, title in _FACTS:
        old, new = value_at(before, place), value_at(after, place)
        unknown = old is None and "format" not in before  # an older Morphene did not say
        if old != new and not unknown:
            said = "changed" if isinstance(new, Mapping) else f"{_said(new)} (was {_said(old)})"
            lines.append(f"{title}: {said}")
    return lines


def _criteria(before: Metadata, after: Metadata) -> list[str]:
    was = {criterion["name"]: criterion["passed"] for criterion in _listed(before, "criteria")}
    lines = []
    for criterion in _listed(after, "criteria"):
        if was.get(criterion["name"], criterion["passed"]) != criterion["passed"]:
            now, then = ("holds", "did not") if criterion["passed"] else ("does not hold", "did")
            lines.append(f"criterion {criterion['title'].lower()}: {now} ({then} before)")
    return lines


def _metrics(before: Metadata, after: Metadata) -> list[str]:
    """Compare what was measured, with the names and units that the criteria have for it."""
    old, new = (value_at(data, "checkpoint.metrics") or {} for data in (before, after))
    known = {n["metric"]: n for c in _listed(after, "criteria") for n in c["numbers"]}
    lines = []
    for name, value in new.items():
        if old.get(name) != value:
            title, unit = (known.get(name, {}).get(key, "") for key in ("title", "unit"))
            was = _said(old.get(name))
            lines.append(f"{title or name.replace('_', ' ')}: {_said(value)} {unit} (was {was})")
    return [" ".join(line.split()) for line in lines]


def _sources(before: Metadata, after: Metadata) -> list[str]:
    old, new = (
        {(s["role"], s["sha256"]): s for s in value_at(data, "lineage.sources") or []}
        for data in (before, after)
    )
    lines = _counted("added", (new[key] for key in new if key not in old))
    lines += _counted("removed", (old[key] for key in old if key not in new))
    licences = {
        (source["source"], old[key]["licence"], source["licence"])
        for key, source in new.items()
        if key in old and old[key]["licence"] != source["licence"]
    }
    return lines + [
        f"source {name}: licence {licence} (was {was})" for name, was, licence in sorted(licences)
    ]


def _counted(what: str, files: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the files of each source in one line."""
    by_source: dict[tuple[str, str, str], list[str]] = {}
    for file in files:
        key = (file["role"], file["source"], file["licence"])
        by_source.setdefault(key, []).append(file["path"])
    return [
        f"{role} source {name} ({licence}): {what} {', '.join(sorted(paths))}"
        for (role, name, licence), paths in sorted(by_source.items())
    ]


def _entries(
    before: Metadata, after: Metadata, place: str, key: str, what: str, fields: Sequence[str]
) -> list[str]:
    old, new = (
        {entry[key]: entry for entry in _listed(data, place) if isinstance(entry, Mapping)}
        for data in (before, after)
    )
    lines = []
    if added := [str(name) for name in new if name not in old]:
        lines.append(f"new {what}s: {', '.join(added)}")
    if gone := [str(name) for name in old if name not in new]:
        lines.append(f"{what}s that are gone: {', '.join(gone)}")
    for name, entry in new.items():
        changed = [f for f in fields if name in old and old[name].get(f) != entry.get(f)]
        said = ", ".join(f"{f.replace('_', ' ')} {_said(entry.get(f))}" for f in changed)
        lines += [f"{what} {name}: {said}"] if changed else []
    return lines


def _conditions(before: Metadata, after: Metadata) -> list[str]:
    old, new = (_listed(data, "terms.conditions") for data in (before, after))
    lines = [f"new condition: {line}" for line in new if line not in old]
    return lines + [f"no longer a condition: {line}" for line in old if line not in new]


def _listed(data: Metadata, place: str) -> Sequence[Any]:
    found = value_at(data, place)
    return found if isinstance(found, list) else []


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " ".join(map(_said, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
