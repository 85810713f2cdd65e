"""Markdown of the pages in a delivery."""

import re
from collections.abc import Sequence

_SPECIAL = re.compile(
    r"(?<=[^\W_])_+(?=[^\W_])"  # within a word, as in many a name and address: left as it is
    r"|([\\`*_{}\[\]<>|~$]|(?<!\S)#|&(?=#?\w+(;|$)))"
)


def plain(text: object) -> str:
    """Return a text on one line that Markdown shows as it is written."""
    line = _SPECIAL.sub(_escaped, " ".join(str(text).split()))
    return re.sub(r"^(\d+)([.)])(?=\s|$)|^([-+=])", _escaped_start, line)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table.

    Args:
        head: of its columns.
        rows: their cells, as Markdown.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else found[0]


def _escaped_start(found: re.Match[str]) -> str:
    """Escape what would begin a list or underline a heading."""
    number, mark, dash = found.groups()
    return f"{number}\\{mark}" if number else f"\\{dash}"
