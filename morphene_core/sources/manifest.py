"""The manifest of a role's recordings: whose they are, under which licence, and their hashes.

A TOML file beside the folder of the recordings (``sources/{instrument}/musical.toml``), made to be
read and edited by hand: what Morphene changes in it leaves comments and order as they are.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import tomlkit
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from tomlkit.items import AoT

from morphene_core.errors import InputError
from morphene_core.files import locked, write_text
from morphene_core.sources.licences import (
    OWN,
    Terms,
    known_terms,
    similar_licences,
    spdx_identifier,
)
from morphene_core.sources.lines import line_of

Origin = Literal["recorded", "licensed", "commissioned", "synthesized"]


def _no_number(value: object) -> object:
    if isinstance(value, (bool, int, float)):  # which pydantic takes for seconds since 1970
        raise ValueError("write it like 2027-12-31")
    return value


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Flag = Annotated[bool, Field(strict=True)]
_Day = Annotated[date, BeforeValidator(_no_number)]
_HEADER = """\
# The {role} recordings of {slug}: whose they are, and under which licence.
# Written by `morphene sources add` and by hand; docs/sources.md says what each field means.
"""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Entry):
    """A registered file: its place below the role's folder (POSIX), its hash, its duration."""

    path: Annotated[str, StringConstraints(min_length=1)]  # it may begin or end with a space
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0.0

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError("paths are relative to the folder of the recordings")
        return str(PurePosixPath(path))


class Event(_Entry):
    """Something that was done with a source."""

    at: datetime
    what: _Text


class Source(_Entry):
    """Recordings of one origin and one licence.

    Attributes:
        name: what people call it; no two sources of a role share one.
        origin: recorded (by the team), licensed, commissioned or synthesized.
        licence: SPDX identifier, "own", or the name of a licence whose ``document`` is attached.
        document: contract or consent, relative to the instrument's folder of sources.
        document_sha256: its hash.
        commercial: whether instruments made from it may be sold, where the licence does not say.
        derivatives: whether anything may be made from it, likewise.
        share_alike: whether what is made from it has to carry its licence, likewise.
        attribution: text that names the author.
        expires: last day of the licence.
        rating: quality, 1 (usable at best) to 5 (flawless).
        notes: anything else.
        expected_seconds: audio that was promised or commissioned and is not there yet.
        files: what is there.
        history: what was done with it.
    """

    name: _Text
    origin: Origin
    licence: _Text
    document: _Text | None = None
    document_sha256: str | None = None
    commercial: _Flag | None = None
    derivatives: _Flag | None = None
    share_alike: _Flag | None = None
    attribution: str = ""
    expires: _Day | None = None
    rating: Annotated[int, Field(ge=1, le=5, strict=True)] | None = None
    notes: str = ""
    expected_seconds: Annotated[float, Field(gt=0, lt=1e7, strict=True)] | None = None
    files: tuple[File, ...] = ()
    history: tuple[Event, ...] = ()

    @field_validator("licence")
    @classmethod
    def _spell_licence(cls, licence: str) -> str:
        return spdx_identifier(licence) or licence

    @model_validator(mode="after")
    def _check_licence(self) -> "Source":
        known = known_terms(self.licence)
        if self.licence == OWN and self.origin not in ("recorded", "synthesized"):
            raise ValueError(
                f'licence: "own" is for what you recorded or synthesized yourself,'
                f" not for {self.origin} sources"
            )
        if spdx_identifier(self.licence) is None and not self.document:
            raise ValueError(f"licence: {_unknown(self.licence)}")
        for term in ("commercial", "derivatives"):
            stated, implied = getattr(self, term), getattr(known, term, None)
            if stated is None and implied is None:
                raise ValueError(
                    f"{term}: say true or false; the name {self.licence!r} does not tell Morphene"
                )
            if stated and implied is False and not self.document:
                raise ValueError(
                    f"{term}: {self.licence} forbids it; attach the document that allows it"
                )
        if self.share_alike is False and known and known.share_alike and not self.document:
            raise ValueError(
                f"share_alike: {self.licence} asks for it; attach the document that waives it"
            )
        return self

    @property
    def terms(self) -> Terms:
        """What the licence allows: as stated, else by its identifier."""
        known = known_terms(self.licence) or Terms(False, False, False, False)
        return Terms(
            known.commercial if self.commercial is None else self.commercial,
            known.derivatives if self.derivatives is None else self.derivatives,
            known.attribution,
            known.share_alike if self.share_alike is None else self.share_alike,
        )


