"""Backfills: real Dagster backfills of instruments, from their recordings to their checkpoints.

A training is a run of its own there: `checkpoints` has another backfill policy than what it is made
from, and Dagster puts assets of different policies into different runs. So preparation never holds
a GPU slot.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import PRIORITY_TAG

from morphene_core.errors import MorpheneError
from morphene_core.home import Home
from morphene_core.instruments import Instrument
from morphene_core.instruments.definition import Tier
from morphene_core.sources.overview import instrument_status
from morphene_dagster.standing import CHECKPOINTS, TIER_TAG, asset_graph, standings

PRIORITIES: dict[Tier, int] = {"flagship": 300, "strong": 200, "experimental": 100}
"""Of the tiers' runs in the queue; far apart, so that `queue move` finds room between them."""


def launch(
    instance: dg.DagsterInstance,
    instruments: Sequence[Instrument],
    tier: Tier,
    backfill_id: str,
) -> None:
    """Launch a backfill of instruments up to their checkpoints; the daemon takes it from there.

    Args:
        instance: of the project folder.
        instruments: whose partitions.
        tier: by which the queue orders their runs.
        backfill_id: an id that no other backfill has.
    """
    graph = asset_graph()
    selected = dg.AssetSelection.assets(CHECKPOINTS).upstream().resolve(graph)
    names = ", ".join(f"{i.number} {i.name}" for i in instruments)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=backfill_id,
        asset_graph=graph,
        partition_names=[i.slug for i in instruments],
        asset_selection=sorted(selected),
        backfill_timestamp=time.time(),
        tags={TIER_TAG: tier, PRIORITY_TAG: str(PRIORITIES[tier])},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=f"Training, {tier}: {len(instruments)}",
        description=names,
        run_config=None,
    )
    instance.add_backfill(backfill)


def take_out(instance: dg.DagsterInstance, backfill_id: str, slug: str) -> bool:
    """Take what was not launched yet of an instrument out of a backfill, and leave the others.

    The daemon writes the backfill, too, and may undo it within the same second: look again.

    Returns:
        Whether there was anything to take out.
    """
    backfill = instance.get_backfill(backfill_id)
    if backfill is None or backfill.status is not BulkActionStatus.REQUESTED:
        return False
    graph = asset_graph()
    data = backfill.get_asset_backfill_data(graph)
    left = {
        part
        for part in (data.target_subset - data.requested_subset).iterate_asset_partitions()
        if part.partition_key == slug
    }
    if not left:
        return False
    gone = type(data.target_subset).from_asset_partition_set(left, graph)
    targets = data.target_subset - gone
    if targets.is_empty:
        status, now = BulkActionStatus.CANCELED, time.time()
        instance.update_backfill(backfill._replace(status=status, backfill_end_timestamp=now))
    else:
        data = data._replace(target_subset=targets)
        instance.update_backfill(backfill.with_asset_backfill_data(data, instance, graph))
    return True


def what_is_missing(home: Home, instrument: Instrument) -> str:
    """Return why an instrument cannot be trained yet, in one line; "" if it can.

    Its sources are ready if each role has files that are accepted, enough of them for the profile,
    and no licence that forbids their use. New files are read for this.
    """
    try:
        roles = instrument_status(home, instrument)
    except MorpheneError as error:
        return str(error)
    return "; ".join(
        f"{role.role}: {', '.join(role.missing) or 'no recordings'}"
        for role in roles
        if not role.complete
    )


@dataclass(frozen=True)
class Choice:
    """Which instruments of a tier a backfill takes.

    Attributes:
        ready: never trained, with complete sources.
        others: how many are not taken, by the reason.
    """

    ready: tuple[Instrument, ...]
    others: Mapping[str, int]

    @property
    def why_not(self) -> str:
        """Why the others are not taken: "3 trained, 2 queued or running"."""
        return ", ".join(f"{number} {reason}" for reason, number in self.others.items())


def eligible(instance: dg.DagsterInstance, home: Home, instruments: Sequence[Instrument]) -> Choice:
    """Choose the instruments that are ready and were never trained.

    What failed, was cancelled or is paused waits for a person, who sees why. Nothing is trained
    again because it is stale.
    """
    known, ready, others = standings(instance), [], Counter[str]()
    for instrument in instruments:
        if instrument.slug in known:
            others[known[instrument.slug].summary] += 1
        elif what_is_missing(home, instrument):
            others["without complete sources"] += 1
        else:
            ready.append(instrument)
    return Choice(tuple(ready), others)
