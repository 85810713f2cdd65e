"""``preprocessed_db``: the dataset that RAVE trains on, in the format of ``rave preprocess``."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import lmdb
import numpy as np
import numpy.typing as npt
import soundfile
import yaml
from udls.generated import AudioExample

from morphene_core.audio.prepared import PreparedAudio
from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.dataset import DatasetRecord, dataset_version, source_list, write_record
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder
from morphene_core.home import Role
from morphene_core.progress import Progress, Report, silent
from morphene_core.sources.register import SourceRegister

_SCALE = 2**15 - 1  # RAVE's dataset divides by it
_BLOCK = 1 << 20

Samples = npt.NDArray[np.int16]


def build_dataset(
    audio: Mapping[Role, PreparedAudio],
    registers: Mapping[Role, SourceRegister],
    folder: Path,
    n_signal: int,
    report: Report = silent,
) -> DatasetRecord:
    """Write the training audio of all sources as a RAVE dataset, complete or not at all.

    ``rave preprocess`` cuts each file into entries of ``2 * n_signal`` samples and drops what is
    left at its end, so that short files vanish. Here the pieces of a source follow one another as
    one stream (each is faded at its ends), and its last entry reaches back into the one before:
    every sample is in the dataset, and nothing is padded with a silence that the model would learn.

    Args:
        audio: prepared audio by role, mono at 48 kHz.
        registers: the raw files that it was made from, for the record.
        folder: the dataset's.
        n_signal: samples of a training example; RAVE crops it at random from an entry.
        report: takes progress.

    Raises:
        InputError: a source has less audio than one entry.
    """
    seconds = {role: source.training_seconds for role, source in audio.items()}
    total = sum(seconds.values())
    progress = Progress("writing the dataset", total, report, "s")
    length, entries = 2 * n_signal, 0
    with atomic_folder(folder) as temporary:
        map_size = int(total * SAMPLE_RATE * 2 * 1.5) + (64 << 20)
        with lmdb.open(str(temporary), map_size=map_size) as database:
            for samples in _all_entries(audio, length):
                with database.begin(write=True) as transaction:
                    transaction.put(f"{entries:08d}".encode(), serialize(samples))
                entries += 1
                progress.advance(min(total, entries * length / SAMPLE_RATE))
        _write_metadata(temporary, entries * length / SAMPLE_RATE)
        record = DatasetRecord(
            version=dataset_version(audio, n_signal),
            n_signal=n_signal,
            entries=entries,
            seconds={role: round(value, 3) for role, value in seconds.items()},
            sources=source_list(registers),
        )
        write_record(temporary, record)
    return record


def _blocks(files: Iterable[Path]) -> Iterator[Samples]:
    for file in files:
        for block in soundfile.blocks(file, _BLOCK, dtype="float64"):
            yield np.clip(np.rint(block * _SCALE), -_SCALE - 1, _SCALE).astype(np.int16)


def _entries(blocks: Iterable[Samples], length: int) -> Iterator[Samples]:
    """Cut a stream into entries; the last one is filled up with what came before it."""
    rest = np.empty(0, np.int16)
    last = rest
    for block in blocks:
        rest = np.concatenate([rest, block])
        while rest.size >= length:
            last, rest = rest[:length], rest[length:]
            yield last
    if rest.size and last.size:
        yield np.concatenate([last, rest])[-length:]


def _all_entries(audio: Mapping[Role, PreparedAudio], length: int) -> Iterator[Samples]:
    for source in audio.values():
        empty = True
        for entry in _entries(_blocks(source.training), length):
            empty = False
            yield entry
        if empty:
            raise InputError(
                f"{source.folder} holds {source.training_seconds:.1f} s of training audio; one"
                f" entry of the dataset takes {length / SAMPLE_RATE:.1f} s. Add recordings."
            )


def _write_metadata(folder: Path, seconds: float) -> None:
    metadata = {"lazy": False, "channels": 1, "n_seconds": seconds, "sr": SAMPLE_RATE}
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")


def serialize(samples: Samples) -> bytes:
    """Return samples, shape (samples,), as `rave preprocess` stores an entry of the database."""
    data = samples.tobytes()
    buffer = AudioExample.AudioBuffer(
        # Bytes, not samples: what `rave preprocess` writes here.
        shape=(1, len(data)),
        sampling_rate=SAMPLE_RATE,
        data=data,
        precision=AudioExample.Precision.INT16,
    )
    return bytes(AudioExample(buffers={"waveform": buffer}).SerializeToString())
