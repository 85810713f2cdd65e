"""A process of its own for what needs RAVE or torch: ``python -m morphene_core.worker``.

It is started through Dagster Pipes (whose worker side has no dependencies, so that Dagster need not
be installed where it runs), takes the stage and the instrument from there, and reports progress
and the result back. Its memory goes when it goes, and gin's and cached_conv's global state with it.
"""

import errno
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagster_pipes import PipesContext, open_dagster_pipes

from morphene_core import stages
from morphene_core.errors import InputError, MorpheneError, refusal
from morphene_core.files import NO_SPACE
from morphene_core.home import Home, InstrumentPaths
from morphene_core.processes import start_as_child
from morphene_core.profiles import Profile
from morphene_core.progress import Report
from morphene_core.training.attempt import Attempt

_LASTING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, *NO_SPACE)

Stage = Callable[[InstrumentPaths, Profile, PipesContext], Any]


def _report(pipes: PipesContext) -> Report:
    def report(line: str) -> None:
        log = pipes.log.warning if line.startswith("Warning") else pipes.log.info
        log(line)

    return report


def _train(paths: InstrumentPaths, profile: Profile, pipes: PipesContext) -> dict[str, Any]:
    return asdict(
        stages.train(
            paths,
            profile,
            _report(pipes),
            lambda seen: pipes.report_custom_message({"observed": seen}),
            Attempt(**pipes.extras["attempt"]),
        )
    )


def _audit(paths: InstrumentPaths, _: Profile, pipes: PipesContext) -> list[dict[str, Any]]:
    audits = stages.audit(paths, _report(pipes), pipes.extras["newest_only"])
    return [asdict(audit) for audit in audits]


STAGES: dict[str, Stage] = {
    "preprocess": lambda paths, profile, pipes: asdict(
        stages.preprocess(paths, profile, _report(pipes))
    ),
    "train": _train,
    "audit": _audit,
    "export": lambda paths, _, pipes: asdict(stages.export(paths, _report(pipes), pipes.run_id)),
    "deliver": lambda paths, _, pipes: stages.deliver(paths, _report(pipes)),
}


def run_stage(pipes: PipesContext) -> dict[str, Any]:
    """Run the stage that the parent asked for; return its result, or the error's text.

    Trying again changes nothing where the input is at fault, or a disk that is full or protected.
    """
    extras = pipes.extras
    paths = Home(Path(extras["home"])).instrument(extras["instrument"])
    profile = Profile.model_validate_json(extras["profile"])
    try:
        return {"result": STAGES[extras["stage"]](paths, profile, pipes)}
    except MorpheneError as error:
        # A message for a person, not a traceback; Dagster turns it into the step's failure.
        return {"error": str(error), "retry": not isinstance(error, InputError)}
    except OSError as error:
        return {
            "error": f"{refusal(error)}. Mend that, then start again.",
            "retry": error.errno not in _LASTING,
        }


def main() -> None:
    """Run one stage."""
    start_as_child()
    with open_dagster_pipes() as pipes:
        pipes.report_custom_message(run_stage(pipes))


if __name__ == "__main__":
    main()
