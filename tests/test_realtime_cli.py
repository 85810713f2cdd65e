"""`morphene realtime`: what it says, what it asks, and what it makes of what is no model."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from click.testing import CliRunner

from morphene_core.errors import InputError
from morphene_core.files import sha256, write_json
from morphene_core.home import Home
from morphene_core.realtime.intact import require_intact
from morphene_core.realtime.model import LoadedModel
from morphene_core.trust import known_model
from morphene_dagster.cli import main
from tests.recordings import opened, unprivileged
from tests.toys import toy


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MORPHENE_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")


def run(*arguments: str | Path, answer: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["realtime", *map(str, arguments)], input=answer)
    return done.exit_code, done.output


def test_it_says_what_it_found_and_writes_a_report_and_a_picture(
    home: Home, model: Path, tmp_path: Path
) -> None:
    short = ("--seconds", "0.5", "--method", "forward", "--method", "morph", "--yes")
    code, said = run(model, *short, "--output", tmp_path / "out")
    report = json.loads((tmp_path / "out/realtime.json").read_text())
    assert code == (0 if report["verdict"] == "plays" else 1)
    assert f"toy.ts: {report['verdict']}" in said
    for word in ("forward", "morph", "p99", "Latency of morph:", "boundary clicks", "prior"):
        assert word in said
    assert [of["name"] for of in report["methods"]] == ["forward", "morph"]
    assert (tmp_path / "out/realtime.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_the_report_and_a_faulty_model_ends_with_1(home: Home, tmp_path: Path) -> None:
    faulty = toy(tmp_path, "is silent")
    code, said = run(faulty, "--seconds", "0.5", "--method", "forward", "--yes", "--json")
    assert code == 1
    assert json.loads(said)["verdict"] == "faulty"


def test_a_model_from_elsewhere_is_not_loaded_unless_somebody_says_yes(
    home: Home, model: Path
) -> None:
    code, said = run(model)
    assert code == 1
    assert said.strip().endswith("say --yes.") and len(said.splitlines()) == 2


def test_a_model_that_the_project_folder_exported_or_delivered_is_known_by_its_bytes(
    home: Home, model: Path, tmp_path: Path
) -> None:
    assert not known_model(home, model)
    paths = home.instrument("pyroviolin")
    record = paths.exports / "a.json"
    write_json(record, {"sha256": sha256(model)})
    assert known_model(home, model)
    copy = shutil.copy(model, tmp_path / "renamed.ts")
    assert known_model(home, copy)
    with copy.open("ab") as file:
        file.write(b"\0")
    assert not known_model(home, copy)
    record.write_text("{")
    assert not known_model(home, model)
    write_json(paths.models / "deliveries/2/metadata.json", {"model": {"sha256": sha256(copy)}})
    assert known_model(home, copy) and not known_model(home, model)


def broken(folder: Path, name: str, model: Path) -> Path:
    """Return a file that is no model, by what is wrong with it."""
    path = folder / f"{name}.ts"
    if name == "empty":
        path.touch()
    elif name == "text":
        path.write_text("no model")
    elif name == "half":
        path.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    elif name == "checkpoint":
        torch.save({"state_dict": {}}, path)
    elif name == "foreign":
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    elif name == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "does not exist"),
        ("folder", "is no file"),
        ("empty", "is empty"),
        ("text", "is no TorchScript model (.ts)"),
        ("half", "or only a part of one"),
        ("checkpoint", "is no TorchScript that this torch"),
        ("foreign", "nothing that nn~ plays"),
    ],
)
def test_what_is_no_model_is_named_in_one_line(
    home: Home, model: Path, tmp_path: Path, name: str, says: str
) -> None:
    path = broken(tmp_path, name, model)
    code, said = run(path, "--yes")
    assert code == 1
    assert says in said and str(path) in said
    assert len(said.splitlines()) == 1 and "Traceback" not in said


def test_a_model_of_which_a_bit_has_flipped_is_refused_or_plays_as_before(
    model: Path, tmp_path: Path
) -> None:
    whole = model.read_bytes()
    weights = {name: value.clone() for name, value in LoadedModel(model)._module.named_buffers()}
    rng, refused = random.Random(0), 0
    path = tmp_path / "flipped.ts"
    for _ in range(150):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            loaded = LoadedModel(path)
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
            continue
        for name, value in loaded._module.named_buffers():
            assert torch.equal(value, weights[name])
    assert refused > 50


@pytest.mark.parametrize("part", [0.001, 0.2, 0.7, 0.95, 0.999])
def test_a_model_of_which_the_end_is_missing_is_refused(
    model: Path, tmp_path: Path, part: float
) -> None:
    path = tmp_path / "part.ts"
    path.write_bytes(model.read_bytes()[: int(model.stat().st_size * part)])
    with pytest.raises(InputError, match="only a part of one"):
        require_intact(path)


@pytest.mark.parametrize(
    "odd",
    [
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--block", "99999999999999999999"),
        ("--block", "100000000"),
        ("--threads", "99999999999999999999"),
    ],
)
def test_odd_numbers_are_refused_in_one_line(home: Home, model: Path, odd: tuple[str, str]) -> None:
    code, said = run(model, "--yes", *odd)
    assert code == 1
    assert said.startswith("Error: ") and len(said.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_named_before_anything_is_played(
    home: Home, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    shutil.copy(model, tmp_path)
    closed = opened(tmp_path) / "closed"
    closed.mkdir(0o555)
    for folder in (tmp_path / "file", tmp_path / "file/below", closed, closed / "below"):
        with unprivileged(), patch("morphene_core.realtime.prove") as prove:
            code, said = run(tmp_path / model.name, "--yes", "--output", folder)
        assert code == 1 and not prove.called
        assert str(folder) in said and "--output" in said and len(said.splitlines()) == 1


def test_what_was_found_is_said_although_it_cannot_be_written_any_more(
    home: Home, model: Path, tmp_path: Path
) -> None:
    full = OSError(28, "No space left on device", "realtime.json")
    short = ("--seconds", "0.5", "--method", "encode", "--yes", "--output", tmp_path / "out")
    with patch("morphene_core.files.write_json", side_effect=full):
        code, said = run(model, *short)
    assert code == 1 and "No space left" in said
    assert "memory" in said and "Not judged" in said


def test_only_what_is_not_known_how_to_play_is_called_so(
    home: Home, model: Path, tmp_path: Path
) -> None:
    short = ("--seconds", "0.5", "--method", "encode", "--yes", "--output", tmp_path)
    assert "Not played: prior, of which nothing is known." in run(model, *short)[1]
    assert json.loads((tmp_path / "realtime.json").read_text())["not_driven"] == ["prior"]


def test_a_method_that_is_not_there_and_a_host_that_is_not_installed_are_named(
    home: Home, model: Path, tmp_path: Path
) -> None:
    code, said = run(model, "--yes", "--method", "sing")
    assert code == 1 and "no method sing, but encode, decode, forward, morph, prior" in said
    code, said = run(model, "--yes", "--host", "pd", "--nn", tmp_path)
    assert code == 1 and "--nn" in said and len(said.splitlines()) == 1
    code, said = run(model, "--yes", "--host", "pd", "--pd", tmp_path / "pd")
    assert code == 1 and "puredata-core" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("option", ["--pd", "--nn"])
def test_what_is_said_of_pure_data_is_refused_where_it_does_not_play(
    home: Home, model: Path, tmp_path: Path, option: str
) -> None:
    code, said = run(model, "--yes", option, tmp_path)
    assert code == 2 and "--host pd" in said


def test_a_model_that_may_not_be_read_is_called_so(home: Home, model: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(model, opened(tmp_path)))
    path.chmod(0)
    with unprivileged():
        code, said = run(path, "--yes")
    assert code == 1 and said == f"Error: {path}: Permission denied. Mend that, then again.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_pure_data_ends_with_the_command_which_leaves_no_file_if_it_can(
    model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    temporary, pd = tmp_path / "temporary", tmp_path / "pd"
    temporary.mkdir()
    (tmp_path / "nn~.pd_linux").touch()
    pd.write_text("#!/bin/sh\necho $$ > pid.new\nmv pid.new pid\nexec sleep 60\n")
    pd.chmod(0o755)
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from morphene_dagster.cli import main; main()"),
            *("realtime", model, "--yes", "--seconds", "0.5", "--method", "encode"),
            *("--host", "pd", "--pd", pd, "--nn", tmp_path),
        ],
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any(temporary.glob("*/pid")))
    pid = int(next(temporary.glob("*/pid")).read_text())
    try:
        process.send_signal(number)
        said = process.communicate()[1].strip()
        wait_until(lambda: not runs(pid))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if number == signal.SIGTERM:
        assert (process.returncode, said) == (1, "Aborted!")
        assert not list(temporary.iterdir())


def runs(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
