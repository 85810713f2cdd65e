"""Hard gates: faults that no other virtue of a checkpoint makes up for."""

from morphene_core.audits import RENDER_NAMES, Audit
from morphene_core.criteria.thresholds import Gate, Thresholds
from morphene_core.criteria.words import in_words
from morphene_core.metrics import ARTIFACTS, Artifact


def faults(audit: Audit, thresholds: Thresholds) -> list[str]:
    """Return what rules a checkpoint out, a line for each kind of fault; nothing if it is sound.

    A line names every render that has the fault, and how much of it. What was not measured is a
    fault, too.
    """
    return _lines(audit, {name: (gate, gate.limit) for name, gate in thresholds.gates.items()})


def audible_artifacts(audit: Audit, thresholds: Thresholds) -> list[str]:
    """Return which artifacts are heard, in lines as those of `faults`, which are among them."""
    gates = thresholds.gates.items()
    return _lines(audit, {name: (gate, min(gate.audible, gate.limit)) for name, gate in gates})


def _lines(audit: Audit, bounds: dict[str, tuple[Gate, float]]) -> list[str]:
    lines = (_line(audit, ARTIFACTS[name], *bound) for name, bound in bounds.items())
    return [line for line in lines if line]


def _line(audit: Audit, artifact: Artifact, gate: Gate, most: float) -> str:
    found = {
        render: value
        for render in RENDER_NAMES
        if not _holds(value := audit.artifacts.get(render, {}).get(artifact.name), most)
    }
    if not found:
        return ""
    unit = "" if artifact.title.endswith(artifact.unit) else artifact.unit
    where = ", ".join(f"{render} ({in_words(value, unit)})" for render, value in found.items())
    limit = "a provisional limit" if gate.provisional else "the limit"
    return f"{artifact.title} in {where}: over {in_words(most, unit)}, {limit}"


def _holds(value: float | None, most: float) -> bool:
    return value is not None and value <= most  # NaN does not
