"""The listening room as it is served, and requests to it as any program could make them."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from morphene_core.home import Home
from morphene_core.listening import create_app

TOKEN = "a-token-for-tests"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Room:
    """A listening room that is being served."""

    home: Home
    port: int
    token: str = field(default=TOKEN, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """Send a request as it stands; underscores in the names of headers are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        """Send JSON as a page of the room does."""
        own = {
            "content_type": "application/json",
            "x_morphene_token": self.token,
            "origin": self.url,
            "sec_fetch_site": "same-origin",
        }
        return self.ask(path, "POST", json.dumps(data).encode(), **(own | headers))


def _script(text: str, _: Request) -> Response:
    return Response(text, media_type="text/javascript")


@contextmanager
def serving(home: Home, scripts: Mapping[str, str] | None = None) -> Iterator[Room]:
    """Serve a project folder on a free port, as `morphene_core.listening.serve` does.

    Args:
        home: the project folder.
        scripts: what a test adds to the static files, by name.
    """
    app = create_app(home, TOKEN)
    for name, text in (scripts or {}).items():
        app.router.routes.insert(0, Route(f"/static/{name}", partial(_script, text)))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Room(home, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)
