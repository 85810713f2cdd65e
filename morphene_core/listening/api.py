"""What the pages ask for and send, as JSON."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from morphene_core.criteria import load_thresholds
from morphene_core.errors import InputError
from morphene_core.files import locked
from morphene_core.home import Home, InstrumentPaths
from morphene_core.listening import views
from morphene_core.listening.answers import (
    HttpError,
    answer,
    body_of,
    number_of,
    refusal,
    text_of,
)
from morphene_core.listening.blind import BlindTests, question
from morphene_core.listening.guard import LARGEST_BODY
from morphene_core.listening.places import instrument_paths, training_folder
from morphene_core.listening.source_views import sources
from morphene_core.listening.states import current, selection_of
from morphene_core.listening.vote_views import votes
from morphene_core.selection import choose_checkpoint, select_checkpoint
from morphene_core.training import TrainingFolder, now
from morphene_core.verdicts import Verdict, VerdictConflict, read_verdicts, record_verdict

_WAIT_SECONDS = 10.0

Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """The JSON endpoints of one project folder.

    Args:
        home: the project folder.
        tests: the blind tests that are being taken.
    """

    def __init__(self, home: Home, tests: BlindTests) -> None:
        self._home, self._tests = home, tests

    @property
    def routes(self) -> list[Route]:
        """All endpoints."""
        one = "/api/instruments/{slug}"
        return [
            Route("/api/catalogue", self._catalogue),
            Route(one, self._instrument),
            Route(one + "/sources", self._sources),
            Route(one + "/votes", self._votes),
            Route(one + "/trainings/{training}/{step:int}", self._checkpoint),
            Route(one + "/verdicts", _writing(self._give_verdict), methods=["POST"]),
            Route(one + "/choices", _writing(self._choose), methods=["POST"]),
            Route(one + "/tests", _writing(self._begin_test), methods=["POST"]),
            Route("/api/tests/{test}", _writing(self._answer_test), methods=["POST"]),
        ]

    def _paths(self, request: Request) -> InstrumentPaths:
        return instrument_paths(self._home, request.path_params["slug"])

    def _catalogue(self, _: Request) -> Response:
        return answer(views.catalogue(self._home))

    def _instrument(self, request: Request) -> Response:
        return answer(views.instrument(self._home, self._paths(request)))

    def _sources(self, request: Request) -> Response:
        return answer(sources(self._home, self._paths(request)))

    def _votes(self, request: Request) -> Response:
        return answer(votes(self._home, self._paths(request)))

    def _checkpoint(self, request: Request) -> Response:
        training, step = request.path_params["training"], request.path_params["step"]
        return answer(views.checkpoint(self._home, self._paths(request), training, step))

    def _give_verdict(self, request: Request, data: dict[str, Any]) -> Response:
        """Record a verdict on the selected checkpoint, if that is the one that was heard."""
        paths = self._paths(request)
        folder = training_folder(paths, text_of(data, "training"))
        heard = text_of(data, "checkpoint_sha256")
        selection = selection_of(folder)
        if (
            selection is None
            or _ships(paths) != folder.path
            or selection.checkpoint_sha256 != heard
        ):
            return _not_selected(paths, folder)
        criteria = data.get("criteria")
        if not isinstance(criteria, dict) or not all(isinstance(v, str) for v in criteria.values()):
            raise InputError("'criteria' must be ratings by criterion.")
        verdict = Verdict(
            instrument=paths.slug,
            training=folder.path.name,
            step=selection.step,
            checkpoint_sha256=heard,
            decision=text_of(data, "decision"),
            criteria=criteria,
            notes=text_of(data, "notes", ""),
            listener=text_of(data, "listener").strip(),
            at=now(),
        )
        try:
            record_verdict(paths, verdict, number_of(data, "seen"))
        except VerdictConflict as conflict:
            theirs = [asdict(verdict) for verdict in conflict.verdicts]
            more = {"conflict": "verdict", "verdicts": theirs}
            return refusal(409, str(conflict), more | {"seen": len(read_verdicts(paths))})
        return answer({"verdict": asdict(verdict)}, 201)

    def _choose(self, request: Request, data: dict[str, Any]) -> Response:
        """Choose another checkpoint of the training that ships, if it is the one that was heard."""
        paths = self._paths(request)
        folder, step = training_folder(paths, text_of(data, "training")), number_of(data, "step")
        if folder.path != _ships(paths):
            raise HttpError(
                409, f"{folder.path.name} is not the training that ships: see its page."
            )
        if folder.read().checkpoint(step).sha256 != text_of(data, "checkpoint_sha256"):
            raise HttpError(409, f"Step {step:,} was replaced meanwhile. Reload, and listen again.")
        reason, who = text_of(data, "reason"), text_of(data, "listener").strip()
        known = text_of(data, "selected_sha256", "")
        busy = "Another choice is just being made. Try again."
        with locked(folder.path / ".choosing.lock", busy, _WAIT_SECONDS):
            selection = selection_of(folder)
            if selection and selection.checkpoint_sha256 != known:
                return _conflict(
                    folder, f"{selection.by} has selected step {selection.step:,} meanwhile."
                )
            choose_checkpoint(folder, step, reason, who)
            selected = select_checkpoint(folder, load_thresholds(self._home.path))
        return answer({"selection": asdict(selected)}, 201)

    def _begin_test(self, request: Request, data: dict[str, Any]) -> Response:
        wanted = data.get("sounds")
        if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
            raise InputError("'sounds' must be a list of what takes part.")
        test = self._tests.begin(
            self._paths(request),
            text_of(data, "kind"),
            text_of(data, "render"),
            wanted,
            number_of(data, "planned"),
            text_of(data, "listener"),
        )
        return answer(question(test), 201)

    def _answer_test(self, request: Request, data: dict[str, Any]) -> Response:
        test = request.path_params["test"]
        answered = self._tests.answer(test, text_of(data, "trial"), text_of(data, "answer"))
        return answer(question(answered))


def _writing(handle: Callable[[Request, dict[str, Any]], Response]) -> Endpoint:
    """Return an endpoint that gives a handler the JSON object that came, in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(handle, request, await body_of(request, LARGEST_BODY))

    return endpoint


def _ships(paths: InstrumentPaths) -> Path | None:
    """Return the folder of the training that ships."""
    folder = current(paths)
    return folder.path if folder else None


def _not_selected(paths: InstrumentPaths, folder: TrainingFolder) -> Response:
    """Return the refusal of a verdict on a checkpoint that is not, or no more, the selected one."""
    ships, selection = _ships(paths), selection_of(folder)
    if ships != folder.path:
        return _conflict(
            folder, f"The training that ships is {ships.name if ships else 'none'} now."
        )
    if selection is None:
        return _conflict(folder, "No checkpoint is selected now.")
    return _conflict(folder, f"Step {selection.step:,} is selected now, by {selection.by}.")


def _conflict(folder: TrainingFolder, what: str) -> Response:
    selection = selection_of(folder)
    text = f"{what} Nothing was recorded. Reload the page and listen to that one."
    more = {"conflict": "selection", "selection": asdict(selection) if selection else None}
    return refusal(409, text, more)
