"""What keeps other web pages away from the listening room.

The server listens on 127.0.0.1, but a page of any site may make the browser that shows it send
requests there. Therefore:

- the Host must be this machine by name, so that a foreign name that resolves to 127.0.0.1 (DNS
  rebinding) gets nothing;
- requests that browsers mark as coming from another site get nothing, unless they only open a page;
- what writes must come from a page of this server: by its Origin, and by a token that is in these
  pages only.

The pages themselves may load nothing from anywhere else, and run no script but the server's files.
"""

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from morphene_core.listening.answers import refusal

TOKEN_HEADER = "x-morphene-token"
LARGEST_BODY = 64 * 1024

_HOSTS = ("127.0.0.1", "localhost")
_SAFE = ("GET", "HEAD")
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """ASGI middleware that lets through what comes from the server's own pages.

    Args:
        app: what is guarded.
        token: must come with whatever writes.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application answer it."""
        if scope["type"] != "http":  # there are no web sockets here
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        reason = self._objection(scope)
        app = refusal(403, reason) if reason else self._app
        await app(scope, receive, send_guarded)

    def _objection(self, scope: Scope) -> str:
        """Return why a request is refused, or nothing."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS:
            return f"The listening room is at http://127.0.0.1, not at {host!r}."
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] in _SAFE:
            opens_page = headers.get("sec-fetch-mode", "navigate") == "navigate"
            if site in ("same-origin", "none") or opens_page:
                return ""
            return "Another page asked for this. Open the listening room itself."
        own = site in ("same-origin", "none")
        if not own or headers.get("origin", f"http://{host}") != f"http://{host}":
            return "Another page asked for this. Nothing was written."
        if not secrets.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return (
                "This page is from an earlier start of the listening room. Reload it: what you"
                " wrote is kept."
            )
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "What is written must come as application/json."
        return ""
