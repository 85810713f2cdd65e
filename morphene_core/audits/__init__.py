"""Audits: every checkpoint is given the same references, and what it makes of them is measured."""

from morphene_core.audits.audit import Audited, audit_all, checkpoints_of
from morphene_core.audits.outside import MODELS, models_in, to_audit
from morphene_core.audits.pictures import PICTURES
from morphene_core.audits.record import (
    MORPH_AMOUNTS,
    RENDER_NAMES,
    Audit,
    audit_rows,
    read_audit,
    read_audit_folder,
    read_audits,
    references,
    unaudited_steps,
)
from morphene_core.audits.references import write_references

__all__ = [
    "MODELS",
    "MORPH_AMOUNTS",
    "PICTURES",
    "RENDER_NAMES",
    "Audit",
    "Audited",
    "audit_all",
    "audit_rows",
    "checkpoints_of",
    "models_in",
    "read_audit",
    "read_audit_folder",
    "read_audits",
    "references",
    "to_audit",
    "unaudited_steps",
    "write_references",
]
