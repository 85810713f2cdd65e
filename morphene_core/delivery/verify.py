"""Whether a delivered folder, or its zip, is what was delivered."""

import json
import lzma
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from morphene_core.delivery.archive import archive_faults, unpack
from morphene_core.delivery.litter import is_litter
from morphene_core.delivery.model import model_of
from morphene_core.delivery.patches import patch_faults
from morphene_core.delivery.schema import FORMATS, schema_faults
from morphene_core.delivery.versions import METADATA, archive_name
from morphene_core.errors import InputError
from morphene_core.files import NO_SPACE, sha256

_LARGEST_METADATA = 32 << 20

_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)
"""What reading a damaged or foreign zip may raise."""


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return what ``metadata.json`` of a delivery holds.

    Raises:
        InputError: it is missing or no JSON object.
    """
    path = folder / METADATA
    if not _is_within(folder, METADATA):
        raise InputError(f"{folder} holds no delivery: {METADATA} is missing.")
    try:
        if path.stat().st_size > _LARGEST_METADATA:
            raise InputError(f"{path} is no delivery's: it has over {_LARGEST_METADATA >> 20} MiB.")
        metadata = _strict_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: get another copy, or deliver again.") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("files"), dict):
        raise InputError(f"{path} is no delivery's metadata: it lists no files.")
    return metadata


def _strict_json(text: str) -> Any:
    """Read JSON without what Python takes beyond the standard: NaN, halves of characters.

    Raises:
        ValueError: it is none.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    data = json.loads(text, parse_constant=refuse)
    json.dumps(data, ensure_ascii=False).encode()
    return data


def files_of(folder: Path) -> Iterator[Path]:
    """Give everything below a folder that is no folder, in the order of the names."""
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())


def folder_faults(folder: Path, zipped: bool = True) -> list[str]:
    """Return what is wrong with a delivered folder, a line each, without loading its model.

    Args:
        folder: with the delivery.
        zipped: whether its zip has to be in it, as in the project folder; what was unpacked from
            the zip is whole without. A zip that is there is always compared.

    Raises:
        InputError: the metadata cannot be read.
    """
    metadata = read_metadata(folder)
    if metadata.get("format") not in FORMATS:
        return [
            f"{METADATA} has the format {metadata.get('format')!r}, and this Morphene knows"
            f" {' and '.join(map(str, FORMATS))}: verify it with the Morphene that made it"
        ]
    if faults := schema_faults(metadata):
        return [f"{METADATA} breaks its schema at {fault}" for fault in faults]
    faults = _checksum_faults(folder, metadata) + _foreign(folder, metadata)
    if faults:
        return faults
    slug = metadata["instrument"]["slug"]
    faults = [f"patch: {fault}" for fault in patch_faults(folder, slug, model_of(metadata))]
    model = metadata["model"]
    if metadata["files"].get(model["file"], {}).get("sha256") != model["sha256"]:
        faults.append(f"{model['file']} is not the model that {METADATA} describes")
    there = (folder / archive_name(metadata)).exists()
    return faults + (_zip_faults(folder, metadata) if zipped or there else [])


def _checksum_faults(folder: Path, metadata: Mapping[str, Any]) -> list[str]:
    """Return which files are missing or not what their checksums say, a line each."""
    faults = []
    for name, expected in metadata["files"].items():
        if not _is_within(folder, name):
            faults.append(f"{name!r} is missing, or no file of this folder")
        elif sha256(folder / name) != expected["sha256"]:
            faults.append(f"{name} is not what was delivered (its checksum differs)")
    return faults


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give the folder of a delivery; a zip is unpacked for as long as the block takes.

    Raises:
        InputError: there is nothing, no zip that can be unpacked safely, no space left to unpack
            it, or no delivery in it.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path} does not exist. Name a delivered folder, or its zip.")
    with _scratch(path) as temporary:
        folder = _unpacked(path, temporary)
        try:
            yield folder
        except InputError as error:  # of the zip, which a person knows, and not of our folder
            raise InputError(str(error).replace(str(folder), str(path))) from error


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Give an empty folder to unpack a zip into, which goes with the block."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="morphene-verify-")
    except OSError as error:  # a full disk, too: tempfile tries its folders by writing to them
        raise _no_room(path, str(error.strerror)) from error
    with folder as name:
        yield Path(name)


def _unpacked(path: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(path) as archive:
            if faults := archive_faults(archive):
                raise InputError(f"{path} was not unpacked: {faults[0]}. It is not ours.")
            return unpack(archive, folder)
    except _BROKEN_ZIP as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise _no_room(path, f"{error.strerror}: {folder.parent}") from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} is no zip, or damaged ({reason}). Get another copy.") from error


def _no_room(path: Path, reason: str) -> InputError:
    return InputError(
        f"There is no room to unpack {path} ({reason}). Free disk space, or name a folder with"
        " room: TMPDIR=FOLDER morphene verify …"
    )


def _is_within(folder: Path, name: str) -> bool:
    """Whether a name is that of an ordinary file of the folder, and of nothing it points to."""
    if not name or name.startswith("/") or ".." in name.split("/"):
        return False
    try:
        kind = os.lstat(folder / name).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(kind) and (folder / name).resolve().is_relative_to(folder.resolve())


def _foreign(folder: Path, metadata: Mapping[str, Any]) -> list[str]:
    known = {*metadata["files"], METADATA, archive_name(metadata)}
    names = (path.relative_to(folder).as_posix() for path in files_of(folder))
    foreign = [name for name in names if name not in known and not is_litter(Path(name))]
    return [f"{name} does not belong to the delivery" for name in foreign]


def _zip_faults(folder: Path, metadata: Mapping[str, Any]) -> list[str]:
    """Compare the zip with the folder, file by file."""
    name = archive_name(metadata)
    if not _is_within(folder, name):
        return [f"{name} is missing"]
    top = metadata["instrument"]["slug"]
    expected = {f"{top}/{file}" for file in (*metadata["files"], METADATA)}
    try:
        with zipfile.ZipFile(folder / name) as archive:
            if set(archive.namelist()) != expected or len(archive.namelist()) != len(expected):
                return [f"{name} does not hold the same files as the folder"]
            return [
                f"{entry} in {name} differs from the file in the folder"
                for entry in sorted(expected)
                if not _same(archive, entry, folder / entry.removeprefix(f"{top}/"))
            ]
    except _BROKEN_ZIP as error:
        return [f"{name} is damaged ({error})"]


def _same(archive: zipfile.ZipFile, entry: str, path: Path) -> bool:
    if archive.getinfo(entry).file_size != path.stat().st_size:
        return False
    with archive.open(entry) as packed, path.open("rb") as file:
        while block := file.read(1 << 20):
            if packed.read(len(block)) != block:
                return False
        return not packed.read(1)
