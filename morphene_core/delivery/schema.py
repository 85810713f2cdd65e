"""The schema that the metadata of a delivery keep to, and where they break it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from morphene_core.files import read_json

FORMAT = 2
"""Of the metadata: raised with the schema, which is published as that of this format."""

FORMATS = (1, FORMAT)
"""That the schema describes: 1 does not say which Morphene made the files."""

SCHEMA = Path(__file__).with_name("metadata.schema.json")

_LONGEST_VALUE = 60


def schema_faults(metadata: Any, most: int = 5) -> list[str]:
    """Return where metadata break the schema, a line for each place; nothing if they keep to it.

    Args:
        metadata: what JSON can hold.
        most: how many places to name.
    """
    errors = _validator().iter_errors(metadata)
    found = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    lines = [f"{_place(error.absolute_path)}: {_shortened(error.message)}" for error in found]
    more = [f"{len(lines) - most} more places"] if len(lines) > most else []
    return lines[:most] + more


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(read_json(SCHEMA))


def _place(path: Iterator[Any]) -> str:
    return ".".join(str(part) for part in path) or "the whole"


def _shortened(text: str) -> str:
    """Return a message without the middle of a value that it quotes whole."""
    if len(text) <= 2 * _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]} … {text[-_LONGEST_VALUE:]}"
