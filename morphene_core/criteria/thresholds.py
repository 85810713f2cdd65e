"""The thresholds: Morphene's own, and what a project folder puts in their place."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from morphene_core.errors import InputError
from morphene_core.files import combined_hash
from morphene_core.metrics import ARTIFACTS, METRICS, METRICS_VERSION

FILE_NAME = "criteria.toml"
"""In a project folder: the thresholds that differ from Morphene's own."""

_BUILT_IN = Path(__file__).with_name(FILE_NAME)
_KNOWN = {"metrics": set(METRICS), "gates": set(ARTIFACTS)}

Tables = dict[str, dict[str, Any]]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibrated(_Table):
    """Where a recomputed threshold is from.

    Attributes:
        at: when, UTC, ISO 8601.
        before: the threshold until then.
        audits: how many audited checkpoints with a verdict there were.
        verdicts: how many of these rated the metric's criterion.
        good: how many of these as good or usable.
        bad: how many as bad.
        accuracy: mean of the shares of good and of bad ones on the right side of the threshold.
        metrics_version: of the measurements.
    """

    at: str
    before: FiniteFloat
    audits: int
    verdicts: int
    good: int
    bad: int
    accuracy: FiniteFloat
    metrics_version: str


class Threshold(_Table):
    """What a metric must reach.

    Attributes:
        value: the worst value that passes, in the metric's unit.
        weight: how much the metric counts in its criterion's score; with 0 it must hold, and has
            no say in the order of checkpoints.
        reason: why this value and this weight.
        calibrated: where a recomputed value is from; without it the threshold is provisional.
    """

    value: FiniteFloat
    weight: Annotated[FiniteFloat, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1)]
    calibrated: Calibrated | None = None

    @property
    def provisional(self) -> bool:
        """Whether nobody's ears have confirmed it."""
        return self.calibrated is None


class Gate(_Table):
    """The most of an artifact that any render of a checkpoint may have.

    Attributes:
        limit: the largest value that passes, in the artifact's unit.
        audible: from where on it is heard, at the limit at last: with more of it the criterion
            that asks for no artifacts does not hold.
        provisional: whether it was never held against full-size models.
        reason: why this limit.
    """

    limit: FiniteFloat
    audible: FiniteFloat
    provisional: bool = True
    reason: Annotated[str, Field(min_length=1)]


class Thresholds(_Table):
    """All thresholds in use.

    Attributes:
        metrics: by the names of METRICS.
        gates: by the names of ARTIFACTS.
    """

    metrics: dict[str, Threshold]
    gates: dict[str, Gate]

    @property
    def version(self) -> str:
        """Hash of all that decides about checkpoints: values, weights and limits."""
        decisive = [
            *(f"{n} {t.value!r} {t.weight!r} {t.provisional}" for n, t in self.metrics.items()),
            *(f"{n} {g.limit!r}" for n, g in self.gates.items()),
        ]
        return combined_hash(sorted(decisive))[:8]


def load_thresholds(home: Path | None = None) -> Thresholds:
    """Return the thresholds: Morphene's, and in their place those of a project folder.

    An entry of the project folder's ``criteria.toml`` changes the fields that it names. One that
    was calibrated with other measurements than today's (METRICS_VERSION) is passed over.

    Args:
        home: the project folder; None leaves Morphene's own as they are.

    Raises:
        InputError: a file is not valid; entry and field are named.
    """
    tables, path = _read(_BUILT_IN), _BUILT_IN
    if home and (home / FILE_NAME).exists():
        path = home / FILE_NAME
        tables = _changed(tables, _read(path))
    try:
        thresholds = Thresholds.model_validate(tables)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {field}: {first['msg']}.") from error
    _require_sense(thresholds, path)
    return thresholds


def _read(path: Path) -> dict[str, Tables]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}. Mend it.") from error
    for kind, entries in data.items():
        if kind not in _KNOWN or not isinstance(entries, dict):
            raise InputError(f"{path}: {kind!r} is unknown. It holds [metrics.*] and [gates.*].")
        for name, entry in entries.items():
            if name not in _KNOWN[kind] or not isinstance(entry, dict):
                known = ", ".join(sorted(_KNOWN[kind]))
                raise InputError(f"{path}: there is no {kind}.{name}. There are: {known}.")
    return data


def _changed(built_in: dict[str, Tables], own: dict[str, Tables]) -> dict[str, Tables]:
    changed = {kind: dict(entries) for kind, entries in built_in.items()}
    for kind, entries in own.items():
        for name, entry in entries.items():
            if not _outdated(entry):
                by_hand = {"reason": "Set by hand."} if entry.keys() & {"value", "limit"} else {}
                changed[kind][name] = changed[kind][name] | by_hand | entry
    return changed


def _outdated(entry: dict[str, Any]) -> bool:
    calibrated = entry.get("calibrated")
    return isinstance(calibrated, dict) and calibrated.get("metrics_version") != METRICS_VERSION


def _require_sense(thresholds: Thresholds, path: Path) -> None:
    for name, threshold in thresholds.metrics.items():
        metric = METRICS[name]
        if not is_worse_than_best(name, threshold.value):
            side = "above" if metric.better == "lower" else "below"
            raise InputError(
                f"{path}: metrics.{name}: {threshold.value} passes nothing or everything. It must"
                f" lie {side} {metric.best}, which is perfect."
            )
    weighed = {METRICS[name].criterion for name, t in thresholds.metrics.items() if t.weight}
    for criterion in dict.fromkeys(metric.criterion for metric in METRICS.values()):
        if criterion not in weighed:
            raise InputError(f"{path}: all weights of {criterion} are 0. Give one of them more.")


def is_worse_than_best(metric: str, value: float) -> bool:
    """Return whether a value lies on the worse side of a metric's perfect value."""
    best = METRICS[metric].best
    return value > best if METRICS[metric].better == "lower" else value < best
