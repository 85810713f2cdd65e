"""Writing an instrument's patches into its delivery."""

from pathlib import Path

from morphene_core.delivery.patches.checklist import checklist
from morphene_core.delivery.patches.maxmsp import max_patch
from morphene_core.delivery.patches.puredata import puredata_patch
from morphene_core.files import write_text
from morphene_core.final_model import FinalModel


def write_patches(folder: Path, slug: str, model: FinalModel) -> None:
    """Write ``{slug}.pd``, ``{slug}.maxpat`` and the checklist for Max, ``CHECKLIST.md``.

    The same model gives the same bytes.

    Args:
        folder: of the delivery, where ``{slug}.ts`` and ``demo.wav`` lie beside them.
        slug: of the instrument.
        model: what was exported; it has the method ``morph``.

    Raises:
        KeyError: the model has no ``morph``.
    """
    write_text(folder / f"{slug}.pd", puredata_patch(slug, model))
    write_text(folder / f"{slug}.maxpat", max_patch(slug, model))
    write_text(folder / "CHECKLIST.md", checklist(slug, model))
