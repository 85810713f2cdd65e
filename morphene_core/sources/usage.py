"""Where a source has gone: what a takedown would reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morphene_core.delivery.versions import METADATA, delivered_folders
from morphene_core.errors import DAMAGED, InputError
from morphene_core.files import read_json
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.sources.manifest import Source, read_manifest


@dataclass(frozen=True)
class Use:
    """Something that a source is part of.

    Attributes:
        instrument: slug.
        kind: "recordings", "removed recordings", "prepared audio", "dataset", "checkpoint",
            "export" or "delivery".
        what: which one: a file or folder, relative to the project folder.
        files: how many of the source's files went into it.
    """

    instrument: str
    kind: str
    what: str
    files: int


def where_used(home: Home, name: str) -> list[Use]:
    """Return everything that contains a source, by its name (in any case) or its files' contents.

    Datasets, trainings and deliveries list their source files with their hashes, as they were when
    they were made: what is made of a source is found after it was removed or renamed as well.

    Raises:
        InputError: nothing of that name is or was there.
    """
    known, hashes = _known(home, name)
    uses = []
    for paths in _instruments(home):
        for kind, what, files in _holdings(paths):
            count = sum(
                file["sha256"] in hashes or file.get("source", "").casefold() == name.casefold()
                for file in files
            )
            if count:
                uses.append(Use(paths.slug, kind, str(what.relative_to(home.path)), count))
    if not uses and not known:
        raise InputError(
            f"No source {name!r} is or was in {home.path}. `morphene sources status` with an"
            " instrument lists its sources."
        )
    return uses


def _known(home: Home, name: str) -> tuple[bool, set[str]]:
    """Return whether a manifest has the source, of any instrument, and the hashes of its files."""
    registered = [source for paths in _instruments(home) for _, _, source in _registered(paths)]
    found = [source for source in registered if source.name.casefold() == name.casefold()]
    return bool(found), {file.sha256 for source in found for file in source.files}


def _instruments(home: Home) -> list[InstrumentPaths]:
    """Return every instrument that has anything in the project folder, of the catalogue or not."""
    tops = ("sources", "audio", "datasets", "models")
    slugs = {path.name for top in tops for path in home.path.glob(f"{top}/*") if path.is_dir()}
    return [home.instrument(slug) for slug in sorted(slugs) if not slug.startswith(".")]


def _registered(paths: InstrumentPaths) -> Iterator[tuple[str, Path, Source]]:
    """Give each source with its kind and place: those of the manifests, and those taken out."""
    for role in ROLES:
        for source in read_manifest(paths.manifest(role)).source:
            yield "recordings", paths.sources(role), source
        for manifest in sorted(paths.removed.glob(f"*/{role}.toml")):
            for source in read_manifest(manifest).source:
                yield "removed recordings", manifest.parent, source


def _holdings(paths: InstrumentPaths) -> Iterator[tuple[str, Path, list[dict[str, Any]]]]:
    """Give whatever contains source files: its kind, where it is, and the list of them."""
    for kind, place, source in _registered(paths):
        yield kind, place, [{"sha256": f.sha256, "source": source.name} for f in source.files]
    for role in ROLES:
        if (record := paths.audio(role) / "audio.json").exists():
            hashes = {piece["source_sha256"] for piece in read_json(record)["pieces"]}
            yield "prepared audio", record.parent, [{"sha256": digest} for digest in hashes]
    if (record := paths.preprocessed_db / "dataset.json").exists():
        yield "dataset", record.parent, read_json(record)["sources"]
    yield from _models(paths)


def _models(paths: InstrumentPaths) -> Iterator[tuple[str, Path, list[dict[str, Any]]]]:
    trained: dict[str, list[dict[str, Any]]] = {}
    for record in sorted(paths.models.glob("trainings/*/training.json")):
        training = read_json(record)
        trained[training["id"]] = training["dataset"]["sources"]
        for checkpoint in training["checkpoints"]:
            place = record.parent / "checkpoints" / checkpoint["file"]
            yield "checkpoint", place, training["dataset"]["sources"]
    for record in sorted(paths.exports.glob("*.json")):
        export = read_json(record)
        yield "export", paths.exports / export["file"], trained.get(export["training"], [])
    for folder in delivered_folders(paths):
        yield "delivery", folder, _delivered_sources(folder)


def _delivered_sources(folder: Path) -> list[dict[str, Any]]:
    try:
        sources: list[dict[str, Any]] = read_json(folder / METADATA)["lineage"]["sources"]
    except DAMAGED as error:
        raise InputError(
            f"{folder / METADATA} is damaged, and may hold the source: look into its zip, or move"
            " the folder away."
        ) from error
    return sources
