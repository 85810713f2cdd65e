"""Where a source has gone: what a takedown would reach."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from morphene_core.delivery.versions import METADATA, delivery_folders
from morphene_core.errors import DAMAGED, InputError
from morphene_core.files import read_json
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.sources.manifest import Source, read_manifest

_T = TypeVar("_T")

_TRAINING = "training.json"
_REMEDY = "Put it back from a copy (a delivery's zip has one), or take this for what holds it."


@dataclass(frozen=True)
class Use:
    """Something that a source is part of, or may be.

    Attributes:
        instrument: slug.
        kind: "recordings", "removed recordings", "prepared audio", "dataset", "checkpoint",
            "export" or "delivery".
        what: which one: a file or folder, relative to the project folder.
        files: how many of the source's files went into it; None if that cannot be told.
        doubt: why it cannot, with the remedy; empty if it can.
    """

    instrument: str
    kind: str
    what: str
    files: int | None
    doubt: str = ""


class _File(NamedTuple):
    """A source file, as a record names it; both in lower case."""

    sha256: str
    source: str


class _Holding(NamedTuple):
    """Whatever may contain source files: its kind, where it is, the list of them, or the doubt."""

    kind: str
    place: Path
    files: list[_File]
    doubt: str = ""


def where_used(home: Home, name: str) -> list[Use]:
    """Return everything that contains a source, by its name (in any case) or its files' contents.

    Datasets, trainings and deliveries list their source files with their hashes, as they were when
    they were made: what is made of a source is found after it was removed or renamed as well. What
    has lost its list, or a damaged one, is returned, too: it may contain the source.

    Raises:
        InputError: nothing of that name is or was there.
    """
    known, hashes = _known(home, name)
    uses = []
    for paths in _instruments(home):
        for kind, place, files, doubt in _holdings(paths):
            what = str(place.relative_to(home.path))
            count = sum(f.sha256 in hashes or f.source == name.casefold() for f in files)
            if doubt:
                uses.append(Use(paths.slug, kind, what, None, f"{doubt}. {_REMEDY}"))
            elif count:
                uses.append(Use(paths.slug, kind, what, count))
    if not uses and not known:
        raise InputError(
            f"No source {name!r} is or was in {home.path}. `morphene sources status` with an"
            " instrument lists its sources."
        )
    return uses


def _known(home: Home, name: str) -> tuple[bool, set[str]]:
    """Return whether a manifest has the source, of any instrument, and the hashes of its files."""
    registered: list[Source] = []
    for paths in _instruments(home):
        for _, _, manifest in _manifests(paths):
            with suppress(InputError):  # it is named among what may hold the source
                registered += read_manifest(manifest).source
    found = [source for source in registered if source.name.casefold() == name.casefold()]
    return bool(found), {file.sha256 for source in found for file in source.files}


def _instruments(home: Home) -> list[InstrumentPaths]:
    """Return every instrument that has anything in the project folder, of the catalogue or not."""
    tops = ("sources", "audio", "datasets", "models")
    slugs = {path.name for top in tops for path in home.path.glob(f"{top}/*") if path.is_dir()}
    return [home.instrument(slug) for slug in sorted(slugs) if not slug.startswith(".")]


def _manifests(paths: InstrumentPaths) -> Iterator[tuple[str, Path, Path]]:
    """Give each manifest with the kind and place of its sources, and those of what was removed."""
    for role in ROLES:
        yield "recordings", paths.sources(role), paths.manifest(role)
        for manifest in sorted(paths.removed.glob(f"*/{role}.toml")):
            yield "removed recordings", manifest.parent, manifest


def _holdings(paths: InstrumentPaths) -> Iterator[_Holding]:
    for kind, place, manifest in _manifests(paths):
        yield _holding(kind, place, partial(_registered, manifest))
    for role in ROLES:
        yield from _folder("prepared audio", paths.audio(role), "audio.json", _of_audio)
    yield from _folder("dataset", paths.preprocessed_db, "dataset.json", _of_dataset)
    for folder in sorted(paths.trainings.glob("[!.]*/")):
        yield from _checkpoints(folder)
    files = [path for end in ("ts", "json") for path in paths.exports.glob(f"[!.]*.{end}")]
    for model in sorted({path.with_suffix(".ts") for path in files}):
        yield _holding("export", model, partial(_exported, paths, model.with_suffix(".json")))
    for folder in delivery_folders(paths):
        yield from _folder("delivery", folder, METADATA, _of_delivery)


def _holding(kind: str, place: Path, read: Callable[[], list[_File]]) -> _Holding:
    try:
        return _Holding(kind, place, read())
    except InputError as error:
        return _Holding(kind, place, [], str(error).removesuffix("."))


def _folder(
    kind: str, folder: Path, record: str, listed: Callable[[Any], list[_File]]
) -> Iterator[_Holding]:
    """Give a folder, by the record in it, if there is anything in it."""
    if folder.is_dir() and any(folder.iterdir()):
        yield _holding(kind, folder, partial(_read, folder / record, listed))


def _checkpoints(folder: Path) -> Iterator[_Holding]:
    """Give each checkpoint of a training; where its record is lost, the training as a whole."""
    for training in _folder("checkpoint", folder, _TRAINING, _of_training):
        checkpoints = sorted((folder / "checkpoints").glob("[!.]*.pt"))
        places = [folder] if training.doubt else checkpoints
        yield from (training._replace(place=place) for place in places)


def _exported(paths: InstrumentPaths, record: Path) -> list[_File]:
    training = _read(record, lambda export: paths.training(export["training"]))
    return _read(training / _TRAINING, _of_training)


def _registered(manifest: Path) -> list[_File]:
    sources = read_manifest(manifest).source
    return [_File(file.sha256, s.name.casefold()) for s in sources for file in s.files]


def _of_audio(record: Any) -> list[_File]:
    return [_File(digest, "") for digest in {piece["source_sha256"] for piece in record["pieces"]}]


def _of_dataset(record: Any) -> list[_File]:
    return _files(record["sources"])


def _of_training(record: Any) -> list[_File]:
    return _files(record["dataset"]["sources"])


def _of_delivery(record: Any) -> list[_File]:
    return _files(record["lineage"]["sources"])


def _files(listed: Iterable[Mapping[str, Any]]) -> list[_File]:
    return [_File(file["sha256"].lower(), file.get("source", "").casefold()) for file in listed]


def _read(record: Path, taken: Callable[[Any], _T]) -> _T:
    """Return what is taken from a record.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return taken(read_json(record))
    except FileNotFoundError as error:
        raise InputError(f"{record} is missing.") from error
    except DAMAGED as error:
        raise InputError(f"{record} is damaged.") from error
