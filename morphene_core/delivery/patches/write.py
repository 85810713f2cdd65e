"""Writing an instrument's patches into its delivery."""

from pathlib import Path

from morphene_core.delivery.patches.checklist import checklist
from morphene_core.delivery.patches.maxmsp import max_patch
from morphene_core.delivery.patches.puredata import puredata_patch
from morphene_core.files import write_text
from morphene_core.final_model import FinalModel


def patch_texts(slug: str, model: FinalModel) -> dict[str, str]:
    """Return the texts of ``{slug}.pd``, ``{slug}.maxpat`` and the checklist for Max, by file name.

    The same model gives the same texts.

    Args:
        slug: of the instrument.
        model: what was exported; it has the method ``morph``.

    Raises:
        KeyError: the model has no ``morph``.
    """
    return {
        f"{slug}.pd": puredata_patch(slug, model),
        f"{slug}.maxpat": max_patch(slug, model),
        "CHECKLIST.md": checklist(slug, model),
    }


def write_patches(folder: Path, slug: str, model: FinalModel) -> None:
    """Write `patch_texts` into a delivery, where ``{slug}.ts`` and ``demo.wav`` lie beside them."""
    for name, text in patch_texts(slug, model).items():
        write_text(folder / name, text)
