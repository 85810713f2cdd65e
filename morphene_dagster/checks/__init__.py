"""Asset checks, per instrument. A check reads what a stage wrote; it computes nothing heavy."""

import warnings

import dagster as dg

# Checks per partition are in preview in Dagster 1.13, which would say so at every start.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from morphene_dagster.checks import audio, results, sources  # noqa: E402

ALL = [*sources.ALL, *audio.ALL, *results.ALL]
