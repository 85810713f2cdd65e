"""Resources: the project folder, and the worker processes that do what needs RAVE."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.profiles import Profile, load_profile

_MAX_RETRIES = 2
_DELAY_SECONDS = 10  # before the first retry; twice that before the second


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

    def run(self, context: dg.AssetExecutionContext, project: Project, stage: str) -> Any:
        """Run a stage of the partition's instrument; return its result.

        Its progress goes to the run's log. A cancel of the run reaches it as SIGINT. If its process
        dies it is started again, and goes on from what is there.

        Raises:
            dagster.Failure: what the user has to know; not retried if the input is at fault.
        """
        with user_errors():
            profile = project.training_profile(context.partition_key)
        environment = {}
        if profile.training.threads:
            environment["OMP_NUM_THREADS"] = str(profile.training.threads)
        try:
            invocation = dg.PipesSubprocessClient().run(
                # -P: a folder named `scripts` where the user is must not shadow RAVE's.
                command=[sys.executable, "-P", "-m", "morphene_core.worker"],
                context=context,
                env=environment,
                extras={
                    "stage": stage,
                    "home": str(Home.resolve().path),
                    "instrument": context.partition_key,
                    "profile": profile.model_dump_json(),
                },
            )
        except DagsterPipesExecutionError as error:
            raise _retry_or_fail(context, f"The {stage} process died: {error}") from error
        answer: dict[str, Any] = invocation.get_custom_messages()[-1]
        if "error" in answer:
            if answer["retry"]:
                raise _retry_or_fail(context, answer["error"])
            raise dg.Failure(answer["error"], allow_retries=False)
        return answer["result"]


def _retry_or_fail(context: dg.AssetExecutionContext, reason: str) -> Exception:
    """Return what makes Dagster try again, or fail for good after the last attempt.

    Not the asset's RetryPolicy: Dagster applies that to a cancelled run too, which would start the
    training again instead of ending it.
    """
    if context.retry_number >= _MAX_RETRIES:
        return dg.Failure(reason, allow_retries=False)
    context.log.warning(reason)
    return dg.RetryRequested(_MAX_RETRIES, seconds_to_wait=_DELAY_SECONDS * 2**context.retry_number)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn an error meant for the user into the step's failure, without a traceback of ours."""
    try:
        yield
    except MorpheneError as error:
        retry = not isinstance(error, InputError)
        raise dg.Failure(str(error), allow_retries=retry) from None
