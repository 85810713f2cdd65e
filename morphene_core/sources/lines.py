"""On which line of a manifest a field stands."""

import re

_OPAQUE = re.compile(
    r"\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*", re.DOTALL
)
_KEY_FOLLOWS = re.compile(r"[ \t]*=")


def line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """Return the line of a field, from 1 on; if it is missing, of the source that it belongs to.

    Args:
        text: the manifest.
        loc: the field as ("source", number), or with a field of it, or with more: a number in a
            list, and a field there. ("other",) is one outside of the sources.
    """

    def blank(match: re.Match[str]) -> str:
        is_key = _KEY_FOLLOWS.match(text, match.end())
        return match[0] if is_key else re.sub(r"[^\n]", " ", match[0])

    # Strings and comments may hold whatever looks like a field.
    lines = _OPAQUE.sub(blank, text).split("\n")
    start, end = 0, len(lines)
    if len(loc) > 1 and isinstance(loc[1], int):
        start, end = _section(lines, 0, end, "source", loc[1])
    key = str(loc[2] if len(loc) > 2 else loc[0])
    if len(loc) > 3 and isinstance(loc[3], int):
        row, last = _section(lines, start, end, rf"source\s*\.\s*{key}", loc[3])
        if row > start:
            return _find(lines, row, last, str(loc[4] if len(loc) > 4 else "")) + 1
    number = _find(lines, start, end, key)
    if len(loc) > 3 and isinstance(loc[3], int):
        braces = [n for n in range(number, end) for _ in range(lines[n].count("{"))]
        number = [*braces[loc[3] : loc[3] + 1], number][0]
    return number + 1


def _section(lines: list[str], start: int, end: int, header: str, index: int) -> tuple[int, int]:
    """Return the first line of the table number ``index`` under a header, and the one after it."""
    pattern = re.compile(rf"\s*\[\[\s*{header}\s*\]\]\s*")
    headers = [number for number in range(start, end) if pattern.fullmatch(lines[number])]
    edges = [*headers, end]
    return (edges[index], edges[index + 1]) if index < len(headers) else (start, end)


def _find(lines: list[str], start: int, end: int, key: str) -> int:
    """Return the line on which a key is given a value, or else the first one."""
    for number in range(start, end):
        if lines[number].partition("=")[0].strip().strip("\"'") == key:
            return number
    return start
