"""When more training no longer helps."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LAST = 4
"""Checkpoints of the adversarial phase without an improvement that make a plateau."""

MARGIN = 0.03
"""What counts as an improvement, in distances: 3 % of the way to the thresholds."""

FEWEST = LAST + 2
"""Checkpoints that it takes: each is seen with its neighbours, and one has to lie before."""


@dataclass(frozen=True)
class Plateau:
    """Whether the adversarial phase still improves the checkpoints.

    Attributes:
        state: "unknown", "improving" or "reached".
        improvement: by how much the least distance fell over the last checkpoints; negative if
            it was not reached again, None if that is unknown or they are faulty.
        text: for a person.
    """

    state: Literal["unknown", "improving", "reached"]
    improvement: float | None
    text: str


def find_plateau(checkpoints: Sequence[tuple[int, float]]) -> Plateau:
    """Say whether more training helps, by the checkpoints of the adversarial phase.

    The distances are smoothed by the median of three neighbours, so that neither a lucky nor a
    broken checkpoint decides. The least of them among the last four is held against the least
    before; less than 0.03 of improvement is none.

    Args:
        checkpoints: step and distance (see `morphene_core.selection.ranking.Place`) of each, by
            step; inf for one that is faulty.
    """
    if len(checkpoints) < FEWEST:
        return Plateau(
            "unknown",
            None,
            "Not yet known whether more training helps: that takes"
            f" {FEWEST} checkpoints of the adversarial phase, and there are {len(checkpoints)}.",
        )
    distances = [distance for _, distance in checkpoints]
    smooth = [statistics.median(distances[i : i + 3]) for i in range(len(distances) - 2)]
    before, recent = min(smooth[: 1 - LAST]), min(smooth[1 - LAST :])
    if math.isinf(before):
        text = "Not yet known whether more training helps: most checkpoints are faulty."
        return Plateau("unknown", None, text)
    since = checkpoints[-LAST][0]
    if math.isinf(recent):
        text = f"More training no longer helps: most checkpoints from step {since:,} on are faulty."
        return Plateau("reached", None, text)
    improvement = before - recent
    course = f"from step {since:,} on the distance is {recent:.2f} at best, and was {before:.2f}"
    if improvement > MARGIN:
        return Plateau("improving", improvement, f"More training still helps: {course} before.")
    return Plateau(
        "reached",
        improvement,
        f"More training no longer helps: {course} before. A difference up to {MARGIN} is none.",
    )
