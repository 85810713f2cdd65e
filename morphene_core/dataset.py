"""The record of a RAVE dataset: what it was made from. The dataset itself is RAVE's format."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from morphene_core.audio.prepared import PreparedAudio
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, write_json
from morphene_core.home import Role
from morphene_core.sources.register import SourceRegister, accepted

_RECORD = "dataset.json"


@dataclass(frozen=True)
class DatasetRecord:
    """What a dataset was made from.

    Attributes:
        version: hash of the prepared audio and of how it was cut.
        n_signal: samples of a training example; entries hold twice as many.
        entries: database entries.
        seconds: training audio of each role.
        sources: each raw file that went in, with its source's name, origin and licence.
    """

    version: str
    n_signal: int
    entries: int
    seconds: dict[str, float]
    sources: list[dict[str, Any]]


def dataset_version(audio: Mapping[Role, PreparedAudio], n_signal: int) -> str:
    """Return the version of the dataset that is made from prepared audio."""
    return combined_hash([*(a.data_version for a in audio.values()), str(n_signal)])


def source_list(registers: Mapping[Role, SourceRegister]) -> list[dict[str, Any]]:
    """Return every raw file that is used, for records that outlive the files."""
    return [
        {
            "role": role,
            "path": file.path,
            "sha256": file.examination.sha256,
            "format": file.examination.format,
            "sample_rate": file.examination.sample_rate,
            "channels": file.examination.channels,
            "frames": file.examination.frames,
            "source": source.name,
            "origin": source.origin,
            "licence": source.licence,
            "attribution": source.attribution,
        }
        for role, register in registers.items()
        for source in register.sources
        for file in accepted(register.of_source(source.name))
    ]


def write_record(folder: Path, record: DatasetRecord) -> None:
    """Write a dataset's record into its folder."""
    write_json(folder / _RECORD, asdict(record))


def read_record(folder: Path) -> DatasetRecord:
    """Return the record of a dataset.

    Raises:
        InputError: there is no dataset of ours.
    """
    path = folder / _RECORD
    if not path.exists():
        raise InputError(f"{folder} holds no dataset: materialize `preprocessed_db` first.")
    return DatasetRecord(**read_json(path))
