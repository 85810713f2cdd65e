"""Text that Markdown shows as it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from morphene_core.delivery.markdown import plain, table

COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(text: str, block: str = "paragraph") -> str:
    """Return what a reader sees of one block; fail if there is anything else."""
    first, line, last = COMMONMARK.parse(text)
    assert (first.type, line.type, last.type) == (f"{block}_open", "inline", f"{block}_close")
    children = line.children or []
    assert {t.type for t in children} <= {"text", "text_special"}
    return "".join(t.content for t in children)


@pytest.mark.parametrize(
    "odd",
    [
        "*not bold* _at all_ `code` ~~gone~~",
        "[a link](https://example.org) ![a picture](x.png)",
        "<script>alert(1)</script> &amp; <b>",
        "a | b || c",
        "# no heading #",
        "1. no list",
        "- no list",
        "+ no list",
        "=== ---",
        "back\\slash \\* and\nbreaks\n\n| tables |",
    ],
)
def test_markdown_in_names_is_shown_as_it_is_written(odd: str) -> None:
    assert shown(plain(odd)) == " ".join(odd.split())


@given(st.text(r"_*~`&#!$[](){}<>|\\ab1;:/.-+= ", min_size=1).filter(str.strip))
def test_whatever_is_written_is_shown_as_it_is_in_a_heading_as_well(odd: str) -> None:
    assert shown(plain(odd)) == " ".join(odd.split())
    assert shown(f"# {plain(odd)}", "heading") == " ".join(odd.split())


@pytest.mark.parametrize(
    "text",
    [
        "freesound_user_12",
        "a__b",
        "https://freesound.org/people/some_one/sounds/1_2/?a=b&c=d#top!",
        "Rock & roll!",
        "C#",
    ],
)
def test_what_markdown_would_not_read_is_left_as_it_is(text: str) -> None:
    assert plain(text) == shown(text) == text


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
