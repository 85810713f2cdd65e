import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from morphene_core.audio.wav import SAMPLE_RATE, write_wav
from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.card import IN_WORDS, card_text, write_card
from morphene_core.delivery.demo import DEMO_SECONDS
from morphene_core.delivery.metadata import describe
from morphene_core.delivery.model import model_of
from morphene_core.delivery.patches.wording import BUFFERS, buffer_label
from morphene_core.errors import InputError
from morphene_core.metrics import METRICS
from tests.deliverable import clear_rights, make_deliverable

ELSEWHERE = ("https://github.com/acids-ircam/nn_tilde/releases",)
PICTURES = {"musical": "One", "nonmusical": "Other", "morph": "Way"}

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the metadata of an instrument that holds all criteria, as a delivery has them."""
    paths = make_deliverable(tmp_path_factory.mktemp("deliverable"))
    clear_rights(paths)
    return json.loads(json.dumps(describe(candidate(paths), 1, None)))


@pytest.fixture
def metadata(made_once: dict[str, Any]) -> dict[str, Any]:
    return deepcopy(made_once)


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def inside(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from inside(token.children or [])


def shown(text: str) -> str:
    """Return what a reader sees, a line for each block."""
    blocks = [token for token in parsed(text) if token.type == "inline"]
    return "\n".join("".join(t.content for t in block.children or []) for block in blocks)


def targets(text: str) -> list[str]:
    """Return what a page links to, pictures included."""
    attributes = {"link_open": "href", "image": "src"}
    found = (t.attrs[attributes[t.type]] for t in inside(parsed(text)) if t.type in attributes)
    return [str(target) for target in found]


def headings(text: str) -> list[str]:
    tokens = parsed(text)
    return [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]


def fail(*names: str) -> Change:
    def change(metadata: dict[str, Any]) -> None:
        for criterion in metadata["criteria"]:
            if criterion["name"] in names:
                criterion["passed"] = False
                criterion["text"] = f"It misses what {criterion['name']} asks for."
                for number in criterion["numbers"][:1]:
                    number.update(passed=False, value=None)

    return change


def test_every_link_and_picture_of_a_delivered_card_is_there(
    metadata: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("musical", "nonmusical", "morph"):
        (tmp_path / f"from-the-audit-{name}.png").write_bytes(b"picture of " + name.encode())
    folder = tmp_path / "delivery"
    write_wav(folder / "demo.wav", np.sin(np.arange(round(DEMO_SECONDS * SAMPLE_RATE)) / 20) / 4)
    pictures = {name: tmp_path / f"from-the-audit-{name}.png" for name in PICTURES}
    write_card(folder, metadata, pictures)
    text = (folder / "README.md").read_text()
    slug = metadata["instrument"]["slug"]
    delivered = {
        f"{slug}.ts", f"{slug}.pd", f"{slug}.maxpat", "CHECKLIST.md", "LICENCE.md", "CHANGES.md",
        "ATTRIBUTIONS.md", "metadata.json", "metadata.schema.json",
    }  # fmt: skip
    linked = {target for target in targets(text) if target not in ELSEWHERE}
    assert linked - delivered == {"demo.wav"} | {f"pictures/{n}.png" for n in (*PICTURES, "demo")}
    assert all((folder / name).is_file() for name in linked - delivered)
    assert delivered <= linked
    for name in PICTURES:
        assert (folder / f"pictures/{name}.png").read_bytes() == b"picture of " + name.encode()
    assert (folder / "pictures/demo.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_is_missing_is_left_out(metadata: dict[str, Any], tmp_path: Path) -> None:
    write_wav(tmp_path / "demo.wav", np.zeros(SAMPLE_RATE))
    write_card(tmp_path, metadata, {})
    pictures = [t for t in targets((tmp_path / "README.md").read_text()) if "pictures/" in t]
    assert pictures == ["pictures/demo.png"]


def test_without_a_demo_there_is_no_card(metadata: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"demo\.wav"):
        write_card(tmp_path, metadata, {})


def test_the_same_delivery_gives_the_same_card(metadata: dict[str, Any], tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_wav(tmp_path / name / "demo.wav", np.sin(np.arange(SAMPLE_RATE) / 20) / 4)
        write_card(tmp_path / name, metadata, {})
    for file in ("README.md", "pictures/demo.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_what_failed_is_said_first(metadata: dict[str, Any]) -> None:
    fail("morph_progression", "musicality")(metadata)
    text = card_text(metadata, {})
    seen = shown(text)
    assert "It does not hold 2 of the 5 criteria" in seen
    assert "morph progression and musicality" in seen
    questions = [title for title in headings(text) if title.endswith("?")]
    assert questions[:2] == [
        "Is the way between them even, and without faults?",
        "Did somebody listen, and find it good to play?",
    ]
    assert len(questions) == 5
    assert "It misses what musicality asks for." in seen and "not measurable" in seen
    assert text.index("**No.**") < text.index("Yes. ")


def test_an_instrument_that_holds_everything_says_so(metadata: dict[str, Any]) -> None:
    text = card_text(metadata, {})
    assert "It holds all 5 criteria" in text
    assert not any(word in text for word in ("**No.**", "**missed**", "- Bad:"))


def test_numbers_are_put_in_plain_words_the_bad_ones_first(metadata: dict[str, Any]) -> None:
    fail("musical_reconstruction")(metadata)  # its first number misses: the spectral distance
    seen = shown(card_text(metadata, {}))
    bad = "Bad: its spectrum is far from that of the musical source."
    assert bad in seen and "Good: it plays in tune; " in seen
    assert seen.index(bad) < seen.index("Good: ") < seen.index("Does it play")


@pytest.mark.parametrize(
    ("threshold", "unit", "words"),
    [
        (1, "octaves", "at most 1 octave |"),
        (1.0, "cents", "at most 1 cent |"),
        (1.2, "octaves", "at most 1.2 octaves |"),
        (0.5, "octaves", "at most 0.5 octaves |"),
        (1, "dB", "at most 1 dB |"),
        (1, "per second", "at most 1 per second |"),
        (0.01, "share of frames", "at most 1 % of frames |"),
        (1, "ms", "at most 1 ms |"),
        (1, "", "at most 1 |"),
    ],
)
def test_one_of_a_unit_is_told_in_the_singular(
    metadata: dict[str, Any], threshold: float, unit: str, words: str
) -> None:
    changed = {"threshold": threshold, "unit": unit, "better": "lower", "provisional": False}
    metadata["criteria"][0]["numbers"][1].update(changed)
    assert words in card_text(metadata, {})


def test_every_metric_has_its_plain_words() -> None:
    assert set(IN_WORDS) == set(METRICS)


def test_what_does_not_ship_says_so_at_the_top(metadata: dict[str, Any]) -> None:
    assert "NOT SHIPPABLE" not in card_text(metadata, {})
    metadata["notice"] = "NOT SHIPPABLE: made with the profile 'demo'. Shows the path."
    first, second = card_text(metadata, {}).split("\n\n")[:2]
    assert first.startswith("# ") and "NOT SHIPPABLE" in second


def test_it_tells_who_approved_it_and_how_it_was_made(metadata: dict[str, Any]) -> None:
    seen = shown(card_text(metadata, {}))
    training = metadata["training"]
    for fact in (
        metadata["approval"]["text"], f"{training['steps']:,} steps", training["hardware"],
        metadata["checkpoint"]["reason"], metadata["terms"]["licence"], "The musical takes",
    ):  # fmt: skip
        assert fact in seen, fact
    assert "Ada approved step 300,000" in seen and "Bo decided on" in seen


def test_it_tells_the_latency_for_each_buffer_and_the_machine(metadata: dict[str, Any]) -> None:
    seen = shown(card_text(metadata, {})).splitlines()
    model = model_of(metadata)
    assert [buffer_label(model, size) for size in BUFFERS] == [
        line for line in seen if line.endswith(("lowest latency", "default", "safest"))
    ]
    assert any(metadata["realtime"]["machine"]["cpu"] in line for line in seen)
    assert any(metadata["realtime"]["verdict"] in line for line in seen)


def test_without_a_real_time_proof_there_is_no_such_section(metadata: dict[str, Any]) -> None:
    metadata["realtime"] = {}
    assert "Speed and latency" not in headings(card_text(metadata, {}))


def test_whether_the_model_heard_the_demo_before_is_said(metadata: dict[str, Any]) -> None:
    texts = []
    for never_heard in (True, False):
        metadata["audio"]["demo"]["never_heard"] = never_heard
        texts.append(card_text(metadata, {}))
    assert "never heard them" in texts[0] and "may have been trained on these" in texts[1]


def test_all_rows_of_all_tables_have_the_columns_of_their_heads(metadata: dict[str, Any]) -> None:
    fail("musical_reconstruction")(metadata)
    text = card_text(metadata, PICTURES)
    for table in (block for block in text.split("\n\n") if block.startswith("| ")):
        assert len({len(row.replace("\\|", "").split("|")) for row in table.splitlines()}) == 1
    assert [t.type for t in parsed(text)].count("table_open") >= 9


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=40))
def test_odd_words_are_shown_as_they_are_and_do_nothing(
    made_once: dict[str, Any], odd: str
) -> None:
    metadata = deepcopy(made_once)
    metadata["instrument"] |= {"name": odd, "musical_source": odd, "nonmusical_source": odd}
    metadata["lineage"]["sources"][0]["source"] = odd
    metadata["checkpoint"]["reason"] = metadata["approval"]["text"] = odd
    metadata["criteria"][0]["text"] = odd
    text = card_text(metadata, {})
    plain_text = card_text(made_once, {})
    assert targets(text) == targets(plain_text)
    assert len(headings(text)) == len(headings(plain_text))
    assert [t.type for t in parsed(text)].count("tr_open") == [
        t.type for t in parsed(plain_text)
    ].count("tr_open")
    assert not [t for t in inside(parsed(text)) if t.type.startswith("html")]
