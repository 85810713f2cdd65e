"""Rights decisions: what they say, and what they cover."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.lineage import known_sources
from morphene_core.delivery.rights import read_decisions, record_decision, standing_decision
from morphene_core.errors import InputError
from morphene_core.files import sha256
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import add_source
from morphene_dagster.cli import main
from tests.deliverable import clear_rights, make_deliverable


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path / "home").instrument("pyroviolin")


def test_a_rights_decision_stands_until_it_is_withdrawn_and_all_stay_on_record(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    contract = tmp_path / "contract.pdf"
    contract.write_bytes(b"signed")
    record_decision(paths, "clear", "commercial", "Cleared.", "Bo", ["Takes (own)"], contract)
    standing = standing_decision(paths, "commercial")
    assert standing is not None and standing.who == "Bo"
    assert standing.missing(["Takes (own)", "Fire (own)"]) == ["Fire (own)"]
    kept = paths.documents.parent / str(standing.document)
    assert kept.read_bytes() == b"signed" and standing.document_sha256 == sha256(contract)
    assert standing_decision(paths, "noncommercial") is None
    record_decision(paths, "withdraw", "commercial", "A heir objects.", "Bo", [])
    assert standing_decision(paths, "commercial") is None
    record_decision(paths, "clear", "commercial", "Settled.", "Bo", ["Takes (own)"])
    assert standing_decision(paths, "commercial") is not None
    said = [decision.decision for decision in read_decisions(paths)]
    assert said == ["Cleared.", "A heir objects.", "Settled."]


@pytest.mark.parametrize("line", ['{"action": "withdraw", "release": "comm', '{"who": 3}', "\0"])
def test_a_damaged_decision_is_not_passed_over_since_it_may_have_been_a_withdrawal(
    paths: InstrumentPaths, line: str
) -> None:
    record_decision(paths, "clear", "commercial", "Cleared.", "Bo", ["Takes (own)"])
    with paths.rights.open("a") as journal:
        journal.write(f"{line}\n")
    with pytest.raises(InputError, match=r"rights\.jsonl, line 2, is damaged"):
        standing_decision(paths, "commercial")


@pytest.mark.parametrize(
    ("decision", "who", "complaint"),
    [("", "Bo", "name and words"), (" ", "Bo", "name and words"), ("Yes.", "", "name and words"),
     ("Yes.", "B" * 81, "at most"), ("Y" * 9000, "Bo", "at most")],
)  # fmt: skip
def test_a_rights_decision_without_name_or_words_is_refused(
    paths: InstrumentPaths, decision: str, who: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        record_decision(paths, "clear", "commercial", decision, who, ["Takes (own)"])
    assert read_decisions(paths) == []


def test_where_there_is_nothing_to_clear_nothing_is_cleared(paths: InstrumentPaths) -> None:
    with pytest.raises(InputError, match="has no sources yet"):
        record_decision(paths, "clear", "commercial", "Yes.", "Bo", [])


def test_a_document_that_is_none_is_refused(paths: InstrumentPaths, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pdf"):
        with pytest.raises(InputError, match=path.name):
            record_decision(paths, "clear", "commercial", "Yes.", "Bo", ["Takes (own)"], path)
    assert read_decisions(paths) == []


# What a decision covers.


def test_a_decision_knows_a_source_by_role_name_licence_and_document(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    contract = tmp_path / "contract.pdf"
    contract.write_bytes(b"signed")
    digits = sha256(contract)[:8]
    deal = {"licence": "Contract", "origin": "licensed", "commercial": True, "derivatives": True}
    add_source(paths, "musical", {"name": "Takes", "origin": "recorded", "licence": "own"})
    add_source(paths, "nonmusical", {"name": "Takes"} | deal, document=contract)
    assert known_sources(paths) == [
        "musical source Takes (own)",
        f"nonmusical source Takes (Contract, document {digits})",
    ]


def test_a_source_in_the_other_role_is_another_one_to_a_decision(paths: InstrumentPaths) -> None:
    own = {"name": "Takes", "origin": "recorded", "licence": "own"}
    add_source(paths, "musical", own)
    made = record_decision(paths, "clear", "commercial", "Yes.", "Bo", known_sources(paths))
    add_source(paths, "nonmusical", own)
    assert made.missing(known_sources(paths)) == ["nonmusical source Takes (own)"]


def test_another_contract_needs_another_decision(tmp_path: Path) -> None:
    paths = make_deliverable(tmp_path / "home")
    deal = {"licence": "Contract", "origin": "licensed", "commercial": True, "derivatives": True}
    for contract in (tmp_path / "a.pdf", tmp_path / "b.pdf"):
        contract.write_text(f"signed {contract.name}")
        facts = {"name": "The musical takes"} | deal
        add_source(paths, "musical", facts, document=contract)
        (obstacle,) = candidate(paths).obstacles
        title = f"musical source The musical takes (Contract, document {sha256(contract)[:8]})"
        assert f"does not cover {title}." in obstacle.text
        clear_rights(paths)
        assert candidate(paths).obstacles == []


def test_the_command_says_that_name_and_words_are_printed_in_the_delivery() -> None:
    said = " ".join(CliRunner().invoke(main, ["rights", "--help"]).output.split())
    assert "is printed in the delivery (README.md, LICENCE.md, metadata.json)" in said
