"""``preprocessed_db``: the dataset that RAVE trains on, in the format of ``rave preprocess``."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import numpy.typing as npt
import soundfile
import yaml
from udls.generated import AudioExample

from morphene_core.audio.prepare import PreparedAudio
from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder
from morphene_core.progress import Progress, Report, silent

_SCALE = 2**15 - 1  # RAVE's dataset divides by it
_BLOCK = 1 << 20

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class DatasetSize:
    """What was written.

    Attributes:
        entries: database entries, each of ``2 * n_signal`` samples.
        seconds: audio that went in.
    """

    entries: int
    seconds: float


def build_dataset(
    sources: Iterable[PreparedAudio], folder: Path, n_signal: int, report: Report = silent
) -> dict[str, Any]:
    """Write the training audio of all sources as a RAVE dataset, complete or not at all.

    ``rave preprocess`` cuts each file into entries of ``2 * n_signal`` samples and drops what is
    left at its end, so that short files vanish. Here the pieces of a source follow one another as
    one stream (each is faded at its ends), and its last entry reaches back into the one before:
    every sample is in the dataset, and nothing is padded with a silence that the model would learn.

    Args:
        sources: prepared audio, mono at 48 kHz.
        folder: the dataset's.
        n_signal: samples of a training example; RAVE crops it at random from an entry.
        report: takes progress.

    Returns:
        The fields of `DatasetSize`.

    Raises:
        InputError: a source has less audio than one entry.
    """
    sources = list(sources)
    total = sum(source.training_seconds for source in sources)
    progress = Progress("writing the dataset", total, report, "s")
    length, entries = 2 * n_signal, 0
    with atomic_folder(folder) as temporary:
        map_size = int(total * SAMPLE_RATE * 2 * 1.5) + (64 << 20)
        with lmdb.open(str(temporary), map_size=map_size) as database:
            for source in sources:
                stream = _entries(_blocks(source.training), length)
                for samples in _at_least_one(stream, source, length):
                    with database.begin(write=True) as transaction:
                        transaction.put(f"{entries:08d}".encode(), _serialize(samples))
                    entries += 1
                    progress.advance(min(total, entries * length / SAMPLE_RATE))
        metadata = {
            "lazy": False,
            "channels": 1,
            "n_seconds": entries * length / SAMPLE_RATE,
            "sr": SAMPLE_RATE,
        }
        (temporary / "metadata.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")
    return asdict(DatasetSize(entries, total))


def read_dataset(folder: Path) -> Iterator[Samples]:
    """Yield the entries of a RAVE dataset, int16 arrays of shape (samples,), in their order."""
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as database,
        database.begin() as transaction,
    ):
        for _, value in transaction.cursor():
            example = AudioExample.FromString(value)
            yield np.frombuffer(example.buffers["waveform"].data, dtype=np.int16)


def _blocks(files: Iterable[Path]) -> Iterator[Samples]:
    for file in files:
        for block in soundfile.blocks(file, _BLOCK, dtype="float32"):
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


def _at_least_one(
    entries: Iterator[Samples], source: PreparedAudio, length: int
) -> Iterator[Samples]:
    count = 0
    for count, entry in enumerate(entries, start=1):
        yield entry
    if not count:
        raise InputError(
            f"{source.folder} holds {source.training_seconds:.1f} s of training audio; one entry of"
            f" the dataset takes {length / SAMPLE_RATE:.1f} s. Add recordings."
        )


def _serialize(samples: Samples) -> bytes:
    data = samples.tobytes()
    buffer = AudioExample.AudioBuffer(
        # Bytes, not samples: what `rave preprocess` writes here.
        shape=(1, len(data)),
        sampling_rate=SAMPLE_RATE,
        data=data,
        precision=AudioExample.Precision.INT16,
    )
    return bytes(AudioExample(buffers={"waveform": buffer}).SerializeToString())
