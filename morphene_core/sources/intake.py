"""Taking files into the folder of a role: copied, linked, or found to be there."""

import errno
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path, PurePosixPath

from morphene_core.audio.stream import regular_file
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import atomic_file, sha256
from morphene_core.progress import Progress, Report
from morphene_core.sources.listing import (
    is_folder,
    is_text,
    megabytes,
    printable,
    source_paths,
)
from morphene_core.sources.manifest import Manifest


class Intake:
    """Takes files into a role's folder, for one source.

    Attributes:
        taken: hashes of the files that are new, by their paths in the folder.
        moved: paths that registered files had before, by those that they were found under now.
        known: paths of registered files, by the given ones that have the same content.
        refused: reasons why files could not be taken, by the given ones.
    """

    def __init__(self, folder: Path, manifest: Manifest, source: str, link: bool) -> None:
        """Prepare to take files.

        Args:
            folder: of the role.
            manifest: what is registered there.
            source: name of the source that the files are for.
            link: link the files in place of copying them.
        """
        self.taken: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.known: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._folder, self._source, self._link = folder, source, link
        registered = [(file, source.name) for source in manifest.source for file in source.files]
        self._holders = {file.path: name for file, name in registered}
        self._owned = {file.sha256: file.path for file, _ in registered}

    def take(self, recordings: Sequence[Path], report: Report) -> None:
        """Take files and the files in folders; what cannot be taken does not stop the others.

        Raises:
            InputError: there are no files, or there is no space left.
            MorpheneError: the folder cannot be written to.
        """
        files = [pair for path in recordings for pair in self._files_of(path)]
        if recordings and not files:
            raise InputError(
                f"{recordings[0]} holds no files. Name files, or folders that hold some."
            )
        sizes = [megabytes(origin) for origin, _ in files]
        progress = Progress("Taking in recordings", sum(sizes), report, "MB")
        for (origin, place), done in zip(files, accumulate(sizes), strict=True):
            shown = printable(str(origin))
            try:
                self._take(origin, place)
            except OSError as error:
                self.refused[shown] = explain(error)
            progress.advance(done, shown)

    def _files_of(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Give the files that a path stands for, and their places in the folder.

        What lies in the folder already stays where it is.
        """
        folder = self._folder
        inside = _place_inside(folder, path)
        top = PurePosixPath(folder_name(self._source))
        if not is_folder(path):
            yield path, (top / path.name if inside is None else inside).as_posix()
            return
        top = top / path.resolve().name if inside is None else inside
        around = inside is None and folder.resolve().is_relative_to(path.resolve())
        for below in source_paths(path):
            found = _place_inside(folder, path / below) if around else None
            yield path / below, (found or top / below).as_posix()

    def _take(self, origin: Path, place: str) -> None:
        digest = _digest(origin, place)
        if digest not in self._owned:
            path = self._bring(origin, place, digest)
            self._owned[digest], self.taken[path] = path, digest
            return
        self.known[printable(str(origin))] = known = self._owned[digest]
        if os.path.lexists(self._folder / known):
            return
        if _lies_at(origin, self._folder / place):
            self.moved[place], self._owned[digest] = known, place
        else:
            self._put(origin, self._folder / known)

    def _bring(self, origin: Path, place: str, digest: str) -> str:
        """Copy or link a file to its place, unless it is there; return the path that it has."""
        target = self._folder / place
        if _lies_at(origin, target):
            if (holder := self._holders.get(place, self._source)) != self._source:
                text = f"has changed, and belongs to {holder!r}: add it to that"
                raise OSError(errno.EEXIST, text)
            return place
        if place in self._holders or (os.path.lexists(target) and not _holds(target, digest)):
            # Another take of the same name: beside it, under a name of its own.
            target = target.with_name(f"{target.stem}-{digest[:8]}{target.suffix}")
        if not os.path.lexists(target):
            self._put(origin, target)
        return target.relative_to(self._folder).as_posix()

    def _put(self, origin: Path, target: Path) -> None:
        """Copy or link a file.

        Raises:
            MorpheneError: nothing can be written.
            OSError: this file cannot be copied.
        """
        try:
            if self._link:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(origin.resolve())
                return
            with atomic_file(target) as temporary:
                shutil.copyfile(origin, temporary)
                shutil.copystat(origin, temporary)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG or not origin.exists():
                raise
            raise MorpheneError(
                f"{printable(str(target))} cannot be written: {error.strerror}. Files before it"
                " are there; the same command goes on from them."
            ) from error


def folder_name(name: str) -> str:
    """Return a source's name as a folder is named: plain letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")[:60] or "source"


def _place_inside(folder: Path, path: Path) -> PurePosixPath | None:
    # Not resolved to the end: a link in the folder is a file of it, wherever it leads.
    named = path.name not in ("", "..")
    absolute = path.parent.resolve() / path.name if named else path.resolve()
    try:
        return PurePosixPath(absolute.relative_to(folder.resolve()).as_posix())
    except ValueError:
        return None


def _digest(origin: Path, place: str) -> str:
    """Return a file's hash, without waiting for what is no regular file.

    Raises:
        OSError: it cannot be read, or its name cannot be written down.
    """
    if not is_text(place):
        raise OSError(errno.EILSEQ, "its name is no valid UTF-8: rename it")
    if is_folder(origin):  # which could not be listed
        raise OSError(errno.EACCES, "")
    with regular_file(origin):
        return sha256(origin)


def _lies_at(origin: Path, target: Path) -> bool:
    return origin.absolute() == target.absolute() or (
        origin.parent.resolve() / origin.name == target.parent.resolve() / target.name
    )


def _holds(path: Path, digest: str) -> bool:
    try:
        return path.is_file() and sha256(path) == digest
    except OSError:
        return False


_REASONS = {
    errno.ENOENT: "is missing, or a link to a file that does not exist",
    errno.EACCES: "may not be read by this user: chmod u+r (for folders u+rx)",
    errno.EPERM: "may not be read by this user: chmod u+r (for folders u+rx)",
    errno.ELOOP: "is a link that leads to itself: remove it",
    errno.EINVAL: "is not a regular file: put the recording itself there",
    errno.ENAMETOOLONG: "its name is too long: shorten it",
}


def explain(error: OSError) -> str:
    """Return what keeps a file from being taken, and the remedy."""
    return _REASONS.get(error.errno or 0, str(error.strerror))
