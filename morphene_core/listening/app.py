"""The web application: pages, their data, and audio."""

import secrets
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import Home
from morphene_core.listening.answers import HttpError, refusal
from morphene_core.listening.api import Api
from morphene_core.listening.audio import audio_file
from morphene_core.listening.blind import BlindTests
from morphene_core.listening.guard import Guard
from morphene_core.listening.places import (
    export_file,
    instrument_paths,
    reference_file,
    render_file,
    source_file,
)

_STATIC = Path(__file__).with_name("static")


def create_app(home: Home, token: str | None = None) -> Starlette:
    """Return the listening room of a project folder, as an ASGI application.

    Args:
        home: the project folder.
        token: what its pages send with whatever they write; by default a new random one.
    """
    secret = token or secrets.token_urlsafe(24)
    tests = BlindTests(home)
    return Starlette(
        routes=[
            *_pages(home, secret),
            *Api(home, tests).routes,
            *_audio(home, tests),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(Guard, token=secret)],
        exception_handlers={
            HttpError: _http_error,
            HTTPException: _not_found,
            InputError: _input_error,
            MorpheneError: _morphene_error,
            Exception: _defect,
        },
    )


def _pages(home: Home, token: str) -> list[Route]:
    """Return the routes of the pages: one document, which its scripts fill."""
    html = (_STATIC / "index.html").read_text(encoding="utf-8").replace("{token}", token)

    def page(request: Request) -> Response:
        status = 200
        if slug := request.path_params.get("slug"):
            try:
                instrument_paths(home, slug)
            except HttpError as error:
                status = error.status  # the page says what is wrong
        return HTMLResponse(html, status)

    one = "/instruments/{slug}"
    places = ("/", one, one + "/sources", one + "/blind", one + "/trainings/{training}/{step:int}")
    return [Route(place, page) for place in places]


def _audio(home: Home, tests: BlindTests) -> list[Route]:
    def render(request: Request) -> Response:
        return audio_file(render_file(home, **request.path_params))

    def reference(request: Request) -> Response:
        return audio_file(reference_file(home, **request.path_params))

    def export(request: Request) -> Response:
        return audio_file(export_file(home, **request.path_params))

    def source(request: Request) -> Response:
        return audio_file(source_file(home, **request.path_params))

    def blind(request: Request) -> Response:
        return tests.sound(request.path_params["sound"])

    return [
        Route("/audio/audits/{slug}/{training}/{step:int}/{name}", render),
        Route("/audio/references/{slug}/{training}/{role}", reference),
        Route("/audio/exports/{slug}/{stem}/{name}", export),
        Route("/audio/sources/{slug}/{role}/{file_id}", source),
        Route("/audio/blind/{sound}", blind),
    ]


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return refusal(error.status, error.text, error.more)


def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    texts = {404: "There is nothing here. The catalogue is at /.", 405: "Not allowed here."}
    return refusal(error.status_code, texts.get(error.status_code, error.detail))


def _input_error(_: Request, error: Exception) -> Response:
    return refusal(400, str(error))


def _morphene_error(_: Request, error: Exception) -> Response:
    return refusal(500, str(error))


def _defect(_: Request, error: Exception) -> Response:  # the server logs it
    kind = type(error).__name__
    return refusal(500, f"The listening room failed ({kind}): the terminal it runs in says more.")
