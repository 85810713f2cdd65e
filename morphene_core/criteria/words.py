"""Numbers as a person reads them."""

import math

_SHARE = "share of "
_SINGULAR = {
    "cents": "cent",
    "octaves": "octave",
    "samples": "sample",
    "hours": "hour",
}
"""Of the units whose name tells that there are several."""


def in_words(value: float | None, unit: str) -> str:
    """Return a value with its unit, to three digits, such as "23.4 cents" or "1.2 % of frames".

    Args:
        value: what to tell; None and NaN are "not measurable".
        unit: as the metrics have it, in the plural; empty for a number without one.
    """
    if value is None or math.isnan(value):
        return "not measurable"
    if unit.startswith(_SHARE):
        return f"{_digits(100 * value)} % of {unit.removeprefix(_SHARE)}"
    digits = _digits(value)
    return f"{digits} {_SINGULAR.get(unit, unit) if digits == '1' else unit}".strip()


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
