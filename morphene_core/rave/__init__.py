"""Everything that touches RAVE, gin, Lightning and nn~: they are known here and nowhere else.

Importing this package imports torch and takes seconds: workers do it, and `morphene audit`.
"""

import warnings

from morphene_core.rave import torchaudio_stub

# Lightning says it at each import, and nobody can act on it.
warnings.filterwarnings("ignore", message=".*pkg_resources", category=UserWarning)
torchaudio_stub.install()
