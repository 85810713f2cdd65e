"""Sources under any licence, without recordings."""

from datetime import date

from morphene_core.delivery.terms import LicensedSource
from morphene_core.sources.licences import OWN, Terms, known_terms

TODAY = date(2026, 11, 22)
DEAL = "Contract with B. Ember"


def licensed(licence: str, **changes: object) -> LicensedSource:
    """Return a source whose author is named, with the terms that its licence implies or states."""
    stated = Terms(True, True, False, False)
    fields: dict[str, object] = {
        "name": f"Takes under {licence}",
        "origin": "recorded",
        "licence": licence,
        "attribution": "" if licence == OWN else "J. Doe",
        "terms": known_terms(licence) or stated,
    }
    return LicensedSource(**fields | changes)  # type: ignore[arg-type]
