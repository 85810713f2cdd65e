from collections.abc import Iterator
from pathlib import Path

import lmdb
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from udls.generated import AudioExample

from morphene_core.audio.prepared import AudioSettings, Piece, PreparedAudio
from morphene_core.audio.wav import SAMPLE_RATE, read_mono, write_wav
from morphene_core.errors import InputError
from morphene_core.home import Role
from morphene_core.rave.dataset import build_dataset

N_SIGNAL = 2048


def prepared(folder: Path, lengths: list[int], seed: int) -> PreparedAudio:
    """Make prepared audio of pieces of these lengths (noise), as `prepare_audio` would."""
    noise = np.random.default_rng(seed)
    pieces = []
    for index, frames in enumerate(lengths):
        name = f"training/{index:04d}.wav"
        write_wav(folder / name, noise.uniform(-1, 1, frames).astype(np.float32))
        spans = ((0.0, frames / SAMPLE_RATE),)
        pieces.append(Piece(name, "training", "x.wav", "0", spans, frames, f"{seed}-{index}"))
    return PreparedAudio(folder, "0", AudioSettings(), (), tuple(pieces))


def stream_of(audio: PreparedAudio) -> np.ndarray:
    samples = np.concatenate([read_mono(path) for path in audio.training]).astype(np.float64)
    return np.round(samples * 32767).astype(np.int16)


def read_dataset(folder: Path) -> Iterator[np.ndarray]:
    """Yield the entries of a dataset in their order, as RAVE reads them."""
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as database,
        database.begin() as transaction,
    ):
        for _, value in transaction.cursor():
            example = AudioExample.FromString(value)
            yield np.frombuffer(example.buffers["waveform"].data, dtype=np.int16)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=5).filter(lambda x: sum(x) >= 2 * N_SIGNAL),
    st.lists(st.integers(1, 9000), min_size=1, max_size=5).filter(lambda x: sum(x) >= 2 * N_SIGNAL),
)
def test_every_sample_of_every_piece_is_in_the_dataset(
    tmp_path_factory: pytest.TempPathFactory, musical: list[int], nonmusical: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("dataset")
    audio: dict[Role, PreparedAudio] = {
        "musical": prepared(folder / "m", musical, 1),
        "nonmusical": prepared(folder / "n", nonmusical, 2),
    }
    build_dataset(audio, {}, folder / "db", N_SIGNAL)
    entries = list(read_dataset(folder / "db"))
    assert {len(entry) for entry in entries} == {2 * N_SIGNAL}
    for source in audio.values():
        stream = stream_of(source)
        count = -(-len(stream) // (2 * N_SIGNAL))
        own, entries = entries[:count], entries[count:]
        whole, rest = divmod(len(stream), 2 * N_SIGNAL)
        decoded = np.concatenate([*own[:whole], *([own[-1][-rest:]] if rest else [])])
        np.testing.assert_array_equal(decoded, stream)
        np.testing.assert_array_equal(own[-1], stream[-2 * N_SIGNAL :])
    assert entries == []


def test_raves_own_dataset_class_reads_it(tmp_path: Path) -> None:
    import rave.dataset

    audio = prepared(tmp_path / "m", [10_000, 300], 1)
    record = build_dataset({"musical": audio}, {}, tmp_path / "db", N_SIGNAL)
    metadata = yaml.safe_load((tmp_path / "db" / "metadata.yaml").read_text())
    assert metadata["sr"] == 48_000
    assert (metadata["channels"], metadata["lazy"]) == (1, False)
    dataset = rave.dataset.AudioDataset(str(tmp_path / "db"))
    assert len(dataset) == record.entries == 3
    stream = stream_of(audio)
    np.testing.assert_allclose(dataset[0][0] * 32767, stream[: 2 * N_SIGNAL], atol=1e-2)
    dataset.env.close()
    example = rave.dataset.get_dataset(str(tmp_path / "db"), 48_000, N_SIGNAL)[0]
    assert example.shape == (1, N_SIGNAL)
    assert example.dtype == np.float32


def test_too_little_audio_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    audio = prepared(tmp_path / "m", [1000], 1)
    with pytest.raises(InputError, match=r"0\.0 s of training audio.*takes 0\.1 s"):
        build_dataset({"musical": audio}, {}, tmp_path / "db", N_SIGNAL)
    assert {path.name for path in tmp_path.iterdir()} == {"m"}
