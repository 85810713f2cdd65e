"""What the recordings of a role cover, and what is still missing.

While a raw file is read, ``coverage_counter`` counts what sounds in it: small sparse integers, kept
with the file. ``coverage_of`` adds the counts of all files up and holds them against the
catalogue: notes against dynamics, or the brightness of a texture against its density.
"""

from morphene_core.audio.coverage.counting import Counter, Counts, coverage_counter, merge_counts
from morphene_core.audio.coverage.grid import Coverage, coverage_of

__all__ = ["Counter", "Counts", "Coverage", "coverage_counter", "coverage_of", "merge_counts"]
