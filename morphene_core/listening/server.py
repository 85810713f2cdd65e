"""Serves the listening room on this machine."""

import socket
import threading
import webbrowser

import uvicorn

from morphene_core.errors import InputError
from morphene_core.home import Home
from morphene_core.listening.app import create_app
from morphene_core.progress import Report, silent

HOST = "127.0.0.1"

_STOP_SECONDS = 2


def serve(
    home: Home, port: int, open_browser: bool, report: Report = silent, place: str = ""
) -> None:
    """Serve the listening room of a project folder until Ctrl-C.

    It listens on 127.0.0.1 only: whoever may use this machine may use it.

    Args:
        home: the project folder.
        port: of the server; 0 takes one that is free.
        open_browser: whether to open it in the browser of this machine.
        report: takes the address.
        place: path of the page to open.

    Raises:
        InputError: the port is taken.
    """
    listener = _listen(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}/{place}"
    config = uvicorn.Config(
        create_app(home),
        log_level="warning",
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    report(f"Listening room: {address}  (Ctrl-C ends it)")
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"Port {port} of {HOST} cannot be used ({error.strerror}). Perhaps the listening room"
            " runs already; otherwise choose another with --port."
        ) from error
    return listener
