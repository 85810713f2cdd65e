"""The states of a training, looked at by others while it writes and drops them."""

import multiprocessing
from pathlib import Path

from morphene_core.training import TrainingFolder
from morphene_core.training.states import states, write_state


def write_many(path: Path) -> None:
    for step in range(400):
        write_state(
            TrainingFolder(path),
            lambda file: file.write_bytes(b"state"),
            step,
            phase=1,
            validated=False,
            rollbacks=0,
            losses={},
        )


def test_states_can_be_listed_while_the_trainer_drops_old_ones(tmp_path: Path) -> None:
    trainer = multiprocessing.get_context("fork").Process(target=write_many, args=(tmp_path,))
    trainer.start()
    seen = set()
    while trainer.is_alive():
        there = states(TrainingFolder(tmp_path))
        assert len(there) <= 3 + 1  # the new one is there before the oldest goes
        seen |= {state.step for state in there}
    trainer.join()
    assert trainer.exitcode == 0
    assert len(seen) > 10
    assert [state.step for state in states(TrainingFolder(tmp_path))] == [398, 399]
