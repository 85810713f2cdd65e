import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from morphene_core.home import Home, InstrumentPaths
from morphene_dagster.sensors import source_changes


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstrumentPaths:
    monkeypatch.setenv("MORPHENE_HOME", str(tmp_path))
    paths = Home(tmp_path).instrument("pyroviolin")
    for name in ("a.wav", "b.wav"):
        write(paths, name, "as it was")
    return paths


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        event = dg.AssetMaterialization("musical_source", partition="pyroviolin")
        instance.report_runless_asset_event(event)
        yield instance


def write(paths: InstrumentPaths, name: str, text: str, age: float = 60.0) -> None:
    file = paths.sources("musical") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (file.stat().st_atime - age, file.stat().st_mtime - age))


def tick(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    result = source_changes(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_change_of_a_recording_asks_once_for_its_source_to_be_read_anew(
    paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    first = tick(instance, None)
    assert first.run_requests == []
    write(paths, "a.wav", "other")
    second = tick(instance, first.cursor)
    (request,) = second.run_requests or []
    assert request.partition_key == "pyroviolin"
    assert request.asset_selection == [dg.AssetKey("musical_source")]
    assert tick(instance, second.cursor).run_requests == []


@pytest.mark.parametrize("change", ["added", "removed", "manifest"])
def test_files_that_come_or_go_and_the_manifest_count_as_changes(
    paths: InstrumentPaths, instance: dg.DagsterInstance, change: str
) -> None:
    cursor = tick(instance, None).cursor
    if change == "added":
        write(paths, "c.wav", "new")
    elif change == "removed":
        (paths.sources("musical") / "b.wav").unlink()
    else:
        write(paths, "../musical.toml", "# edited")
    assert len(tick(instance, cursor).run_requests or []) == 1


def test_a_folder_that_is_being_copied_to_is_left_alone_until_it_has_settled(
    paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    cursor = tick(instance, None).cursor
    write(paths, "c.wav", "half", age=0)
    result = tick(instance, cursor)
    assert result.run_requests == []
    write(paths, "c.wav", "whole")
    assert len(tick(instance, result.cursor).run_requests or []) == 1


def test_an_instrument_that_was_never_materialized_is_left_alone(
    paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    cursor = tick(instance, None).cursor
    assert list(json.loads(cursor or "")) == ["pyroviolin/musical"]


def test_a_file_name_that_is_no_text_does_not_stop_the_sensor(
    paths: InstrumentPaths, instance: dg.DagsterInstance
) -> None:
    cursor = tick(instance, None).cursor
    write(paths, os.fsdecode(b"\xff.wav"), "new")
    assert len(tick(instance, cursor).run_requests or []) == 1
