"""What the checks share."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from morphene_core.home import InstrumentPaths
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, user_errors

# Checks per partition are in preview in Dagster 1.13, which would say so at every start.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        passed: whether all is well.
        text: for a person, one line.
        serious: whether it is an error if it is not; otherwise it is a warning.
        metadata: more to look at.
    """

    passed: bool
    text: str
    serious: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)


Judge = Callable[[Project, InstrumentPaths], Finding]


def instrument_check(
    asset: str, name: str, description: str, judge: Judge, blocking: bool = False
) -> dg.AssetChecksDefinition:
    """Return an asset check per instrument.

    Args:
        asset: name of the asset.
        name: of the check.
        description: what is well if it passes, and what is not.
        judge: looks at what the asset's stage wrote.
        blocking: whether an error ends the run before anything is made of the asset.
    """

    @dg.asset_check(
        asset=asset,
        name=name,
        description=description,
        partitions_def=instruments,
        blocking=blocking,
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        with user_errors():
            found = judge(project, project.paths(context))
        severity = dg.AssetCheckSeverity.ERROR if found.serious else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=found.passed,
            severity=severity,
            description=found.text,
            metadata=found.metadata,
        )

    return check
