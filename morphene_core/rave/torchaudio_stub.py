"""Makes ``import torchaudio`` work where its native library does not load.

Every torchaudio wheel is linked against CUDA, so beside a CPU build of torch its library cannot be
loaded and ``import rave`` dies. RAVE uses nothing but torchaudio's transforms, which are pure
Python. torchaudio can live without its library ('not built'), so that is what it is told.
"""

import ctypes
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

_EXTENSION = "torchaudio._extension"


def install() -> None:
    """Tell torchaudio that its native library was not built, if that library cannot be loaded."""
    if "torchaudio" in sys.modules or _native_library_loads():
        return
    extension = types.ModuleType(_EXTENSION, doc="torchaudio without its native library")
    extension.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=_unavailable,
    )
    sys.modules[_EXTENSION] = extension


def _native_library_loads() -> bool:
    import torch  # noqa: F401  loads the libraries that torchaudio's is linked against

    package = importlib.util.find_spec("torchaudio")
    if package is None or package.origin is None:
        return True  # nothing to mend: the import will name what is missing
    try:
        for library in sorted((Path(package.origin).parent / "lib").glob("_torchaudio*.so")):
            ctypes.CDLL(str(library))
    except OSError:
        return False
    return True


def _unavailable(function: Callable[..., Any]) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{function.__name__} needs torchaudio's native library (a CUDA torch).")

    return fail
