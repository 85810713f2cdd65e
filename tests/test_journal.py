import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core import journal
from morphene_core.errors import MorpheneError

WRITER = """
import sys
from pathlib import Path
from morphene_core import journal
name, count, size = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    journal.append(Path(sys.argv[1]), {"writer": name, "number": number, "padding": "x" * size})
    print(number, flush=True)
"""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
RECORDS = st.dictionaries(st.text(), VALUES, max_size=4)


def writer(path: Path, name: str, count: int, size: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, name, str(count), str(size)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_journal_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "votes.jsonl") == []


@settings(max_examples=50)
@given(records=st.lists(RECORDS, max_size=4))
def test_records_come_back_as_they_went_one_to_a_line(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "new" / "votes.jsonl"
    for record in records:
        journal.append(path, record)
    assert journal.read(path) == records
    assert not records or path.read_bytes().count(b"\n") == len(records)


@settings(max_examples=50)
@given(first=RECORDS, second=RECORDS, third=RECORDS, data=st.data())
def test_a_torn_last_line_is_passed_over_and_spoils_no_later_one(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, Any],
    second: dict[str, Any],
    third: dict[str, Any],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "votes.jsonl"
    journal.append(path, first)
    whole = path.stat().st_size
    journal.append(path, second)
    cut = data.draw(st.integers(whole, path.stat().st_size - 2), label="cut")
    os.truncate(path, cut)
    assert journal.read(path) == [first]
    journal.append(path, third)
    assert journal.read(path) == [first, third]


def test_a_last_line_that_lacks_only_its_end_counts_before_and_after_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "votes.jsonl"
    journal.append(path, {"a": 1})
    os.truncate(path, path.stat().st_size - 1)
    assert journal.read(path) == [{"a": 1}]
    journal.append(path, {"a": 2})
    assert journal.read(path) == [{"a": 1}, {"a": 2}]


def test_a_writer_that_is_killed_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    for attempt in range(3):
        process = writer(path, f"killed {attempt}", 10_000, size=100_000)
        with process:
            assert process.stdout
            confirmed = [int(process.stdout.readline()) for _ in range(5)]
            time.sleep(0.003 * attempt)
            process.send_signal(signal.SIGKILL)
            confirmed += [int(line) for line in process.stdout]
        journal.append(path, {"writer": "after", "number": attempt})
        numbers = [r["number"] for r in journal.read(path) if r["writer"] == f"killed {attempt}"]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in (len(confirmed), len(confirmed) + 1)
    after = [r["number"] for r in journal.read(path) if r["writer"] == "after"]
    assert after == [0, 1, 2]


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    names = ("Ada", "Ben")
    processes = [writer(path, name, 40, size=20_000) for name in names]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    records = journal.read(path)
    assert len(records) == 80
    for name in names:
        assert [r["number"] for r in records if r["writer"] == name] == list(range(40))


def test_a_record_that_does_not_fit_on_the_disk_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    journal.append(path, {"a": 1})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(MorpheneError, match=r"votes\.jsonl cannot be written .*too large"):
            journal.append(path, {"a": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before


def test_a_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(path, {"a": float("nan")})
    assert not path.exists()
