"""What a delivery says is different from the ones before it, in ``CHANGES.md``."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.delivery.changes import changes, changes_text
from morphene_core.delivery.facts import facts_of, same_but_for_timing
from morphene_core.delivery.schema import SCHEMA, schema_faults
from morphene_core.files import read_json
from tests.deliverable import metadata_of

HOW_MADE = "Nothing but how the files are made."
THE_SAME = "Nothing: it is the same, delivered anew."


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the metadata of a delivery, with made-up checksums of its files."""
    attributed = {"licence": "CC-BY-4.0", "origin": "licensed", "attribution": "Jane Doe"}
    metadata = metadata_of(tmp_path_factory.mktemp("deliverable"), **attributed)
    names = read_json(SCHEMA)["properties"]["files"]["required"]
    metadata |= {"files": {name: {"sha256": "0" * 64, "bytes": 1} for name in names}}
    assert schema_faults(metadata) == []
    return metadata


@pytest.fixture
def metadata(made_once: dict[str, Any]) -> dict[str, Any]:
    return deepcopy(made_once)


def at(data: Any, *place: Any) -> Any:
    for key in place:
        data = data[key]
    return data


SOURCE = ("lineage", "sources", 0)
NUMBER = ("criteria", 0, "numbers", 1)  # the pitch error

CHANGED = [
    (("terms", "rights", "at"), "2026-02-03", "rights decision of: 2026-02-03 (was "),
    (("terms", "rights", "document_sha256"), "0" * 64, "document of the rights decision (SHA-256)"),
    (("terms", "rights", "sources"), ["musical source The musical takes (CC-BY-4.0)"],
     "the rights decision is no longer for: nonmusical source The nonmusical takes (own)"),
    (("terms", "rights", "not_covered"), ["Fire"], "not covered by the rights decision: Fire"),
    (("terms", "rights"), None, "rights decision: nothing (was Cleared with"),
    (("terms", "conditions"), ["Be kind."], "new condition: Be kind."),
    (("terms", "conditions"), [], "no longer a condition: ATTRIBUTIONS.md goes with it"),
    (("terms", "unclear"), ["Whose is it?"], "new to be cleared: Whose is it?"),
    (("terms", "obstacles"), ["It ended."], "new obstacle to a release: It ended."),
    ((*SOURCE, "attribution"), "John Roe",
     "source The musical takes: attribution John Roe (was Jane Doe)"),
    ((*SOURCE, "origin"), "recorded", "source The musical takes: origin recorded (was licensed)"),
    ((*SOURCE, "document_sha256"), "ab",
     "source The musical takes: document (SHA-256) ab (was nothing)"),
    ((*SOURCE, "source"), "Violin", "source Violin: name Violin (was The musical takes)"),
    ((*SOURCE, "licence"), "MIT", "source The musical takes: licence MIT (was CC-BY-4.0)"),
    ((*SOURCE, "path"), "b.wav", "other facts changed: lineage.sources.path"),
    ((*SOURCE, "sha256"), "ab", "musical source The musical takes (CC-BY-4.0): added take.wav"),
    ((*NUMBER, "threshold"), 1.0, "pitch error: at most 1 cent is asked for (was "),
    ((*NUMBER, "provisional"), False, "pitch error: its threshold is no longer provisional"),
    ((*NUMBER, "value"), 7.5, "other facts changed: criteria.numbers.value"),
    (("criteria", 0, "passed"), False,
     "criterion musical reconstruction: does not hold (did before)"),
    (("checkpoint", "metrics", "musical_f0_error"), 1.5, "pitch error: 1.5 cents (was "),
    (("checkpoint", "reason"), "It sings.", "why it was chosen: It sings. (was It is warm.)"),
    (("approval", "verdict", "notes"), "Loud.", "notes of the judgement: Loud. (was nothing)"),
    (("approval", "verdict", "criteria"), {"musicality": "good"},
     "other facts changed: approval.verdict.criteria.musicality"),
    (("model", "methods", 0, "out_ratio"), 4, "method encode: out ratio 4"),
    (("model", "methods", 0, "name"), "see", "new methods: see"),
    (("model", "attributes", 0, "default"), [0.5], "attribute temperature: default 0.5"),
    (("model", "attributes", 0, "name"), "heat", "new attributes: heat"),
    (("model", "latents", 2, "rises"), "brighter", "latent 3: rises brighter"),
    (("model", "latents", 2, "loudness_db"), 1.0, "other facts changed: model.latents.loudness_db"),
    (("training", "profile", "training", "batch"), 3,
     "other facts changed: training.profile.training.batch"),
    (("training", "profile", "name"), "long", "profile: long (was production)"),
    (("lineage", "runs", "training"), ["run-9"], "other facts changed: lineage.runs.training"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "line"), CHANGED, ids=lambda part: str(part)[:40])
