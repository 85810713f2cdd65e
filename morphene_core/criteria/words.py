"""Numbers as a person reads them."""

import math

_SHARE = "share of "


def in_words(value: float | None, unit: str) -> str:
    """Return a value with its unit, to three digits, such as "23.4 cents" or "1.2 % of frames"."""
    if value is None or math.isnan(value):
        return "not measurable"
    if unit.startswith(_SHARE):
        return f"{_digits(100 * value)} % of {unit.removeprefix(_SHARE)}"
    return f"{_digits(value)} {unit}".strip()


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
