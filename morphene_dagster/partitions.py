"""Partitions: one per instrument."""

import warnings

from dagster import BackfillPolicy, BetaWarning, StaticPartitionsDefinition

from morphene_core.instruments import ALL_INSTRUMENTS

# Backfill policies are in beta in Dagster 1.13, which would say so at every start.
warnings.filterwarnings("ignore", category=BetaWarning)

instruments = StaticPartitionsDefinition([instrument.slug for instrument in ALL_INSTRUMENTS])

PREPARATION = BackfillPolicy.multi_run(max_partitions_per_run=1)
"""Of all that is made before a training, which has none: a backfill puts assets of another policy
into runs of their own, so that preparation holds no GPU."""
