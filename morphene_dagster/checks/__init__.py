"""Asset checks, per instrument. A check reads what a stage wrote; it computes nothing heavy."""

from morphene_dagster.checks import audio, criteria, results, sources

ALL = [*sources.ALL, *audio.ALL, *criteria.ALL, *results.ALL]
