"""Resources: the project folder, and the worker processes that do what needs RAVE."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.profiles import Profile, load_profile
from morphene_dagster.pipes import run_worker

_RETRIES = {"train": 100}  # a trainer itself bounds the attempts in a row that bring nothing
_FEW_RETRIES = 2
_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 10, 600  # the first is doubled each time


class Project(dg.ConfigurableResource):
    """The project folder (MORPHENE_HOME).

    Attributes:
        profile: training profile for this run, in place of the one in the folder's settings.
    """

    profile: str | None = None

    def paths(
        self, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext
    ) -> InstrumentPaths:
        """Return the paths of the partition's instrument."""
        return Home.resolve().instrument(context.partition_key)

    def training_profile(self, slug: str) -> Profile:
        """Return the profile that an instrument is trained with."""
        home = Home.resolve()
        return load_profile(self.profile or home.profile_name(slug), home.profiles)


class Workers(dg.ConfigurableResource):
    """Runs stages in processes of their own, through Dagster Pipes."""

    def run(
        self,
        context: dg.AssetExecutionContext,
        project: Project,
        stage: str,
        extras: Mapping[str, Any] | None = None,
        observe: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> Any:
        """Run a stage of the partition's instrument; return its result.

        Its progress goes to the run's log. A cancel of the run reaches it as SIGINT. If its process
        dies it is started again, and goes on from what is there.

        Args:
            context: of the asset.
            project: the project folder, with the profile of this run.
            stage: a key of `morphene_core.worker.STAGES`.
            extras: what the stage is told beside that.
            observe: takes what the stage observes, while it runs.

        Raises:
            dagster.Failure: what the user has to know; not retried if the input is at fault.
        """
        with user_errors():
            profile = project.training_profile(context.partition_key)
        threads = profile.training.threads
        answer: dict[str, Any] = {}

        def take(message: Mapping[str, Any]) -> None:
            if "observed" in message:
                observe(message["observed"])
            else:
                answer.update(message)

        status = run_worker(
            context,
            # -P: a folder named `scripts` where the user is must not shadow RAVE's.
            [sys.executable, "-P", "-m", "morphene_core.worker"],
            {"OMP_NUM_THREADS": str(threads)} if threads else {},
            {
                "stage": stage,
                "home": str(Home.resolve().path),
                "instrument": context.partition_key,
                "profile": profile.model_dump_json(),
                **(extras or {}),
            },
            take,
        )
        if "result" in answer:
            return answer["result"]
        if not answer.get("retry", True):
            raise dg.Failure(answer["error"], allow_retries=False)
        died = f"The {stage} process ended with status {status}, without a result."
        raise _retry_or_fail(context, stage, answer.get("error", died))


def _retry_or_fail(context: dg.AssetExecutionContext, stage: str, reason: str) -> Exception:
    """Return what makes Dagster try again, or fail for good after the last attempt.

    Not the asset's RetryPolicy: Dagster applies that to a cancelled run too, which would start the
    training again instead of ending it.
    """
    number, most = context.retry_number, _RETRIES.get(stage, _FEW_RETRIES)
    if number >= most:
        return dg.Failure(reason, allow_retries=False)
    context.log.warning(reason)
    delay = min(_DELAY_SECONDS * 2 ** min(number, 10), _LONGEST_DELAY_SECONDS)
    return dg.RetryRequested(most, seconds_to_wait=delay)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn an error meant for the user into the step's failure, without a traceback of ours."""
    try:
        yield
    except MorpheneError as error:
        retry = not isinstance(error, InputError)
        raise dg.Failure(str(error), allow_retries=retry) from None
