"""Audits of models that no project folder knows: runs of stock RAVE, and exported models."""

from collections.abc import Callable, Sequence
from pathlib import Path

from morphene_core.audits.audit import Audited
from morphene_core.errors import InputError
from morphene_core.progress import Report, silent

Facts = Callable[[Path], tuple[int, int]]
"""Returns a checkpoint's step and phase."""

MODELS = (".pt", ".ckpt", ".ts")
"""How files end that can be audited."""

_STATES = "states"  # of our trainings: what they resume from


def models_in(run: Path) -> list[Path]:
    """Return the checkpoints and exported models below a folder.

    Raises:
        InputError: there is no such folder, or none in it.
    """
    if not run.is_dir():
        raise InputError(f"{run} is no folder.")
    found = sorted(
        path
        for path in run.rglob("*")
        if path.suffix in MODELS and path.parent.name != _STATES and not path.name.startswith(".")
    )
    if not found:
        raise InputError(f"{run} holds no checkpoints (.pt, .ckpt) and no exported models (.ts).")
    return found


def to_audit(
    models: Sequence[Path], output: Path, title: str, facts: Facts, report: Report = silent
) -> list[Audited]:
    """Return models as what is to be audited, each in a folder named by its step or file.

    Stock RAVE keeps some steps under several names (``best``, ``last``): one of them is taken.
    Checkpoints that cannot be read are said and left out.

    Args:
        models: checkpoints and exported models.
        output: folder to make the audits' folders in.
        title: of the pictures.
        facts: reads a checkpoint's step and phase.
        report: takes what is left out.

    Raises:
        InputError: none of them can be read; the reason is the first one's.
    """
    found: dict[str, Audited] = {}
    failures = []
    for model in models:
        try:
            one = _one(model, output, title, facts)
        except InputError as error:
            report(f"Warning: not audited: {error}")
            failures.append(error)
            continue
        if one.folder.name in found:
            taken = found[one.folder.name].file
            report(f"Warning: not audited: {model} is of the same step as {taken}")
        else:
            found[one.folder.name] = one
    if failures and not found:
        raise failures[0]
    return sorted(found.values(), key=lambda one: (one.step, one.file.name))


def _one(model: Path, output: Path, title: str, facts: Facts) -> Audited:
    if model.suffix == ".ts":
        return Audited(model, output / model.stem, 0, 2, f"{title}, {model.name}")
    step, phase = facts(model)
    return Audited(model, output / f"{step:06d}", step, phase, f"{title}, step {step:,}")
