"""The instruments of the catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """One neural audio instrument: a musical source blended with a non-musical one.

    Attributes:
        number: place in the catalogue, 1-50.
        slug: permanent name in paths, partitions and files.
        name: name that musicians read.
        musical_source: the pitched source, in a word or two.
        nonmusical_source: the texture it is blended with.
    """

    number: int
    slug: str
    name: str
    musical_source: str
    nonmusical_source: str


ALL_INSTRUMENTS = (Instrument(10, "pyroviolin", "Pyroviolin", "violin", "fire"),)


def get_instrument(key: int | str) -> Instrument:
    """Return the instrument with this number or slug (in any case).

    Raises:
        KeyError: there is none; the message lists those that there are.
    """
    wanted = str(key).strip().lower()
    for instrument in ALL_INSTRUMENTS:
        if wanted in (str(instrument.number), instrument.slug):
            return instrument
    known = ", ".join(f"{i.number} {i.slug}" for i in ALL_INSTRUMENTS)
    raise KeyError(f"There is no instrument {key!r}. The catalogue has: {known}.")


def get_poc_instrument() -> Instrument:
    """Return the proof of concept, number 10: Pyroviolin."""
    return get_instrument(10)
