"""The instruments of the catalogue."""

import re
from difflib import get_close_matches

from morphene_core.instruments.catalogue import load_catalogue
from morphene_core.instruments.definition import Instrument

__all__ = ["ALL_INSTRUMENTS", "Instrument", "get_instrument", "get_poc_instrument"]

ALL_INSTRUMENTS = load_catalogue()


def get_instrument(key: int | str) -> Instrument:
    """Return the instrument with this number, or this slug in any case.

    Raises:
        KeyError: there is none; the message lists those with a similar name.
    """
    wanted = str(key).strip().casefold()
    for instrument in ALL_INSTRUMENTS:
        if wanted in (str(instrument.number), instrument.slug):
            return instrument
    near = [f"{i.number} {i.slug}" for i in _similar(wanted)]
    hint = f"Near: {', '.join(near)}" if near else "`morphene instruments` lists all"
    raise KeyError(f"There is no instrument {key!r}. {hint}.")


def get_poc_instrument() -> Instrument:
    """Return the proof of concept, number 10: Pyroviolin."""
    return get_instrument(10)


def _similar(wanted: str) -> list[Instrument]:
    if re.fullmatch(r"-?[0-9]{1,9}", wanted):
        nearest = sorted(ALL_INSTRUMENTS, key=lambda i: abs(i.number - int(wanted)))[:3]
        return sorted(nearest, key=lambda i: i.number)
    names = {i.slug: i for i in ALL_INSTRUMENTS} | {i.name.casefold(): i for i in ALL_INSTRUMENTS}
    matches = get_close_matches(wanted, names, n=4, cutoff=0.5)
    matches += [name for name in names if len(wanted) > 2 and wanted in name]
    return list({names[name].slug: names[name] for name in matches}.values())
