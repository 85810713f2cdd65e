"""Recordings that nobody here made, from two packages of Debian's; they are fetched, not kept here.

``timgm6mb-soundfont`` holds single notes of real instruments, each with its key; ``minetest-data``
recorded fire. Their licences ask for attribution and share-alike: they stay out of the repository.
"""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

PACKAGES = ("timgm6mb-soundfont", "minetest-data")
INSTRUMENTS = ("Oboe", "Flute", "FRHORN", "FrenchHorn", "ensstrings")
_HEADER = struct.Struct("<20sIIIIIBbHH")  # of a sample, after the SoundFont 2 specification, 7.10
_LEAST_SECONDS = 0.35


def fetch(folder: Path) -> None:
    """Fill a folder with ``musical/{name}-{key}.wav`` and ``nonmusical/*.ogg``."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, packages], check=True)
    (folder / "musical").mkdir()
    (font,) = packages.rglob("TimGM6mb.sf2")
    for name, key, rate, audio in notes(font.read_bytes()):
        soundfile.write(folder / "musical" / f"{name}-{key}.wav", audio, rate)
    (folder / "nonmusical").mkdir()
    for file in packages.rglob("fire_*.ogg"):
        shutil.copy(file, folder / "nonmusical")
    shutil.rmtree(packages)


def notes(font: bytes) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Yield name, MIDI key, sample rate and samples (int16) of single notes in a SoundFont."""
    samples, headers = chunk(font, b"smpl"), chunk(font, b"shdr")
    audio = np.frombuffer(samples, "<i2")
    for name, start, end, _, _, rate, key, *_ in _HEADER.iter_unpack(headers):
        text = name.split(b"\0")[0].decode("ascii", "ignore")
        wanted = any(instrument in text for instrument in INSTRUMENTS)
        if wanted and "Pan" not in text and end - start > _LEAST_SECONDS * rate:
            yield text.replace(" ", "_"), key, rate, audio[start:end]


def chunk(font: bytes, name: bytes) -> bytes:
    start = font.index(name) + 8
    return font[start : start + int.from_bytes(font[start - 4 : start], "little")]
