"""Patches for Pure Data and Max with which a delivered instrument can be played at once."""

from morphene_core.delivery.patches.check import patch_faults
from morphene_core.delivery.patches.write import patch_texts, write_patches

__all__ = ["patch_faults", "patch_texts", "write_patches"]
