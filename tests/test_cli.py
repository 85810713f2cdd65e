import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from morphene_core.demo import place_own, place_synthesized
from morphene_core.errors import InputError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.manifest import read_manifest
from morphene_core.sources.register import survey

Run = Callable[..., subprocess.CompletedProcess[str]]


COMMANDS = [
    *(
        [],
        ["demo"],
        ["run"],
        ["up"],
        ["setup"],
        ["instruments"],
        ["instruments", "show"],
        ["sources"],
    ),
    *(["sources", name] for name in ("add", "remove", "status", "summary", "verify")),
    *(["sources", name] for name in ("where-used", "expiring")),
    *(["queue"], ["trainings"], ["forecast"]),
    *(["audit"], ["select"], ["listen"], ["calibrate"]),
    *(["queue", name] for name in ("add", "add-tier", "start", "status", "cancel", "pause")),
    *(["queue", name] for name in ("resume", "move", "logs", "finish", "extend")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(morphene: Run, command: list[str]) -> None:
    done = morphene(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: morphene")


def test_an_unknown_instrument_is_a_line_not_a_traceback(morphene: Run, tmp_path: Path) -> None:
    done = morphene("run", "pyroviola", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: There is no instrument 'pyroviola'. Near: 10 pyroviolin."
    )


def test_an_unknown_profile_is_refused_before_a_run_starts(morphene: Run, tmp_path: Path) -> None:
    done = morphene("run", "10", "--profile", "huge", home=tmp_path)
    assert done.returncode == 1
    assert "There is no profile 'huge'" in done.stderr
    assert not (tmp_path / "dagster").exists()


def test_a_taken_port_is_named(morphene: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = morphene("up", "--port", str(port), home=tmp_path)
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr


def recordings(folder: Path, name: str = "take.wav") -> Path:
    for role in ("musical", "nonmusical"):
        (folder / role).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44_100)
        soundfile.write(folder / role / name, noise, 44_100)
    return folder


def test_the_users_recordings_are_copied_and_not_touched(tmp_path: Path) -> None:
    mine = recordings(tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("*")}
    paths = Home(tmp_path / "home").instrument("pyroviolin")
    place_own(paths, mine)
    (source,) = read_manifest(paths.manifest("musical")).source
    (file,) = source.files
    copied = paths.sources("musical") / file.path
    assert copied.read_bytes() == (mine / "musical" / "take.wav").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in mine.rglob("*")} == before
    assert (source.origin, source.licence) == ("recorded", "own")


def used(paths: InstrumentPaths) -> set[str]:
    return {Path(file.path).name for file in survey(paths, "musical").accepted}


def test_the_demo_can_change_from_its_own_sources_to_the_users_and_back(tmp_path: Path) -> None:
    paths = Home(tmp_path / "home").instrument("pyroviolin")
    mine = recordings(tmp_path / "mine")
    place_synthesized(paths)
    place_own(paths, mine)
    assert used(paths) == {"take.wav"}
    place_synthesized(paths)
    assert len(used(paths)) > 1
    assert "take.wav" not in used(paths)


def test_the_demos_sources_are_registered_whatever_became_of_the_manifest(tmp_path: Path) -> None:
    paths = Home(tmp_path / "home").instrument("pyroviolin")
    place_synthesized(paths)
    before = used(paths)
    paths.manifest("musical").unlink()
    place_synthesized(paths)
    assert used(paths) == before
    (source,) = read_manifest(paths.manifest("musical")).source
    assert (source.origin, source.licence) == ("synthesized", "CC0-1.0")


def test_the_demo_does_not_replace_files_that_it_did_not_put_there(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    paths = home.instrument("pyroviolin")
    recordings(home.path / "sources" / "pyroviolin", "precious.wav")
    with pytest.raises(InputError, match="did not put there"):
        place_synthesized(paths)
    assert (paths.sources("musical") / "precious.wav").exists()


def test_a_folder_without_both_roles_is_refused_before_anything_is_replaced(tmp_path: Path) -> None:
    paths = Home(tmp_path / "home").instrument("pyroviolin")
    mine = recordings(tmp_path / "mine")
    (mine / "nonmusical" / "take.wav").unlink()
    with pytest.raises(InputError, match="nonmusical"):
        place_own(paths, mine)
    assert not paths.sources("musical").exists()


def test_a_catalogue_that_is_not_there_is_named_before_the_ui_starts(
    morphene: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORPHENE_CATALOG", str(tmp_path / "none.toml"))
    done = morphene("up", home=tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path / 'none.toml'}" in done.stderr
    assert "MORPHENE_CATALOG" in done.stderr
