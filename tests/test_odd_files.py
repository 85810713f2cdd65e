import json
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from morphene_core.files import sha256
from morphene_core.sources.duplicates import find_duplicates
from morphene_core.sources.examination import REJECTING, Examination
from morphene_core.sources.examine import examine
from tests.odd_files import ODD_FILES
from tests.recordings import unprivileged


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:  # unlike `tmp_path`, it can be opened to nobody
        folder = Path(name)
        folder.chmod(0o755)
        for odd in ODD_FILES:
            odd.make(folder / odd.name)
        yield folder


@pytest.fixture(scope="module")
def examined(folder: Path) -> dict[str, Examination]:
    found = {}
    for odd in ODD_FILES:
        with unprivileged() if odd.name == "forbidden.wav" else nullcontext():
            found[odd.name] = examine(folder, odd.name)
    return found


def test_every_odd_file_gets_its_verdict_and_its_reasons(
    folder: Path, examined: dict[str, Examination]
) -> None:
    duplicates = find_duplicates(list(examined.items()), folder)
    mistakes = []
    for odd in ODD_FILES:
        findings = examined[odd.name].findings
        codes = {finding.code for finding in findings}
        codes |= {"duplicate"} if odd.name in duplicates else set()
        if codes != odd.codes:
            texts = "; ".join(finding.text for finding in findings)
            mistakes.append(f"{odd.name!r}: {sorted(codes)}, not {sorted(odd.codes)} ({texts})")
    assert not mistakes, "\n".join(["", *mistakes])


def test_the_verdict_follows_from_the_reasons(examined: dict[str, Examination]) -> None:
    for odd in ODD_FILES:
        codes = odd.codes - {"duplicate"}  # which no file shows by itself
        expected = "rejected" if codes & REJECTING else "warning" if codes else "accepted"
        assert examined[odd.name].verdict == expected, odd.name


def test_every_reason_is_one_line_with_a_remedy_and_without_the_path(
    folder: Path, examined: dict[str, Examination]
) -> None:
    for name, examination in examined.items():
        for finding in examination.findings:
            assert finding.text.isprintable()
            assert str(folder) not in finding.text, name
            assert ":" in finding.text, name


def test_an_examination_survives_json(examined: dict[str, Examination]) -> None:
    for examination in examined.values():
        data = json.loads(json.dumps(examination.to_json()))
        assert Examination.from_json(data) == examination


def test_the_files_are_left_as_they_are(tmp_path: Path) -> None:
    for odd in ODD_FILES[:30]:
        odd.make(tmp_path / odd.name)

    def state() -> list[tuple[str, int, str]]:
        return [(p.name, p.stat().st_mtime_ns, sha256(p)) for p in sorted(tmp_path.iterdir())]

    before = state()
    found = [(odd.name, examine(tmp_path, odd.name)) for odd in ODD_FILES[:30]]
    find_duplicates(found, tmp_path)
    assert state() == before
    assert [(name, examination.sha256) for name, examination in sorted(found)] == [
        (name, digest) for name, _, digest in before
    ]
