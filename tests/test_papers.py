"""What a delivery says of rights to people: ``LICENCE.md`` and ``ATTRIBUTIONS.md``."""

from copy import deepcopy
from typing import Any

import pytest

from morphene_core.delivery.papers import (
    attributions,
    attributions_text,
    licence_link,
    licence_text,
)
from morphene_core.sources.licences import OWN
from tests.deliverable import metadata_of
from tests.licensed import DEAL, licensed


@pytest.mark.parametrize(
    ("licence", "link"),
    [
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC-BY-3.0-DE", "https://creativecommons.org/licenses/by/3.0/de/"),
        ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("MIT", "https://spdx.org/licenses/MIT.html"),
        ("mit", "https://spdx.org/licenses/MIT.html"),
        ("CC-BY-3.0-XX", ""),
        ("Contract", ""),
        ("LicenseRef-Splice", ""),
        ("MIT OR CC0-1.0", ""),
        (OWN, ""),
        (DEAL, ""),
    ],
)
def test_a_licence_is_linked_where_it_can_be_read(licence: str, link: str) -> None:
    assert licence_link(licence) == link


def test_those_who_have_to_be_named_are_and_nobody_else() -> None:
    sources = [
        licensed(OWN),
        licensed("CC0-1.0", attribution="Nobody asked"),
        licensed("CC-BY-4.0", name="Violin *solo*", attribution="A. Bow", origin="licensed"),
        licensed(DEAL, attribution="B. Ember"),
        licensed("Another deal", attribution=""),
    ]
    entries = attributions(sources)
    assert [entry["attribution"] for entry in entries] == ["A. Bow", "B. Ember"]
    text = attributions_text("Pyroviolin", entries)
    assert (
        r'"Violin \*solo\*" by A. Bow (licensed), licensed under CC-BY-4.0'
        " (https://creativecommons.org/licenses/by/4.0/). Modified: "
    ) in text
    assert "Nobody asked" not in text
    assert "No source asks" in attributions_text("Pyroviolin", [])


def test_a_contract_of_one_word_is_named_without_a_link() -> None:
    text = attributions_text("Pyroviolin", attributions([licensed("Contract")]))
    assert "licensed under Contract. Modified: " in text


# The licence page.


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return metadata_of(tmp_path_factory.mktemp("deliverable"))


@pytest.fixture
def metadata(made_once: dict[str, Any]) -> dict[str, Any]:
    return deepcopy(made_once)


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one; fail where there is no such."""
    lines = text.splitlines()
    rest = lines[lines.index(heading) + 1 :]
    end = next((n for n, line in enumerate(rest) if line.startswith("#")), len(rest))
    return "\n".join(rest[:end])


def test_the_licence_page_says_the_licence_with_its_link_and_the_conditions(
    metadata: dict[str, Any],
) -> None:
    choice = licence_text(metadata)
    assert f"**{metadata['terms']['licence']}**." in section(choice, "## The recordings")
    assert "The recordings ask for nothing." in choice
    metadata["terms"] |= {"licence": "CC-BY-SA-4.0", "conditions": ["Be *kind*."]}
    recordings = section(licence_text(metadata), "## The recordings")
    link = "https://creativecommons.org/licenses/by-sa/4.0/"
    assert f"Licence of the instrument: **CC-BY-SA-4.0** ({link})." in recordings
    assert r"- Be \*kind\*." in recordings and "ask for nothing" not in recordings


def test_the_licence_page_counts_the_files_of_each_source(metadata: dict[str, Any]) -> None:
    metadata["lineage"]["sources"] *= 2
    recordings = section(licence_text(metadata), "## The recordings")
    assert "| musical | The musical takes | recorded | own | 2 |" in recordings
    assert "| nonmusical | The nonmusical takes | recorded | own | 2 |" in recordings


def test_the_licence_page_says_what_forbids_a_release(metadata: dict[str, Any]) -> None:
    assert "forbids" not in licence_text(metadata)
    metadata["terms"]["obstacles"] = ["It *ended*."]
    assert r"- It \*ended\*." in section(licence_text(metadata), "### What forbids a release")


TO_CLEAR, CLEARED = "### What a person has to clear", "### What the rights decision clears"


@pytest.mark.parametrize(
    ("rights", "heading", "other"),
    [
        ({}, CLEARED, TO_CLEAR),
        ({"not_covered": ["musical source Fire (own)"]}, TO_CLEAR, CLEARED),
        (None, TO_CLEAR, CLEARED),
    ],
    ids=["all cleared", "not all cleared", "not decided"],
)
def test_what_is_unclear_stands_under_what_is_to_be_cleared_or_was(
    metadata: dict[str, Any], rights: dict[str, Any] | None, heading: str, other: str
) -> None:
    terms = metadata["terms"]
    text = licence_text(metadata)
    assert heading not in text and other not in text
    terms["unclear"] = ["Whose *is* it?"]
    terms["rights"] = None if rights is None else terms["rights"] | rights
    text = licence_text(metadata)
    assert r"- Whose \*is\* it?" in section(text, heading)
    assert other not in text


def test_the_licence_page_says_of_the_tools_that_their_terms_are_apart(
    metadata: dict[str, Any],
) -> None:
    tools = section(licence_text(metadata), "## The tools")
    assert "- **RAVE 2.3.1** (CC-BY-NC-4.0). It trained the model" in tools
    assert "- **nn~** (CC-BY-NC-4.0). " in tools
    assert "clear them before the model is sold." in tools


def test_the_licence_page_says_who_decided_and_what_is_left_out(metadata: dict[str, Any]) -> None:
    rights = metadata["terms"]["rights"]
    assert "Bo, for a commercial release, on " in section(licence_text(metadata), "## The decision")
    rights |= {"document": "documents/a_b.pdf", "document_sha256": "0" * 64}
    rights["not_covered"] = ["musical source Fire (own)"]
    decision = section(licence_text(metadata), "## The decision")
    assert "which stays with whoever releases the instrument: documents/a_b.pdf" in decision
    assert f"(SHA-256 {'0' * 64})." in decision
    assert "**It does not cover musical source Fire (own): " in decision
    metadata["terms"]["rights"] = None
    assert "Nobody has recorded" in section(licence_text(metadata), "## The decision")


def test_what_does_not_ship_says_so_at_the_top_of_the_licence_page(
    metadata: dict[str, Any],
) -> None:
    metadata["notice"] = "NOT SHIPPABLE: made for a trial."
    assert licence_text(metadata).split("\n\n")[1] == "**NOT SHIPPABLE: made for a trial.**"
