"""Which models may be loaded without asking: a .ts is code, with all rights of its user."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from morphene_core.errors import DAMAGED
from morphene_core.files import read_json, sha256
from morphene_core.home import Home


def known_model(home: Home, path: Path) -> bool:
    """Return whether the project folder has exported or delivered this very file.

    Where it lies says nothing: what counts are its bytes, by the records of exports and deliveries.

    Args:
        home: the project folder; it need not exist.
        path: the .ts.

    Raises:
        OSError: the file cannot be read.
    """
    digest = sha256(path)
    return any(digest == known for known in _known_hashes(home))


def _known_hashes(home: Home) -> Iterator[str]:
    for models in sorted((home.path / "models").glob("*/")):
        paths = home.instrument(models.name)
        for record in sorted(paths.exports.glob("*.json")):
            yield from _hash_in(record, "sha256")
        for metadata in sorted(paths.models.glob("deliveries/*/metadata.json")):
            yield from _hash_in(metadata, "model", "sha256")


def _hash_in(record: Path, *keys: str) -> Iterator[str]:
    """Give the hash in a record, nothing of a damaged one."""
    try:
        found: Any = read_json(record)
        for key in keys:
            found = found[key]
    except DAMAGED:
        return
    if isinstance(found, str):
        yield found
