"""Changes to a manifest that leave comments, order and spelling in it as people wrote them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

import tomlkit
from tomlkit.items import AoT


def table_of(edited: tomlkit.TOMLDocument, name: str) -> Any:
    """Return the manifest's table of a source; a new one if it has none."""
    tables: Any = edited.setdefault("source", tomlkit.aot())
    for table in tables:
        if str(table.get("name", "")).strip().casefold() == name.casefold():
            return table
    table = tomlkit.table()
    table.add("name", name)
    table.trivia.indent = "" if tomlkit.dumps(edited).endswith("\n\n") else "\n"
    tables.append(table)
    return tables[-1]


@contextmanager
def before_what_follows(table: Any) -> Iterator[None]:
    """Have new fields follow the last one: the comments after that are the next source's."""
    body = table.value.body
    following = _following(table)
    del body[len(body) - len(following) :]
    yield
    body.extend(following)


def _following(table: Any) -> list[Any]:
    """Return the comments and empty lines between a source's last field and the next source."""
    return list(takewhile(lambda entry: entry[0] is None, reversed(table.value.body)))[::-1]


def delete(edited: tomlkit.TOMLDocument, index: int) -> None:
    """Delete a source, and no comment on the next one."""
    tables: Any = edited["source"]
    following = [item for _, item in _following(tables[index])]
    del tables[index]
    if index < len(tables):
        text = "".join(item.as_string() for item in following)
        tables[index].trivia.indent = text + tables[index].trivia.indent
    else:
        if not tables:
            edited.remove("source")  # or else it is written as an empty list
        for item in following:
            edited.add(item)


def enter(table: Any, taken: dict[str, str]) -> None:
    """Note files and their hashes; one that is registered and was changed gets its new hash."""
    registered = {str(PurePosixPath(file["path"])): file for file in table.get("files", [])}
    for path in registered.keys() & taken:
        registered[path]["sha256"] = taken[path]
    new = [path for path in taken if path not in registered]
    _append(table, "files", [{"path": p, "sha256": taken[p], "seconds": 0.0} for p in new])


def follow(edited: tomlkit.TOMLDocument, moved: dict[str, str]) -> None:
    """Note where registered files lie now: ``moved`` are their paths before by their new ones."""
    new = {before: path for path, before in moved.items()}
    tables: Any = edited["source"]
    for table in tables if moved else ():
        for file in table.get("files", []):
            path = str(PurePosixPath(file["path"]))
            file["path"] = new.get(path, path)


def _append(table: Any, key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows to an array of the manifest, one line each."""
    if not rows:
        return
    if key not in table:
        table.add(key, tomlkit.array().multiline(True))
    for row in rows:
        # [[source.files]] is another way to write it.
        line = tomlkit.table() if isinstance(table[key], AoT) else tomlkit.inline_table()
        line.update(row)
        table[key].append(line)


def note_durations(table: Any, seconds: dict[str, float]) -> None:
    """Note the durations of files, by their paths."""
    for file in table.get("files", []):
        path = str(PurePosixPath(file["path"]))
        if path in seconds:
            file["seconds"] = round(seconds[path], 3)


def changes_of(table: Any, facts: dict[str, Any]) -> str:
    """Return which fields of a source that was there facts change, and how; else nothing."""
    before = {key: table[key] for key in facts if key in table and table[key] != facts[key]}
    return "; ".join(f"{key}: {old} became {facts[key]}" for key, old in before.items())


def record(table: Any, what: str) -> None:
    """Note what was done with a source."""
    _append(table, "history", [{"at": datetime.now(UTC).replace(microsecond=0), "what": what}])
