"""What the server answers: JSON, and errors in words."""

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from morphene_core.errors import InputError


class HttpError(Exception):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        text: what is wrong and what to do.
        more: goes into the answer as well.
    """

    def __init__(self, status: int, text: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.more = status, text, dict(more or {})


def answer(data: Any, status: int = 200) -> Response:
    """Return data as JSON, in ASCII: half a character, which a log may hold, has no UTF-8."""
    text = json.dumps(plain(data), allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


def refusal(status: int, text: str, more: Mapping[str, Any] | None = None) -> Response:
    """Return an error as JSON: ``{"error": text}``."""
    return answer({"error": text, **(more or {})}, status)


def plain(data: Any) -> Any:
    """Return data that JSON can hold: numbers that are not finite become null, tuples lists."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    return data


async def body_of(request: Request, largest: int) -> dict[str, Any]:
    """Return the JSON object that came with a request.

    Raises:
        HttpError: it is longer than ``largest`` bytes, or no JSON object.
    """
    taken = bytearray()
    async for part in request.stream():
        taken += part
        if len(taken) > largest:
            raise HttpError(413, f"Too long: at most {largest // 1024} kB are taken. Shorten it.")
    try:
        data = json.loads(bytes(taken))
    except (ValueError, RecursionError) as error:
        raise HttpError(400, "This is no JSON.") from error
    if not isinstance(data, dict):
        raise HttpError(400, "This is no JSON object.")
    return data


def text_of(data: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return a text of a request's body.

    Raises:
        InputError: it is missing, or no text.
    """
    value = data.get(key, default)
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InputError(f"{key!r} must be a text of whole characters.")
    return value


def number_of(data: Mapping[str, Any], key: str) -> int:
    """Return a whole number, 0 or more, of a request's body.

    Raises:
        InputError: it is missing, or none.
    """
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"{key!r} must be a whole number.")
    return value
