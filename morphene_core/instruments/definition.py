"""What the catalogue says of an instrument."""

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

Tier = Literal["flagship", "strong", "experimental"]

Dynamic = Literal["ppp", "pp", "p", "mp", "mf", "f", "ff", "fff"]
DYNAMICS: tuple[Dynamic, ...] = ("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff")

Texture = Literal["stationary", "granular", "impulsive", "pitched", "modulated"]

# Long texts are broken into lines in the file; what they are shown in breaks them anew.
Line = Annotated[
    str,
    StringConstraints(min_length=1),
    BeforeValidator(lambda text: " ".join(text.split()) if isinstance(text, str) else text),
]
Lines = Annotated[tuple[Line, ...], Field(min_length=1)]

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NOTE = re.compile(r"([A-G])(#|b)?(-?\d)")


def midi_number(note: str) -> int:
    """Return the MIDI number of a note in scientific pitch notation ("A4" is 69, "Bb3" is 58).

    Raises:
        ValueError: it is no such note.
    """
    if not (match := _NOTE.fullmatch(note.strip())):
        raise ValueError(f"{note!r} is no note: write it like G3, F#4 or Bb2")
    letter, accidental, octave = match.groups()
    shift = {"#": 1, "b": -1, None: 0}[accidental]
    return 12 * (int(octave) + 1) + _SEMITONES[letter] + shift


def note_name(midi: int) -> str:
    """Return the note of a MIDI number, with sharps (61 is "C#4")."""
    octave, step = divmod(midi, 12)
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return f"{names[step]}{octave - 1}"


class Instrument(BaseModel):
    """One neural audio instrument: a musical source blended with a non-musical one.

    Attributes:
        number: place in the catalogue; Morphene's own instruments are 1-50.
        slug: permanent name in paths, partitions and files. It never changes, the name may.
        name: name that musicians read.
        tier: flagship (proven pairings), strong (reliable) or experimental (higher risk).
        musical_source: the pitched source, in a word or two.
        nonmusical_source: the texture it is blended with.
        idea: how it is to sound, in two or three sentences.
        lowest_note: of the musical source's range, sounding pitch.
        highest_note: likewise.
        techniques: ways of playing to collect.
        articulations: how notes begin, join and end, to collect.
        dynamics: levels to collect, from the softest on.
        texture: kind of the non-musical source.
        variety: what to collect of the non-musical source.
        avoid: what must not be in its recordings.
        risks: what may go wrong with this pairing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[int, Field(ge=1, strict=True)]
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    name: Line
    tier: Tier
    musical_source: Line
    nonmusical_source: Line
    idea: Line
    lowest_note: Line
    highest_note: Line
    techniques: Lines
    articulations: Lines
    dynamics: Annotated[tuple[Dynamic, ...], Field(min_length=2)]
    texture: Texture
    variety: Lines
    avoid: Lines
    risks: Line

    @field_validator("lowest_note", "highest_note")
    @classmethod
    def _check_note(cls, note: str) -> str:
        midi_number(note)
        return note

    @field_validator("dynamics")
    @classmethod
    def _check_order(cls, dynamics: tuple[Dynamic, ...]) -> tuple[Dynamic, ...]:
        if list(dynamics) != sorted(set(dynamics), key=DYNAMICS.index):
            raise ValueError("dynamics go from the softest to the loudest, each once")
        return dynamics

    @model_validator(mode="after")
    def _check_range(self) -> "Instrument":
        if self.midi_range[0] >= self.midi_range[1]:
            raise ValueError("lowest_note must be below highest_note")
        return self

    @property
    def midi_range(self) -> tuple[int, int]:
        """MIDI numbers of the lowest and highest note."""
        return midi_number(self.lowest_note), midi_number(self.highest_note)
