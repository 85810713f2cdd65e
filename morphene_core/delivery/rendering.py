"""What a delivery's files are made with: which Morphene, and what it writes."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from morphene_core.delivery.card import PICTURES, card_text
from morphene_core.delivery.facts import untimed
from morphene_core.delivery.model import model_of
from morphene_core.delivery.papers import attributions_text, licence_text
from morphene_core.delivery.patches import patch_texts
from morphene_core.delivery.schema import SCHEMA
from morphene_core.files import combined_hash

_A_REPORT: dict[str, Any] = {
    "verdict": "plays",
    "text": "",
    "block": 1,
    "deadline_ms": 1.0,
    "machine": {"cpu": "", "cores": 1, "load": 0.0, "threads": 1, "torch": "", "host": ""},
    "methods": [{"name": "morph", "p50_ms": 0.0, "p99_ms": 0.0, "misses": 0}],
    "latency": {"measured_ms": 0.0},
}
"""In place of the real-time proof, whose numbers differ from one run to the next."""


def made_with(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return Morphene's version, and a hash of what it writes of these metadata.

    A Morphene that draws a patch or words a page otherwise gives another hash, so that a delivered
    instrument is delivered anew. Timings and the number of the delivery give none.

    Args:
        metadata: of a delivery, without what this returns and without checksums.

    Raises:
        KeyError: the model has no ``morph``.
    """
    still = untimed(metadata)
    still |= {"delivery": {"version": 1, "previous": None}, "realtime": _A_REPORT}
    slug, model = still["instrument"]["slug"], model_of(still)
    written = [
        *patch_texts(slug, model).values(),
        card_text(still, PICTURES),
        licence_text(still),
        attributions_text(still["instrument"]["name"], still["terms"]["attributions"]),
        SCHEMA.read_text(encoding="utf-8"),
    ]
    return {"morphene": version("morphene"), "rendering": combined_hash(written)}
