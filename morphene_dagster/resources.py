"""Resources: the project folder, and the worker processes that do what needs RAVE."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from morphene_core.errors import InputError, MorpheneError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.profiles import Profile, load_profile


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

        Its progress goes to the run's log. A cancel of the run reaches it as SIGINT.

        Raises:
            dagster.Failure: what the user has to know; not retried if the input is at fault.
        """
        slug = context.partition_key
        with user_errors():
            profile = project.training_profile(slug)
        environment = {}
        if profile.training.threads:
            environment["OMP_NUM_THREADS"] = str(profile.training.threads)
        invocation = dg.PipesSubprocessClient().run(
            # -P: a folder named `scripts` where the user happens to be must not shadow RAVE's.
            command=[sys.executable, "-P", "-m", "morphene_core.worker"],
            context=context,
            env=environment,
            extras={
                "stage": stage,
                "home": str(Home.resolve().path),
                "instrument": slug,
                "profile": profile.model_dump_json(),
            },
        )
        answer: dict[str, Any] = invocation.get_custom_messages()[-1]
        if "error" in answer:
            raise dg.Failure(answer["error"], allow_retries=answer["retry"])
        return answer["result"]


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn an error meant for the user into the step's failure, without a traceback of ours."""
    try:
        yield
    except MorpheneError as error:
        retry = not isinstance(error, InputError)
        raise dg.Failure(str(error), allow_retries=retry) from None