def test_each_thing_that_changes_is_named_first_and_in_words_that_a_person_reads(
    metadata: dict[str, Any], place: tuple[Any, ...], value: Any, line: str
) -> None:
    before = deepcopy(metadata)
    at(metadata, *place[:-1])[place[-1]] = value
    found = changes(before, metadata)
    assert found and found[0].startswith(line), found
    others = [said for said in found if said.startswith("other facts")]
    assert others == found[:1] if line.startswith("other facts") else not others


def test_of_what_follows_from_other_facts_only_these_are_named(metadata: dict[str, Any]) -> None:
    before = deepcopy(metadata)
    metadata["checkpoint"]["metrics"]["musical_f0_error"] = 1.5
    metadata["criteria"][0]["numbers"][1]["value"] = 1.5
    metadata["criteria"][0]["text"] = "All numbers hold."
    (line,) = changes(before, metadata)
    assert line.startswith("pitch error: 1.5 cents")


@pytest.mark.parametrize(
    "place", [("lineage", "runs", "export"), ("approval", "text"), ("criteria", 2, "text")]
)
def test_what_is_worded_by_morphene_or_made_the_same_bytes_again_is_no_fact(
    metadata: dict[str, Any], place: tuple[Any, ...]
) -> None:
    before = deepcopy(metadata)
    at(metadata, *place[:-1])[place[-1]] = "Otherwise."
    assert changes(before, metadata) == []
    assert same_but_for_timing(before, metadata)


def test_a_metric_that_is_gone_is_named(metadata: dict[str, Any]) -> None:
    before = deepcopy(metadata)
    del metadata["checkpoint"]["metrics"]["musical_f0_error"]
    (line,) = changes(before, metadata)
    assert line.startswith("pitch error: nothing cents (was ")


def test_what_an_older_format_does_not_say_is_not_taken_for_a_change(
    metadata: dict[str, Any],
) -> None:
    before = deepcopy(metadata) | {"format": 1}
    del before["made_with"], before["terms"]["rights"]["not_covered"]
    assert changes(before, metadata) == []
    assert HOW_MADE in changes_text(metadata, {1: before})
    metadata["terms"]["rights"]["not_covered"] = ["Fire (own)"]
    assert changes(before, metadata) == ["not covered by the rights decision: Fire (own)"]


# Whatever changes is named: a property.


def places_in(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the places of all values, lists and objects among them."""
    if place:
        yield place
    entries = data.items() if isinstance(data, dict) else ()
    entries = enumerate(data) if isinstance(data, list) else entries
    for key, value in entries:
        yield from places_in(value, (*place, key))


def another(value: Any, word: str) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return value[1:] if value else [word]
    if isinstance(value, dict):
        return value | {word: 1}
    return f"{value or ''}{word}"


@st.composite
def changed(draw: st.DrawFn, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata with some of their values changed, as far as the schema lets them."""
    after = deepcopy(metadata)
    for _ in range(draw(st.integers(0, 3))):
        # Of another format nothing is known but what both say: see the test above.
        places = [place for place in places_in(after) if place != ("format",)]
        *above, last = draw(st.sampled_from(places))
        whole = at(after, *above)
        before = whole[last]
        whole[last] = another(before, draw(st.text("abc", min_size=1, max_size=3)))
        if schema_faults(after):
            whole[last] = before
    return after


@settings(max_examples=150)
@given(st.data())
def test_whatever_makes_a_new_version_is_named_and_nothing_else_is(
    made_once: dict[str, Any], data: st.DataObject
) -> None:
    after = data.draw(changed(made_once))
    facts, others = (
        {key: value for key, value in facts_of(of).items() if key not in ("format", "made_with")}
        for of in (made_once, after)
    )
    lines = changes_text(after, {1: made_once}).splitlines()
    named = any(line.startswith("- ") for line in lines)
    assert named == (facts != others)
    remade = not named and not same_but_for_timing(made_once, after)
    assert (HOW_MADE in lines) == remade
    assert (THE_SAME in lines) == (not named and not remade)
