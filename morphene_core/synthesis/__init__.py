"""Physically informed synthesis of the demo's own source recordings.

The demo needs one musical and one non-musical source that anybody may use without a licence.
`violin_takes` renders a bowed violin and `fire_takes` a crackling fire, both with plain signal
processing, and both as the same bytes for the same arguments on the same machine.
"""

from morphene_core.synthesis.fire import fire_takes
from morphene_core.synthesis.take import Take
from morphene_core.synthesis.violin import violin_takes

__all__ = ["Take", "fire_takes", "violin_takes"]
