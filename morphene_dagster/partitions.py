"""Partitions: one per instrument."""

from dagster import StaticPartitionsDefinition

from morphene_core.instruments import ALL_INSTRUMENTS

instruments = StaticPartitionsDefinition([instrument.slug for instrument in ALL_INSTRUMENTS])
