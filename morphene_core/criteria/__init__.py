"""The quality criteria: what must hold of an audit, by thresholds that are data.

``criteria.toml`` holds each threshold with its reason. They are provisional until
`morphene_core.criteria.calibration` has recomputed them from the verdicts of people.
"""

from morphene_core.criteria.faults import audible_artifacts, faults
from morphene_core.criteria.judge import MEASURED, CriterionResult, Number, judge
from morphene_core.criteria.thresholds import (
    Calibrated,
    Gate,
    Threshold,
    Thresholds,
    load_thresholds,
)
from morphene_core.criteria.words import in_words

__all__ = [
    "MEASURED",
    "Calibrated",
    "CriterionResult",
    "Gate",
    "Number",
    "Threshold",
    "Thresholds",
    "audible_artifacts",
    "faults",
    "in_words",
    "judge",
    "load_thresholds",
]
