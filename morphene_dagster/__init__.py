"""Morphene in Dagster: assets, checks, jobs and resources, all thin, and the `morphene` command."""
