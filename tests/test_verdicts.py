"""Verdicts: on one checkpoint by its hash, never lost, never two at once."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from morphene_core.errors import InputError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.verdicts import (
    CRITERIA,
    Verdict,
    VerdictConflict,
    doubtful_line,
    read_verdicts,
    record_verdict,
    verdict_on,
)

GIVEN = Verdict(
    instrument="pyroviolin",
    training="demo-1234",
    step=250_000,
    checkpoint_sha256="a" * 64,
    decision="approved",
    criteria=dict.fromkeys(CRITERIA, "good"),
    notes="Sparks where they should be. „Schön“",
    listener="Ada",
    at="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path).instrument("pyroviolin")


def test_a_verdict_is_read_as_it_was_recorded(paths: InstrumentPaths) -> None:
    record_verdict(paths, GIVEN)
    assert read_verdicts(paths) == [GIVEN]
    (line,) = (paths.models / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["checkpoint_sha256"] == "a" * 64


def test_without_a_file_there_are_none(paths: InstrumentPaths) -> None:
    assert read_verdicts(paths) == []
    assert verdict_on(paths, "a" * 64) is None


def test_the_newest_verdict_on_a_checkpoint_counts_and_the_older_ones_stay(
    paths: InstrumentPaths,
) -> None:
    later = replace(GIVEN, decision="rejected", listener="Ben", criteria={})
    record_verdict(paths, GIVEN)
    record_verdict(paths, later)
    assert verdict_on(paths, "a" * 64) == later
    assert read_verdicts(paths) == [GIVEN, later]


def test_a_verdict_says_nothing_of_another_checkpoint(paths: InstrumentPaths) -> None:
    record_verdict(paths, GIVEN)
    assert verdict_on(paths, "b" * 64) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision": "perhaps"}, "approved or rejected"),
        ({"criteria": {"loudness": "good"}}, "'loudness' is no criterion"),
        ({"criteria": {"musicality": "superb"}}, "good or usable or bad"),
        ({"listener": "  "}, "say who listened"),
        ({"listener": "x" * 81}, "name of over 80"),
        ({"notes": "x" * 9000}, "notes of over 8000"),
    ],
)
def test_a_verdict_that_is_none_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(GIVEN, **change)


def test_who_did_not_see_anothers_verdict_is_shown_it_and_nothing_is_recorded(
    paths: InstrumentPaths,
) -> None:
    record_verdict(paths, GIVEN, seen=0)
    with pytest.raises(VerdictConflict, match="Ada approved step 250,000") as conflict:
        record_verdict(paths, replace(GIVEN, listener="Ben", decision="rejected"), seen=0)
    assert conflict.value.verdicts == [GIVEN]
    assert read_verdicts(paths) == [GIVEN]


def test_who_has_seen_it_may_disagree(paths: InstrumentPaths) -> None:
    record_verdict(paths, GIVEN, seen=0)
    record_verdict(paths, replace(GIVEN, listener="Ben", decision="rejected"), seen=1)
    assert [verdict.listener for verdict in read_verdicts(paths)] == ["Ada", "Ben"]


def test_of_many_at_the_same_moment_one_is_recorded_and_the_others_are_told(
    paths: InstrumentPaths,
) -> None:
    told: list[str] = []

    def give(name: str) -> Callable[[], None]:
        def decide() -> None:
            try:
                record_verdict(paths, replace(GIVEN, listener=name), seen=0)
            except VerdictConflict as conflict:
                told.append(conflict.verdicts[0].listener)

        return decide

    threads = [threading.Thread(target=give(f"listener {i}")) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (only,) = read_verdicts(paths)
    assert told == [only.listener] * 7


def test_a_torn_or_foreign_line_spoils_no_other(paths: InstrumentPaths) -> None:
    record_verdict(paths, GIVEN)
    with (paths.models / "verdicts.jsonl").open("a") as file:
        file.write('{"instrument": "pyroviolin"}\n{"criteria": 3, "decision": null}\n{"instr')
    record_verdict(paths, replace(GIVEN, listener="Ben"))
    assert [verdict.listener for verdict in read_verdicts(paths)] == ["Ada", "Ben"]


def test_a_damaged_line_may_be_the_newest_verdict_on_a_checkpoint_until_another_is_given(
    paths: InstrumentPaths,
) -> None:
    path = paths.models / "verdicts.jsonl"
    record_verdict(paths, GIVEN)
    record_verdict(paths, replace(GIVEN, decision="rejected"))
    path.write_bytes(path.read_bytes()[:-3])
    assert (verdict_on(paths, "a" * 64), doubtful_line(paths, "a" * 64)) == (None, 2)
    record_verdict(paths, replace(GIVEN, checkpoint_sha256="b" * 64))
    assert doubtful_line(paths, "a" * 64) == 2
    assert doubtful_line(paths, "b" * 64) is None
    record_verdict(paths, GIVEN)
    assert (verdict_on(paths, "a" * 64), doubtful_line(paths, "a" * 64)) == (GIVEN, None)
    path.write_text(path.read_text() + '{"decision": "rejected"}\n')
    assert (verdict_on(paths, "a" * 64), doubtful_line(paths, "a" * 64)) == (None, 5)


def test_fields_that_a_later_version_adds_do_no_harm(paths: InstrumentPaths) -> None:
    record_verdict(paths, GIVEN)
    path = paths.models / "verdicts.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"headphones": "yes"}) + "\n")
    assert read_verdicts(paths) == [GIVEN]
