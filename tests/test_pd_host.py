"""Playing through a real Pure Data, in which a patch stands in for nn~."""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from morphene_core.errors import InputError, MorpheneError
from morphene_core.final_model import Method
from morphene_core.realtime.pd import PdFiles, PureData, find_pd

BLOCK, RATE = 2048, 48_000
FORWARD = Method("forward", 1, 1, 1, 1)
DECODE = Method("decode", 2, 512, 1, 1)
LATE = 4096 + BLOCK - 64  # nn~'s buffers, of a method with one input and one output

STAND_IN = """#N canvas 0 0 450 300 12;
#X obj 10 10 inlet~ fwd;
#X obj 10 40 delwrite~ $0-past 200;
#X obj 10 70 delread~ $0-past {late};
#X obj 10 100 *~ 1;
#X obj 10 130 +~;
#X obj 10 160 expr~ if($v1 > 0.9 \\, log(-1) \\, $v1);
#X obj 10 190 outlet~;
#X obj 200 10 route set reload;
#X obj 200 40 route temperature;
#X msg 300 40 2;
#X obj 200 70 inlet~;
#X connect 0 0 1 0;
#X connect 0 1 7 0;
#X connect 2 0 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 6 0;
#X connect 7 0 8 0;
#X connect 7 1 9 0;
#X connect 8 0 4 1;
#X connect 9 0 3 1;
"""
"""As late as nn~; a temperature is added, a reload doubles, and what is above 0.9 is not finite."""


@pytest.fixture(scope="module")
def pd() -> Path:
    found = shutil.which("pd")
    assert found, "apt install puredata-core"
    return Path(found)


@pytest.fixture(scope="module")
def files(pd: Path, tmp_path_factory: pytest.TempPathFactory) -> PdFiles:
    folder = tmp_path_factory.mktemp("nn")
    (folder / "nn~.pd").write_text(STAND_IN.format(late=f"{1e3 * LATE / RATE:.6f}"))
    (folder / "model.ts").write_text("The patch does not look at it.")
    return PdFiles(pd, folder)


def player(files: PdFiles, temperature: float = 0.0) -> PureData:
    attributes = {"temperature": (temperature,)}
    return PureData(files, files.nn / "model.ts", BLOCK, RATE, attributes)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.4, 0.4, (channels, frames)).astype(np.float32)


def test_what_goes_in_comes_out_sample_by_sample(files: PdFiles) -> None:
    host, signal = player(files), noise(6 * BLOCK + 100)
    heard = host.play(FORWARD, signal)
    assert np.array_equal(heard, signal[:, : 6 * BLOCK])
    times = host.block_times()
    assert len(times) == 6 and all(of.wall > 0 and of.cpu <= of.wall for of in times)
    assert host.errors == []


def test_attributes_are_set_before_the_first_sample(files: PdFiles) -> None:
    heard = player(files, temperature=0.25).play(FORWARD, noise(2 * BLOCK))
    np.testing.assert_allclose(heard, noise(2 * BLOCK) + 0.25, atol=1e-6)


def test_a_reload_comes_before_the_block_that_is_asked_for(files: PdFiles) -> None:
    signal = noise(8 * BLOCK)
    heard = player(files).play(FORWARD, signal, reload_at=5)
    # When block 5 is handed on, block 3 is being heard: it has been for one tick.
    changed = 3 * BLOCK + 64
    assert np.array_equal(heard[:, :changed], signal[:, :changed])
    assert np.array_equal(heard[:, changed:], 2 * signal[:, changed:])


def test_what_is_not_finite_is_seen_although_tables_hold_no_such_thing(files: PdFiles) -> None:
    signal = noise(2 * BLOCK)
    signal[0, 1000:1010] = 1.0
    heard = player(files).play(FORWARD, signal)
    assert np.isnan(heard[0, 1000:1010]).all()
    assert np.isfinite(np.delete(heard, range(1000, 1010), axis=1)).all()


def test_what_is_not_finite_goes_in(files: PdFiles) -> None:
    signal = noise(2 * BLOCK)
    signal[0, :BLOCK] = np.nan
    heard = player(files).play(FORWARD, signal)
    # The delay of Pure Data makes nothing of it, and the sound after it is what it was.
    assert np.array_equal(heard[:, BLOCK:], signal[:, BLOCK:])


def test_latents_are_held_for_their_ratio(pd: Path, tmp_path: Path) -> None:
    late = BLOCK + BLOCK - 64  # its buffers are made anew, for more than one channel
    (tmp_path / "nn~.pd").write_text(STAND_IN.format(late=f"{1e3 * late / RATE:.6f}"))
    (tmp_path / "model.ts").touch()
    latents = noise(8, channels=2)
    heard = player(PdFiles(pd, tmp_path)).play(DECODE, latents)
    assert np.array_equal(heard[0], np.repeat(latents[0], 512))


def test_an_nn_that_does_not_load_is_told(pd: Path, tmp_path: Path) -> None:
    (tmp_path / "model.ts").touch()
    with pytest.raises(MorpheneError, match="cannot load nn~ from"):
        player(PdFiles(pd, tmp_path)).play(FORWARD, noise(BLOCK))


def test_a_pd_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.ts").touch()
    with pytest.raises(MorpheneError, match="exit status 1"):
        player(PdFiles(Path("/bin/false"), tmp_path)).play(FORWARD, noise(BLOCK))


def test_what_is_not_installed_is_named_with_what_to_do(pd: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"apt install puredata-core.*--pd"):
        find_pd(tmp_path / "pd", tmp_path)
    with pytest.raises(InputError, match=r"without nn~.*docs/realtime\.md.*--nn"):
        find_pd(pd, tmp_path)
    (tmp_path / "nn_tilde").mkdir()
    (tmp_path / "nn_tilde/nn~.pd_linux").touch()
    assert find_pd(None, tmp_path) == PdFiles(pd, tmp_path / "nn_tilde")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_room_for_what_is_played_is_told_with_the_folder(
    files: PdFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        files_of_at_most(BLOCK),
        pytest.raises(MorpheneError, match=rf"{tmp_path} has no room.*1 MB.*TMPDIR=FOLDER"),
    ):
        player(files).play(FORWARD, noise(6 * BLOCK))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["heard.wav", "finite.wav", "ticks.wav"])
@pytest.mark.parametrize("left", [0, 600])
def test_no_room_for_what_is_heard_is_told_with_the_folder(
    pd: Path, files: PdFiles, tmp_path: Path, name: str, left: int
) -> None:
    full = tmp_path / "pd"
    full.write_text(f'#!/bin/sh\n{pd} "$@"\ntruncate -s {left} {name}\n')
    full.chmod(0o755)
    with pytest.raises(MorpheneError, match=r"has no room.*1 MB.*TMPDIR=FOLDER"):
        player(PdFiles(full, files.nn)).play(FORWARD, noise(6 * BLOCK))
