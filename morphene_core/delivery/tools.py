"""The tools that a .ts is made and played with, and their terms, which are no source's."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A tool of others.

    Attributes:
        name: of it.
        version: that was used; empty where it is not part of the training.
        licence: SPDX identifier of the licence in its repository.
        text: what it has to do with the model, and what is not clear, in plain words.
    """

    name: str
    version: str
    licence: str
    text: str


_TOOLS = (
    (
        "RAVE",
        "acids-rave",
        "CC-BY-NC-4.0",
        "It trained the model, and the .ts holds the code of its network. Its repository and the"
        " licence file in its package say CC BY-NC 4.0 (no commercial use); the metadata of the"
        " same package (acids-rave) says MIT.",
    ),
    (
        "cached_conv",
        "cached-conv",
        "CC-BY-NC-4.0",
        "Its convolutions are in the .ts. Its licence file says CC BY-NC 4.0; the metadata of its"
        " package says MIT.",
    ),
    (
        "nn~",
        "",
        "CC-BY-NC-4.0",
        "The external that plays the .ts in Max and Pure Data. It is not part of this folder; its"
        " repository says CC BY-NC 4.0.",
    ),
)


def tools(versions: Mapping[str, str]) -> list[Tool]:
    """Return the tools whose terms go beside those of the sources.

    Args:
        versions: of the software that a training used, by the names of the packages.
    """
    return [
        Tool(name, versions.get(package, ""), licence, text)
        for name, package, licence, text in _TOOLS
    ]
