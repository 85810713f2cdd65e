"""The stage of the export: what it does again, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from morphene_core import stages
from morphene_core.audio.wav import read_mono, write_wav
from morphene_core.audits import references
from morphene_core.errors import InputError
from morphene_core.files import locked, read_json, sha256, write_json
from morphene_core.final_model import FinalModel, read_final_model, write_final_model
from morphene_core.home import InstrumentPaths
from morphene_core.rave.export import Exported
from morphene_core.sections import SECTIONS
from morphene_core.training import current_training
from tests.deliverable import RATE, a_report, make_deliverable

NOISE = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) / 10


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    """Return the paths of an instrument whose checkpoint is selected, and not exported."""
    paths = make_deliverable(tmp_path / "home")
    for file in paths.exports.iterdir():
        file.unlink()
    for file in references(current_training(paths)).values():
        file.parent.mkdir(exist_ok=True)
        write_wav(file, NOISE)
    return paths


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the list of what the stage has really done, which stands in for RAVE and the proof."""
    done: list[str] = []

    def export(checkpoint: Path, path: Path, *_: object) -> Exported:
        done.append("export")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(checkpoint.read_bytes())
        return Exported(RATE, 2048, 3000, [], [], [])

    def play(*_: object) -> dict[str, np.ndarray]:
        return dict.fromkeys(SECTIONS, NOISE)

    def prove(*_: object, **__: object) -> object:
        done.append("proof")
        return a_report("plays")

    monkeypatch.setattr("morphene_core.rave.export.export", export)
    monkeypatch.setattr(stages, "play_sections", play)
    monkeypatch.setattr(stages, "prove", prove)
    monkeypatch.setattr(stages, "realtime_png", lambda _: b"a picture")
    return done


def exported(paths: InstrumentPaths) -> tuple[Path, FinalModel]:
    """Return the export that there is, and its record."""
    (path,) = paths.exports.glob("*.ts")
    model = read_final_model(path)
    assert model
    return path, model


def test_an_export_that_stands_is_not_made_again(paths: InstrumentPaths, done: list[str]) -> None:
    model = stages.export(paths)
    assert done == ["export", "proof"]
    path, recorded = exported(paths)
    assert recorded == model and model.sha256 == sha256(path) and model.proof.passed
    assert {file.stem for file in path.with_suffix("").glob("*.wav")} == set(SECTIONS)
    said: list[str] = []
    assert stages.export(paths, said.append) == model
    assert said == ["the export is up to date"] and done == ["export", "proof"]


def test_a_proof_that_failed_is_tried_again_and_the_export_is_not(
    paths: InstrumentPaths, done: list[str]
) -> None:
    stages.export(paths)
    path, model = exported(paths)
    write_final_model(path, replace(model, realtime=a_report("machine busy").to_dict()))
    assert stages.export(paths).proof.passed
    assert done == ["export", "proof", "proof"]


def damage(paths: InstrumentPaths) -> None:
    path = exported(paths)[0]
    path.write_bytes(b"damaged")


def lose(paths: InstrumentPaths) -> None:
    exported(paths)[0].unlink()


def exchange_references(paths: InstrumentPaths) -> None:
    for file in references(current_training(paths)).values():
        write_wav(file, read_mono(file)[::-1])


@pytest.mark.parametrize("change", [damage, lose, exchange_references])
def test_an_export_that_does_not_stand_is_made_again(
    paths: InstrumentPaths, done: list[str], change
) -> None:
    stages.export(paths)
    digest = exported(paths)[1].sha256
    change(paths)
    stages.export(paths)
    assert done == 2 * ["export", "proof"]
    path, model = exported(paths)
    assert sha256(path) == model.sha256 == digest


def test_an_export_stands_without_the_references(paths: InstrumentPaths, done: list[str]) -> None:
    stages.export(paths)
    for file in references(current_training(paths)).values():
        file.unlink()
    stages.export(paths)
    assert done == ["export", "proof"]


def test_a_record_of_an_older_morphene_which_names_no_references_stands(
    paths: InstrumentPaths, done: list[str]
) -> None:
    stages.export(paths)
    record = exported(paths)[0].with_suffix(".json")
    fields = read_json(record)
    del fields["references_sha256"]
    write_json(record, fields)
    exchange_references(paths)
    stages.export(paths)
    assert done == ["export", "proof"]


def test_what_a_killed_export_left_is_swept(paths: InstrumentPaths, done: list[str]) -> None:
    stages.export(paths)
    path, _ = exported(paths)
    before = sorted(paths.exports.rglob("*"))
    half = paths.exports / f".{path.stem}.x1y2z3.partial"
    half.mkdir()
    for file in (
        half / "morph_sweep.wav",
        paths.exports / f".{path.stem}.4711.partial.ts",
        path.with_suffix("") / ".realtime.4711.partial.png",
    ):
        file.write_bytes(b"half")
    stages.export(paths)
    assert sorted(paths.exports.rglob("*")) == before


def test_two_processes_do_not_export_at_once(
    paths: InstrumentPaths, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_EXPORT_WAIT_SECONDS", 0.0)
    with (
        locked(paths.models / ".exports.lock", "busy"),
        pytest.raises(InputError, match="pyroviolin is being exported already"),
    ):
        stages.export(paths)
    assert not done
