"""What desktops leave in folders and zips that somebody has looked into or packed."""

from pathlib import PurePath

MAC_FOLDER = "__MACOSX"
"""Folder in which a Mac packs what it keeps beside files, each under ``._`` and its name."""

_NAMES = {".DS_Store", "Thumbs.db", "desktop.ini"}
_BESIDE = "._"


def is_litter(path: PurePath) -> bool:
    """Whether a file is of a desktop's and not of a delivery's, by its name."""
    return path.name in _NAMES or path.name.startswith(_BESIDE)
