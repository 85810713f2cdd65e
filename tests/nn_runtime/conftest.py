"""The model that is played: one that is named, or a small one that is exported for it."""

import os
from pathlib import Path

import pytest

from tests.untrained import untrained


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the .ts of the variable MODEL, or an untrained one."""
    named = os.environ.get("MODEL")
    return Path(named) if named else untrained(tmp_path_factory.mktemp("untrained"))
