"""The catalogue: a TOML file of instruments, and a user's own beside it."""

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from morphene_core.errors import InputError
from morphene_core.instruments.definition import Instrument

BUILT_IN = Path(__file__).with_name("catalogue.toml")

VARIABLE = "MORPHENE_CATALOG"
"""Environment variable that names a user's own catalogue."""

Entry = dict[str, Any]


def load_catalogue(own: Path | None = None) -> tuple[Instrument, ...]:
    """Return all instruments, by number.

    A user's catalogue extends Morphene's: an entry with a slug that is there changes the fields it
    names, any other entry adds an instrument. With ``replace = true`` at its top it stands alone.

    Args:
        own: the user's catalogue; by default the file that MORPHENE_CATALOG names, if any.

    Raises:
        InputError: a file is missing or not valid; entry and field are named.
    """
    variable = os.environ.get(VARIABLE)
    path = own or (Path(variable).expanduser() if variable else None)
    entries, replace = _read(path) if path else ([], False)
    if not replace:
        entries = _extended(_read(BUILT_IN)[0], entries)
    where = path or BUILT_IN
    instruments = [_instrument(entry, where) for entry in entries]
    _require_distinct(instruments, where)
    return tuple(sorted(instruments, key=lambda instrument: instrument.number))


def _read(path: Path) -> tuple[list[Entry], bool]:
    """Return the entries of a catalogue file, and whether it replaces Morphene's."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}. {VARIABLE} must name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    unknown = set(data) - {"instrument", "replace"}
    entries = data.get("instrument", [])
    if unknown or not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        what = (
            f"{sorted(unknown)[0]!r} is unknown" if unknown else "instrument is no list of tables"
        )
        raise InputError(f"{path}: {what}. A catalogue holds [[instrument]] entries and `replace`.")
    replace = data.get("replace", False)
    if not isinstance(replace, bool):
        raise InputError(f"{path}: replace must be true or false.")
    if replace and not entries:
        raise InputError(f"{path}: replace = true, and no [[instrument]] in it. Add some.")
    return entries, replace


def _extended(base: list[Entry], changes: list[Entry]) -> list[Entry]:
    by_slug = {entry["slug"]: entry for entry in base}
    added = []
    for entry in changes:
        slug = entry.get("slug")
        if isinstance(slug, str) and slug in by_slug:
            by_slug[slug] = by_slug[slug] | entry
        else:
            added.append(entry)
    return [*by_slug.values(), *added]


def _instrument(entry: Entry, path: Path) -> Instrument:
    try:
        return Instrument(**entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "range"
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {_label(entry)}: {field}: {reason}.") from error


def _label(entry: Entry) -> str:
    known = [str(entry[key]) for key in ("number", "slug") if key in entry]
    return f"instrument {' '.join(known)}" if known else "an instrument without number and slug"


def _require_distinct(instruments: Iterable[Instrument], path: Path) -> None:
    seen: dict[object, Instrument] = {}
    for instrument in instruments:
        pair = f"{instrument.musical_source} + {instrument.nonmusical_source}".casefold()
        for field, value in (
            ("number", instrument.number),
            ("slug", instrument.slug),
            ("name", instrument.name.casefold()),
            ("pairing", pair),
        ):
            if other := seen.get((field, value)):
                raise InputError(
                    f"{path}: instrument {instrument.number} {instrument.slug}: {field}: {value!r}"
                    f" is taken by {other.number} {other.slug}."
                )
            seen[field, value] = instrument
