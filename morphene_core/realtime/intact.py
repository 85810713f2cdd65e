"""Whether a .ts is all that was saved, before anything in it is run. Needs no torch."""

import zipfile
from pathlib import Path

from morphene_core.errors import InputError


def require_intact(path: Path) -> None:
    """Compare every part of an archive with its checksum, which torch does not.

    Raises:
        InputError: the file is missing, empty, no archive, or a part of it is not what was saved.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file." if path.exists() else f"{path} does not exist.")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty.")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
        except Exception as error:  # zipfile, too, raises many kinds on a broken archive
            raise InputError(
                f"{path} is no TorchScript model (.ts), or only a part of one: {error}"
            ) from error
    if damaged:
        raise InputError(f"{path} is damaged ({damaged}). Copy or export it again.")