class Manifest(_Entry):
    """All sources of one role of an instrument."""

    source: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _check_distinct(self) -> "Manifest":
        seen: set[tuple[str, str]] = set()
        for number, source in enumerate(self.source):
            _require_new("name", source.name, seen, ("source", number, "name"))
            for index, file in enumerate(source.files):
                _require_new("file", file.path, seen, ("source", number, "files", index, "path"))
        return self

    def find(self, name: str) -> Source | None:
        """Return the source of this name, in any case, or None."""
        return next((s for s in self.source if s.name.casefold() == name.casefold()), None)


def _require_new(
    what: str, value: str, seen: set[tuple[str, str]], place: tuple[int | str, ...]
) -> None:
    key = what, value.casefold() if what == "name" else value
    if key in seen:
        text = f"the {what} {value!r} stands here twice"
        raise PydanticCustomError("twice", "{text}", {"text": text, "place": place})
    seen.add(key)


def read_manifest(path: Path) -> Manifest:
    """Return a manifest; an empty one where there is no file.

    Raises:
        InputError: the file is not valid; line and field are named.
    """
    return _validated(path, _text(path))


@contextmanager
def edit_manifest(path: Path, slug: str, role: str) -> Iterator[tomlkit.TOMLDocument]:
    """Give a manifest to change; it is checked and written, complete, once the block ends well.

    Raises:
        InputError: the manifest is not valid, before or after, or another process changes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{path} is being changed by another `morphene sources`. Wait for that, then try again."
    with locked(path.with_name(f".{path.name}.lock"), busy):
        text = _text(path) or _HEADER.format(role=role, slug=slug)
        _validated(path, text)
        document = tomlkit.parse(text if text.endswith("\n") else text + "\n")
        if not isinstance(document.get("source", tomlkit.aot()), AoT):
            raise InputError(f"{path}: write each source under a [[source]] of its own.")
        yield document
        validated(path, document)
        changed = tomlkit.dumps(document)
        if changed != text:
            write_text(path, changed)


def validated(path: Path, document: tomlkit.TOMLDocument) -> Manifest:
    """Return the manifest that a changed document is.

    Raises:
        InputError: it is not valid; the field is named.
    """
    return _validated(path, tomlkit.dumps(document), written=False)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: {error.reason}. Save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _validated(path: Path, text: str, written: bool = True) -> Manifest:
    try:
        return Manifest(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        # A misspelt field is also a missing one: the misspelling is what has to be said.
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise InputError(_explain(path, text, first, written)) from error


def _explain(path: Path, text: str, error: ErrorDetails, written: bool) -> str:
    """Return one line that names the file, the field, and the line if the text is in the file.

    The place is where pydantic found the mistake: ("source", 3, "files", 0, "sha256"), or less for
    one of a whole source, whose text then begins with the field.
    """
    loc = error.get("ctx", {}).get("place", error["loc"])
    reason = error["msg"].removeprefix("Value error, ").rstrip(".")
    reason = reason.replace("a valid tuple", "a list, each item under [[source]]")
    if len(loc) == 2 and error["type"] == "value_error":
        field, _, reason = reason.partition(": ")
        loc = (*loc, field)
    if error["type"] == "missing":
        reason = "is missing"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), _fields(loc), n=1)
        reason = f"no such field, did you mean {near[0]}?" if near else "no such field"
    named = ".".join(str(part) for part in loc[2:])
    if len(loc) > 1 and isinstance(loc[1], int):
        entry = tomllib.loads(text)["source"][loc[1]]
        name = entry.get("name", loc[1] + 1) if isinstance(entry, dict) else loc[1] + 1
        named += f"{' of ' if named else ''}source {name!r}"
    where = f"{path}, line {line_of(text, loc)}" if written else f"{path}"
    end = "" if reason.endswith("?") else "."
    return f"{where}: {named or loc[0]}: {reason}{end}"


def _fields(loc: tuple[int | str, ...]) -> list[str]:
    if len(loc) < 3:
        return ["source"]
    models: dict[int | str, type[_Entry]] = {"files": File, "history": Event}
    return list((models.get(loc[2], Source) if len(loc) > 3 else Source).model_fields)


def _unknown(licence: str) -> str:
    near = similar_licences(licence)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"{licence!r} is no SPDX identifier (https://spdx.org/licenses).{meant} A licence of its"
        " own needs its document attached"
    )
