"""A training that was stopped, killed or damaged goes on as if nothing had happened."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from morphene_core import stages
from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import Home
from morphene_core.profiles import load_profile
from morphene_core.rave.batches import batches
from morphene_core.rave.configuration import build_model, configure
from morphene_core.rave.host import HostedModel
from morphene_core.rave.seeding import MODEL, STEP, seed_everything
from morphene_core.training import TrainingRecord, current_training
from morphene_core.training.requests import Request, ask
from morphene_core.training.states import state_path, states
from tests.conftest import TempPaths, copied_home, tiny
from tests.killing import (
    assert_same,
    files,
    final_state,
    train_with_kills,
    training,
    unfinished_states,
)

pytestmark = pytest.mark.slow

# A state at every step, so that kills find the trainer writing.
EAGER = tiny(state_minutes=0)


@pytest.fixture
def home(prepared_home: Home) -> Home:
    """A project folder whose dataset is there, and no training."""
    (prepared_home.profiles / "eager.toml").write_text(EAGER)
    (prepared_home.profiles / "workers.toml").write_text(tiny(state_minutes=0, workers=2))
    return prepared_home


@pytest.fixture
def undisturbed(trained_home_made_once: Home) -> Home:
    """The same with the finished training of the profile `tiny`; only to be compared with."""
    return trained_home_made_once


@pytest.fixture(scope="module")
def eagerly_trained(prepared_home_made_once: Home, tmp_path_factory: TempPaths) -> Home:
    """The same with a training that wrote a state at every step; only to be compared with."""
    home = copied_home(prepared_home_made_once, tmp_path_factory.mktemp("eager"))
    (home.profiles / "eager.toml").write_text(EAGER)
    train(home, "eager")
    return home


@pytest.fixture(scope="module")
def stopped_once(prepared_home_made_once: Home, tmp_path_factory: TempPaths) -> Home:
    home = copied_home(prepared_home_made_once, tmp_path_factory.mktemp("stopped"))
    with pytest.raises(MorpheneError, match="stopped at step 60"):
        train(home, "tiny", stop_at(60, signal.SIGTERM))
    return home


@pytest.fixture
def stopped(stopped_once: Home, tmp_path: Path) -> Home:
    """The same with a training that was stopped at the end of phase 1, at step 60."""
    return copied_home(stopped_once, tmp_path)


def stop_at(step: int, number: signal.Signals) -> Callable[[str], None]:
    """Return what sends a signal to this process when a checkpoint was written."""

    def report(line: str) -> None:
        if line.startswith(f"checkpoint_{step:06d}"):
            os.kill(os.getpid(), number)

    return report


def train(home: Home, profile: str = "eager", report: Callable[[str], None] = print) -> Any:
    return stages.train(home.instrument("pyroviolin"), load_profile(profile, home.profiles), report)


def losses(home: Home) -> str:
    folder = training(home)
    assert folder is not None
    return folder.losses.read_text()


def assert_equal_trainings(home: Home, undisturbed: Home) -> None:
    assert_same(final_state(home), final_state(undisturbed))
    records: list[TrainingRecord] = [current_training(h.instrument("pyroviolin")).read()
                                     for h in (home, undisturbed)]  # fmt: skip
    assert records[0].checkpoints == records[1].checkpoints
    assert losses(home) == losses(undisturbed)
    assert files(home) == files(undisturbed)


@pytest.mark.parametrize(("profile", "kills"), [("eager", 10), ("workers", 4)])
def test_killed_at_random_moments_it_ends_with_the_parameters_of_an_undisturbed_one(
    home: Home, eagerly_trained: Home, profile: str, kills: int
) -> None:
    within = train_with_kills(home, profile, kills, seed=1)
    assert within > 0, "no kill fell into a save"
    assert_equal_trainings(home, eagerly_trained)
    assert unfinished_states(home) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_goes_on_where_it_stopped(
    home: Home, undisturbed: Home, number: signal.Signals
) -> None:
    with pytest.raises(MorpheneError, match="stopped at step 20"):
        train(home, "tiny", stop_at(20, number))
    assert train(home, "tiny").attempts == 2
    assert_equal_trainings(home, undisturbed)


def damage_newest(home: Home) -> int:
    folder = training(home)
    assert folder is not None
    newest = states(folder)[-1]
    path = state_path(folder, newest.step)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return newest.step


def test_a_damaged_newest_state_is_said_and_the_one_before_is_taken(
    stopped: Home, undisturbed: Home
) -> None:
    assert damage_newest(stopped) == 60
    lines: list[str] = []
    train(stopped, "tiny", lines.append)
    assert "Warning: the state of step 60 is damaged: going on from the one before." in lines
    assert "resuming from step 40" in lines
    assert_same(final_state(stopped), final_state(undisturbed))


def test_where_all_states_are_damaged_nothing_is_begun_anew_by_itself(stopped: Home) -> None:
    folder = training(stopped)
    assert folder is not None
    for state in states(folder):
        state_path(folder, state.step).write_bytes(b"no state")
    with pytest.raises(InputError, match=r"states in .* are damaged"):
        train(stopped, "tiny")


def test_our_loop_trains_the_parameters_that_lightnings_own_trainer_trains(home: Home) -> None:
    """RAVE's steps, optimizers, schedule and warm-ups, against Lightning's loop and RAVE's own."""
    profile = load_profile("tiny", home.profiles)
    dataset, steps, phase_1 = home.instrument("pyroviolin").preprocessed_db, 24, 10
    configure(profile, phase_1)

    seed_everything((0, MODEL))
    ours = HostedModel(1e-3, torch.device("cpu"))
    ours.rave.receptive_field.copy_(torch.tensor([1, 1]))  # Lightning's would be the same
    data = batches(dataset, profile, (0, 0), 0)
    given = [next(data) for _ in range(steps)]
    for step, batch in enumerate(given):
        seed_everything((0, 0, STEP, step))
        ours.step(batch.clone(), step, step >= phase_1)

    import rave.model  # after morphene_core.rave, which makes torchaudio importable

    class Seeds(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):  # type: ignore[no-untyped-def]
            seed_everything((0, 0, STEP, batch_idx))

    seed_everything((0, MODEL))
    theirs = build_model()
    theirs.receptive_field.copy_(torch.tensor([1, 1]))
    trainer = pl.Trainer(
        max_steps=steps,
        callbacks=[Seeds(), rave.model.WarmupCallback(), rave.model.BetaWarmupCallback()],
        logger=pl.loggers.TensorBoardLogger(str(home.path / "tb")),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader([b.detach() for b in given], batch_size=None)
    trainer.fit(theirs, loader)
    assert_same(ours.rave.state_dict(), theirs.state_dict())
    for mine, its in zip(ours.optimizers, trainer.optimizers, strict=True):
        assert_same(mine.state_dict()["state"], its.state_dict()["state"])


def test_finished_early_it_enters_the_adversarial_phase_at_once_with_a_latent_pca(
    home: Home,
) -> None:
    def finish(line: str) -> None:
        folder = training(home)
        if line.startswith("checkpoint_000020") and folder and not folder.request.exists():
            ask(folder, Request("finish", share=0.5))

    record = train(home, "tiny", finish)
    assert record.schedule is not None and record.finished
    assert (record.schedule.phase_1_steps, record.schedule.total_steps) == (21, 31)
    assert record.schedule.changes[0]["kind"] == "finished early"
    assert [(c.step, c.phase) for c in record.checkpoints] == [(20, 1), (31, 2)]
    assert final_state(home)["state_dict"]["fidelity"].any()


def test_a_finished_training_is_extended_and_that_is_recorded(trained_home: Home) -> None:
    folder = training(trained_home)
    assert folder is not None
    before = folder.read()
    assert train(trained_home, "tiny") == before  # nothing is done again
    ask(folder, Request("extend", steps=15))
    record = train(trained_home, "tiny")
    assert record.step == 95
    assert [c.step for c in record.checkpoints] == [20, 40, 60, 80, 95]
    assert record.checkpoints[:4] == before.checkpoints
    assert record.schedule and record.schedule.changes[0]["kind"] == "extended"


def test_an_extension_trains_what_a_longer_training_would_have_trained(
    home: Home, undisturbed: Home, tmp_path: Path
) -> None:
    extended = copied_home(undisturbed, tmp_path / "extended")
    folder = training(extended)
    assert folder is not None
    ask(folder, Request("extend", steps=10))
    train(extended, "tiny")
    (home.profiles / "tiny.toml").write_text(tiny(total_steps=90))
    train(home, "tiny")
    assert_same(final_state(extended), final_state(home))


def test_only_three_full_states_are_kept(eagerly_trained: Home) -> None:
    folder = training(eagerly_trained)
    assert folder is not None
    kept = states(folder)
    assert len(kept) <= 3
    assert kept[-1].step == 80
    assert [s.step for s in kept if s.validated][-1] == 80


def test_a_budget_in_hours_is_measured_once_and_kept_when_it_resumes(home: Home) -> None:
    text = tiny(batch_size=1, validate_every=5, checkpoint_every=10)
    text = text.replace("phase_1_steps = 60\ntotal_steps = 80", "hours = 0.002")
    (home.profiles / "hours.toml").write_text(text)
    with pytest.raises(MorpheneError, match="stopped at step"):
        train(home, "hours", stop_at(10, signal.SIGTERM))
    folder = training(home)
    assert folder is not None
    schedule = folder.read().schedule
    assert schedule is not None and schedule.speed is not None
    assert schedule.speed.phase_1 > 0 and schedule.speed.phase_2 > 0
    assert schedule.phase_1_steps % 5 == 0
    lines: list[str] = []
    record = train(home, "hours", lines.append)
    assert record.schedule == schedule
    assert not any("measuring" in line for line in lines)
    assert record.step == schedule.total_steps
    assert {c.phase for c in record.checkpoints} == {1, 2}


def test_a_damaged_manifest_makes_its_state_a_damaged_one(stopped: Home) -> None:
    folder = training(stopped)
    assert folder is not None
    state_path(folder, 60).with_suffix(".json").write_text('{"step": 6')
    lines: list[str] = []
    assert train(stopped, "tiny", lines.append).finished
    assert "resuming from step 40" in lines
    assert any("state_000060.json is damaged" in line for line in lines)


def test_a_request_that_was_obeyed_before_a_kill_is_not_obeyed_again(trained_home: Home) -> None:
    folder = training(trained_home)
    assert folder is not None
    request = Request("extend", steps=5)
    ask(folder, request)
    assert train(trained_home, "tiny").step == 85
    ask(folder, request)  # its file, as a kill after its schedule was recorded leaves it
    assert train(trained_home, "tiny").step == 85
    assert not folder.request.exists()
