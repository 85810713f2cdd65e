"""The zip of a delivery: the same bytes from the same files, and unpacked without trusting it."""

import shutil
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from morphene_core.delivery.litter import MAC_FOLDER, is_litter

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format has
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_LARGEST_BYTES = 8 << 30
_MOST_FILES = 1000


def write_archive(path: Path, folder: Path, names: Sequence[str], top: str) -> None:
    """Write files of a folder into a zip, under a folder ``top``.

    Nothing of the machine, the time or the compression library is in it: the files are stored as
    they are (models hardly compress), in the order of their names.

    Args:
        path: the zip.
        folder: that the files are in.
        names: POSIX, below the folder.
        top: name of the folder in the zip.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names):
            entry = zipfile.ZipInfo(f"{top}/{name}", _DATE)
            entry.external_attr, entry.create_system = _MODE << 16, _UNIX
            entry.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)


def archive_faults(archive: zipfile.ZipFile) -> list[str]:
    """Return why a zip must not be unpacked, a line for each entry; nothing if it may be.

    All of a delivery lies below one folder, so that nothing is written beside it.
    """
    entries = archive.infolist()
    if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _LARGEST_BYTES:
        return [f"{len(entries)} entries, or more than {_LARGEST_BYTES >> 30} GiB: no delivery"]
    names = [entry.filename for entry in entries]
    faults = [f"{name!r} stands in it twice" for name in set(names) if names.count(name) > 1]
    return faults + [
        f"{e.filename!r} leads out of it, or is no file" for e in entries if not _safe(e)
    ]


def unpack(archive: zipfile.ZipFile, folder: Path) -> Path:
    """Unpack a zip in which `archive_faults` found nothing; return the folder with the files.

    Raises:
        OSError: the zip cannot be read, or the folder not be written.
        zipfile.BadZipFile: it is damaged; zlib, lzma and zipfile raise other errors as well.
    """
    for entry in archive.infolist():
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_dir():
            target.mkdir(exist_ok=True)
            continue
        with archive.open(entry) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    tops = [top for top in folder.iterdir() if top.name != MAC_FOLDER and not is_litter(top)]
    return tops[0] if len(tops) == 1 and tops[0].is_dir() else folder


def _safe(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return (
        not path.is_absolute()
        and ".." not in path.parts
        and not any(sign in entry.filename for sign in "\\:\0")
        and kind in (0, stat.S_IFREG, stat.S_IFDIR)
        and not entry.flag_bits & 1  # encrypted
    )
