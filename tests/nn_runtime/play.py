"""Plays a method of a model in the torch of whatever Python runs this; needs numpy besides."""

import sys
from pathlib import Path

import numpy as np
import torch

from morphene_core.realtime import play
from morphene_core.realtime.model import LoadedModel


def main(model: Path, method: str, folder: Path) -> None:
    """Play `given.npy` of a folder into `heard.npy`, without noise, and say by which torch."""
    loaded = LoadedModel(model)
    for name in loaded.attributes:
        loaded.set(name, loaded.get(name))
    heard = play(model, method, np.load(folder / "given.npy"), attributes=loaded.quiet)
    np.save(folder / "heard.npy", heard)
    (folder / "torch.txt").write_text(torch.__version__)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
