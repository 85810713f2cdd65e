"""Which files the listening room hands out: those that it knows by name, in the project folder.

Names are looked up among what there is: the renders of an audit, the recordings of a role. What is
found must lie in its folder, links followed. Only recordings may be links that lead elsewhere
(`morphene sources add --link`), if they are the files that were registered and read.
"""

import hashlib
import re
from pathlib import Path

from morphene_core.audits import RENDER_NAMES
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import get_instrument
from morphene_core.listening.answers import HttpError
from morphene_core.sections import SECTIONS
from morphene_core.sources.listing import is_text, source_paths
from morphene_core.sources.register import SourceFile, load_register
from morphene_core.training import TrainingFolder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


def instrument_paths(home: Home, slug: str) -> InstrumentPaths:
    """Return the paths of an instrument of the catalogue.

    Raises:
        HttpError: there is none; similar ones are named.
    """
    try:
        instrument = get_instrument(slug)
    except KeyError as error:
        raise HttpError(404, str(error.args[0])) from error
    if instrument.slug != slug:  # by its number, or in capitals
        raise HttpError(404, f"There is no instrument {slug!r}. Near: {instrument.slug}.")
    return home.instrument(slug)


def training_folder(paths: InstrumentPaths, training: str) -> TrainingFolder:
    """Return the folder of a training.

    Raises:
        HttpError: there is none.
    """
    folder = TrainingFolder(paths.trainings / training)
    if not _is_name(training) or not folder.exists:
        raise HttpError(404, f"{paths.slug} has no training {training[:80]!r}.")
    return folder


def render_file(home: Home, slug: str, training: str, step: int, name: str) -> Path:
    """Return a render of an audit.

    Raises:
        HttpError: there is none.
    """
    if name not in RENDER_NAMES:
        raise HttpError(404, f"An audit has no render {name[:80]!r}.")
    folder = training_folder(instrument_paths(home, slug), training)
    return _within(folder.audit_path(step), f"{name}.wav")


def reference_file(home: Home, slug: str, training: str, role: str) -> Path:
    """Return a reference of a training's audits.

    Raises:
        HttpError: there is none.
    """
    if role not in ROLES:
        raise HttpError(404, f"An audit has no reference {role[:80]!r}.")
    folder = training_folder(instrument_paths(home, slug), training)
    return _within(folder.audit / "references", f"{role}.wav")


def export_file(home: Home, slug: str, stem: str, name: str) -> Path:
    """Return a render of an exported .ts.

    Raises:
        HttpError: there is none.
    """
    if name not in SECTIONS or not _is_name(stem):
        raise HttpError(404, f"An export has no render {name[:80]!r}.")
    return _within(instrument_paths(home, slug).exports / stem, f"{name}.wav")


def source_file(home: Home, slug: str, role: str, file_id: str) -> Path:
    """Return a recording by its id.

    Raises:
        HttpError: there is none, or it is a link that leads out of the folder.
    """
    if role not in ROLES:
        raise HttpError(404, f"An instrument has no {role[:80]!r} recordings.")
    known: Role = "musical" if role == "musical" else "nonmusical"
    paths = instrument_paths(home, slug)
    folder = paths.sources(known)
    for path in source_paths(folder) if folder.is_dir() else []:
        if is_text(path) and source_id(path) == file_id:
            register = load_register(paths.register(known))
            files = register.files if register else ()
            if is_registered_link(folder, next((f for f in files if f.path == path), None)):
                return folder / path
            return _within(folder, path)
    raise HttpError(404, "This recording is not there any more. Reload the page.")


def source_id(path: str) -> str:
    """Return the id of a recording: a hash of its path, relative to the folder."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def is_registered_link(folder: Path, file: SourceFile | None) -> bool:
    """Whether a recording is a link whose file is still the one that was registered and read."""
    if file is None or not file.source or not (folder / file.path).is_symlink():
        return False
    try:
        status = (folder / file.path).stat()
    except OSError:
        return False
    examined = (file.examination.bytes, file.modified_ns)
    return bool(file.examination.sha256) and (status.st_size, status.st_mtime_ns) == examined


def is_inside(folder: Path, path: Path) -> bool:
    """Whether a file lies in a folder, links followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links that circle
        return False


def _within(folder: Path, name: str) -> Path:
    path = folder / name
    if not is_inside(folder, path):
        raise HttpError(
            403, f"{name} is a link that leads out of {folder.name}/. It is not played: copy it."
        )
    if not path.is_file():
        raise HttpError(404, f"{name} is missing in {folder}.")
    return path


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and ".." not in text
