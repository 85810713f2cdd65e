"""The layers of the code: who may import whom, and what must load fast."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import morphene_core
import morphene_dagster

CORE = Path(morphene_core.__file__).parent
DAGSTER = Path(morphene_dagster.__file__).parent
RAVES = {
    "rave",
    "gin",
    "pytorch_lightning",
    "lightning",
    "cached_conv",
    "nn_tilde",
    "udls",
    "scripts",
}


def imports(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield file, node.module.split(".")[0]


def test_the_core_knows_no_dagster() -> None:
    offenders = [file for file, name in imports(CORE) if name in ("dagster", "morphene_dagster")]
    assert offenders == []


def test_rave_is_known_in_one_sub_package_only() -> None:
    found = {file for folder in (CORE, DAGSTER) for file, name in imports(folder) if name in RAVES}
    assert {file.relative_to(CORE).parts[0] for file in found} == {"rave"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("heavy", ["torch", "rave", "librosa", "matplotlib"])
def test_loading_the_definitions_imports_nothing_heavy(heavy: str) -> None:
    assert heavy not in loaded_by("import morphene_dagster.definitions")


@pytest.mark.parametrize("heavy", ["dagster", "numpy", "torch", "rich", "pydantic"])
def test_the_command_loads_nothing_heavy_before_it_knows_what_to_do(heavy: str) -> None:
    assert heavy not in loaded_by("import morphene_dagster.cli")


def test_the_worker_needs_no_dagster() -> None:
    assert "dagster" not in loaded_by("import morphene_core.worker")
