"""`morphene select`, `calibrate`, `audit` and `listen` as people use them."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from morphene_core.audits.record import write_audit
from morphene_core.files import point_link, read_json
from morphene_core.home import Home
from morphene_core.selection import read_choices, read_selection, select_checkpoint
from morphene_core.training import TrainingFolder
from morphene_core.verdicts import Verdict, record_verdict
from morphene_dagster.cli import main
from tests.conftest import free_port
from tests.constructed import BUILT_IN, a_training, an_audit
from tests.recordings import record
from tests.toys import toy

Do = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A project folder in use, without anything."""
    home = Home(tmp_path / "home")
    home.create()
    monkeypatch.setenv("MORPHENE_HOME", str(home.path))
    return home


@pytest.fixture
def do(home: Home) -> Do:
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


def train(home: Home, *badness: float, unaudited: tuple[int, ...] = ()) -> TrainingFolder:
    """Give Pyroviolin a training whose audited checkpoints are this bad."""
    paths = home.instrument("pyroviolin")
    audits = [an_audit(100 * n, badness=bad) for n, bad in enumerate(badness, start=1)]
    folder = a_training(paths.training("t"), *audits, unaudited=unaudited)
    folder.checkpoints.mkdir()
    point_link(paths.checkpoints, folder.checkpoints)
    return folder


def test_a_model_from_elsewhere_is_audited_only_if_somebody_says_yes(
    do: Do, tmp_path: Path
) -> None:
    asked = ["audit", "--checkpoint", toy(tmp_path)]
    for role in ("musical", "nonmusical"):
        asked += [f"--{role}-ref", record(tmp_path / f"{role}.wav", seconds=2)]
    asked += ["--output", tmp_path / "out"]
    refused = do(*asked)
    assert refused.exit_code == 1 and "code that this project folder did not make" in refused.output
    assert not (tmp_path / "out").exists()
    assert do(*asked, "--yes").exit_code == 0


def test_select_without_a_step_shows_and_changes_nothing(home: Home, do: Do) -> None:
    folder = train(home, 0.8, 0.2)
    select_checkpoint(folder, BUILT_IN)
    before = folder.selection.read_bytes()
    write_audit(folder.audit_path(100), an_audit(100, badness=0.1))  # better than it was
    shown = do("select", "10")
    assert shown.exit_code == 0, shown.output
    assert "Selected: step 200, by ranking." in shown.output
    assert "By now the ranking has step 100 first" in shown.output
    assert folder.selection.read_bytes() == before


def test_a_step_is_chosen_with_a_reason_and_a_name_and_the_choice_is_taken_back(
    home: Home, do: Do
) -> None:
    folder = train(home, 0.8, 0.2)
    refused = do("select", "pyroviolin", 100)
    assert refused.exit_code == 1 and "--reason" in refused.output
    assert read_choices(folder) == []
    chosen = do("select", "pyroviolin", 100, "--reason", "warmer", "--who", "Ada", "--json")
    assert json.loads(chosen.stdout)["selected"]["by"] == "Ada"
    assert read_selection(folder).step == 100
    do("select", "pyroviolin", "--withdraw", "--reason", "no", "--who", "Ada")
    assert read_selection(folder).step == 200
    unknown = do("select", "pyroviolin", 101, "--reason", "typo")
    assert "It has: 100, 200" in unknown.output


def test_a_checkpoint_that_nobody_audited_can_be_chosen(home: Home, do: Do) -> None:
    folder = train(home, unaudited=(100,))
    chosen = do("select", "pyroviolin", 100, "--reason", "the only one", "--who", "Ada")
    assert chosen.exit_code == 0, chosen.output
    assert "No checkpoint is audited" in chosen.output
    assert "Selected: step 100, by Ada." in chosen.output
    assert read_selection(folder).step == 100


def test_thresholds_are_recomputed_and_written_only_when_asked(home: Home, do: Do) -> None:
    folder = train(home, *[0.2] * 6, *[3.0] * 6)
    for checkpoint in folder.read().checkpoints:
        rating = "good" if checkpoint.step <= 600 else "bad"
        verdict = Verdict(
            "pyroviolin", "t", checkpoint.step, checkpoint.sha256, "approved",
            {"musical_reconstruction": rating}, "", "Ada", "now",
        )  # fmt: skip
        record_verdict(home.instrument("pyroviolin"), verdict)
    shown = do("calibrate")
    assert "Not written: add --write." in shown.output
    assert not (home.path / "criteria.toml").exists()
    written = do("calibrate", "--write")
    assert f"Written: {home.path / 'criteria.toml'}" in written.output
    assert "musical_f0_error" in (home.path / "criteria.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name an --instrument, a --run or a --checkpoint."),
        (["--instrument", "10"], "has no training yet"),
        (["--run", "."], "This takes --musical-ref, --nonmusical-ref and --output."),
        (["--musical-ref", "a", "--nonmusical-ref", "b", "--output", "c"], "Name a --checkpoint"),
    ],
)
def test_an_audit_that_cannot_be_says_what_is_missing(
    do: Do, arguments: list[str], said: str
) -> None:
    done = do("audit", *arguments)
    assert done.exit_code != 0
    assert said in done.output


def test_what_is_no_model_is_refused_by_its_ending(do: Do, tmp_path: Path) -> None:
    references = ["--musical-ref", "a.wav", "--nonmusical-ref", "b.wav", "--output", tmp_path]
    done = do("audit", "--checkpoint", tmp_path / "violin.wav", *references)
    assert "violin.wav is no model" in done.output


def test_a_port_that_is_taken_is_said_with_the_remedy(home: Home, do: Do) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = do("listen", "--no-browser", "--port", port)
        assert done.exit_code == 1 and "--port" in done.output
        settings = home.settings.read_text()
        home.settings.write_text(f"{settings}\n[listening]\nport = {port}\n")
        up = do("up", "--port", free_port())
        assert up.exit_code == 1 and "It is the listening room's" in up.output


def test_a_reference_of_the_settings_is_a_file_of_the_project_folder(home: Home) -> None:
    settings = home.settings.read_text()
    own = '[instruments.pyroviolin]\nmusical_reference = "references/violin.wav"\n'
    home.settings.write_text(f"{settings}\n{own}")
    assert home.reference("pyroviolin", "musical") == home.path / "references" / "violin.wav"
    assert home.reference("pyroviolin", "nonmusical") is None
    assert home.reference("moorhorn", "musical") is None


def test_the_outcome_of_a_choice_is_on_record(home: Home, do: Do) -> None:
    folder = train(home, 0.8, 0.2)
    do("select", "pyroviolin", 100, "--reason", "warmer", "--who", "Ada")
    record = read_json(folder.selection)
    assert (record["step"], record["by"], record["reason"]) == (100, "Ada", "warmer")
    (choice,) = read_choices(folder)
    assert (choice.who, choice.reason, choice.checkpoint_sha256) == ("Ada", "warmer", "hash-100")
