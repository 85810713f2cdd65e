"""Morphene's domain: instruments, audio, training, audits and deliveries. Knows no Dagster."""
