"""The versions of an instrument's delivery: ``deliveries/1``, ``2``, ... and the link ``final``."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from morphene_core.errors import InputError
from morphene_core.files import locked, point_link, sweep_folders, sync, take_place
from morphene_core.home import InstrumentPaths

METADATA = "metadata.json"


def archive_name(metadata: Mapping[str, Any]) -> str:
    """Return the name of a delivery's zip."""
    return f"{metadata['instrument']['slug']}-v{metadata['delivery']['version']}.zip"


def delivered_versions(paths: InstrumentPaths) -> list[int]:
    """Return the numbers of the deliveries that there are, the oldest first.

    Version 0 is what an older Morphene delivered.
    """
    folders = (path.parent for path in paths.deliveries.glob(f"*/{METADATA}"))
    return sorted(int(path.name) for path in folders if path.name.isdecimal())


def version_folder(paths: InstrumentPaths, version: int) -> Path:
    """Return the folder of a delivery."""
    return paths.deliveries / str(version)


def next_version(paths: InstrumentPaths) -> int:
    """Return a number that no delivery has, nothing else in their folder, nor one that is lost.

    ``final`` tells the number of the newest after it was deleted.
    """
    lost = paths.final.readlink().name if paths.final.is_symlink() else ""
    return max([0, *_numbers(paths), int(lost) if lost.isdecimal() else 0]) + 1


def delivery_folders(paths: InstrumentPaths) -> list[Path]:
    """Return the folders of all deliveries, whole or not, the oldest first.

    One by an older Morphene, which has yet to get its number, is ``final`` itself.
    """
    folders = [version_folder(paths, number) for number in _numbers(paths)]
    of_old = paths.final.is_dir() and not paths.final.is_symlink()
    return [paths.final, *folders] if of_old else folders


def _numbers(paths: InstrumentPaths) -> list[int]:
    names = (path.name for path in paths.deliveries.glob("*"))
    return sorted(int(name) for name in names if name.isdecimal())


@contextmanager
def delivering(paths: InstrumentPaths) -> Iterator[None]:
    """Hold the instrument's deliveries: nobody else delivers it meanwhile.

    What a killed delivery left is swept first, and a delivery of an older Morphene takes its
    place among the versions.

    Raises:
        InputError: another process delivers it.
    """
    paths.deliveries.mkdir(parents=True, exist_ok=True)
    busy = f"{paths.slug} is being delivered by another process. Wait for that, then try again."
    with locked(paths.models / ".deliveries.lock", busy):
        sweep_folders(paths.deliveries)
        for path in paths.models.glob(".final.*.partial"):
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
        _adopt(paths)
        yield


def make_final(paths: InstrumentPaths, version: int) -> None:
    """Point ``final`` to a version, in one step. It is on the disk when this returns.

    Raises:
        InputError: a folder with files of somebody's has the name.
    """
    target = version_folder(paths, version)
    if paths.final.is_symlink() and paths.final.resolve() == target.resolve():
        return
    sync(paths.deliveries)
    point_link(paths.final, target)
    sync(paths.models)


def _adopt(paths: InstrumentPaths) -> None:
    """Move a folder ``final`` of an older Morphene to ``deliveries/0`` and put the link in place.

    The link takes the folder's place in one step, so that ``final`` is whole at any moment.
    """
    if paths.final.is_symlink() or not (paths.final / METADATA).exists():
        return
    first = version_folder(paths, 0)
    if not first.exists():
        copy = paths.deliveries / f".0.{os.getpid()}.partial"
        shutil.copytree(paths.final, copy, copy_function=_link_or_copy)
        copy.rename(first)
    elif (first / METADATA).read_bytes() != (paths.final / METADATA).read_bytes():
        raise InputError(f"{paths.final} is no link, and {first} is there. Move one of them away.")
    link = paths.models / f".final.{os.getpid()}.partial"
    link.symlink_to(os.path.relpath(first, paths.models))
    take_place(link, paths.final)
    shutil.rmtree(link)  # the folder has this name now


def _link_or_copy(source: str, target: str) -> None:
    """Give a file a second name; where the file system has no such thing, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
