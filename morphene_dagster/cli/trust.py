"""The question before a .ts from elsewhere is loaded: it is code."""

import sys
from pathlib import Path

import click


def may_load(model: Path, yes: bool, shown: str = "") -> bool:
    """Return whether to load a .ts: of one that the project folder in use did not make, ask.

    Where nobody can answer, the answer is no.

    Args:
        model: the .ts.
        yes: whether the user has said so already.
        shown: what to call it, if not by its path.

    Raises:
        OSError: the file cannot be read.
    """
    from morphene_core.home import Home
    from morphene_core.trust import known_model

    if yes or known_model(Home.resolve(), model):
        return True
    said = f"{shown or model} is code that this project folder did not make."
    if not sys.stdin.isatty():
        click.echo(said, err=True)
        return False
    return click.confirm(f"{said} Do you trust whoever made it?", err=True)


def require_trust(model: Path, yes: bool) -> None:
    """Refuse a .ts that may not be loaded, see `may_load`.

    Raises:
        InputError: nobody can answer, or the answer is no.
        OSError: the file cannot be read.
    """
    from morphene_core.errors import InputError

    if not may_load(model, yes):
        raise InputError(f"{model} was not loaded. If you trust whoever made it, say --yes.")
