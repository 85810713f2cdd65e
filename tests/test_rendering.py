"""That metadata tell which Morphene made the files, and what it writes."""

from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from morphene_core.delivery import rendering
from morphene_core.delivery.rendering import made_with
from tests.deliverable import a_report, metadata_of


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return metadata_of(tmp_path_factory.mktemp("deliverable"))


@pytest.fixture
def metadata(made_once: dict[str, Any]) -> dict[str, Any]:
    described = deepcopy(made_once)
    del described["made_with"]
    return described


def test_the_number_of_the_delivery_and_how_fast_the_machine_was_are_nothing_to_it(
    metadata: dict[str, Any],
) -> None:
    before = made_with(metadata)
    metadata["delivery"] = {"version": 7, "previous": 6}
    metadata["realtime"] = a_report(p99_ms=28.0).to_dict() | {"methods": []}
    metadata["model"]["latency"]["measured_ms"] = None
    assert made_with(metadata) == before


PATCHES, DELIVERY = "morphene_core.delivery.patches.write", "morphene_core.delivery.rendering"


@pytest.mark.parametrize(
    ("module", "writer"),
    [
        (PATCHES, "puredata_patch"),
        (PATCHES, "max_patch"),
        (PATCHES, "checklist"),
        (DELIVERY, "card_text"),
        (DELIVERY, "licence_text"),
        (DELIVERY, "attributions_text"),
    ],
)
def test_whatever_is_written_otherwise_gives_another_hash(
    metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch, module: str, writer: str
) -> None:
    before = made_with(metadata)
    write = getattr(import_module(module), writer)
    monkeypatch.setattr(f"{module}.{writer}", lambda *given: write(*given) + " ")
    after = made_with(metadata)
    assert after["rendering"] != before["rendering"]
    assert after["morphene"] == before["morphene"]


@pytest.mark.parametrize("place", [("approval",), ("criteria", 2)])
def test_a_text_of_the_card_that_is_worded_otherwise_gives_another_hash(
    metadata: dict[str, Any], place: tuple[Any, ...]
) -> None:
    before = made_with(metadata)
    holder: Any = metadata
    for key in place:
        holder = holder[key]
    holder["text"] = "Otherwise."
    assert made_with(metadata)["rendering"] != before["rendering"]


def test_another_schema_gives_another_hash(
    metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = made_with(metadata)
    (tmp_path / "schema.json").write_text("{}")
    monkeypatch.setattr(rendering, "SCHEMA", tmp_path / "schema.json")
    assert made_with(metadata) != before


def test_the_section_on_speed_is_part_of_it_whatever_the_proof_says(
    metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_with(metadata)
    monkeypatch.setattr("morphene_core.delivery.card._speed", lambda _: "## Fast")
    assert made_with(metadata) != before
