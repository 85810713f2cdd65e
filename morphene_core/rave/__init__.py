"""Everything that touches RAVE, gin, Lightning and nn~: they are known here and nowhere else.

Importing this package imports torch and takes seconds; only worker processes do it.
"""

from morphene_core.rave import torchaudio_stub

torchaudio_stub.install()
