"""Rights decisions: that whoever releases an instrument has cleared what it is made from and with.

They are lines of ``models/{instrument}/rights.jsonl``, which is only ever added to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from morphene_core import journal
from morphene_core.errors import InputError
from morphene_core.home import InstrumentPaths, Release
from morphene_core.sources.collect import attach_document
from morphene_core.training import now
from morphene_core.verdicts import LONGEST_NAME, LONGEST_NOTES


@dataclass(frozen=True)
class Decision:
    """A person's decision on the rights in an instrument.

    Attributes:
        action: "clear" the rights, or "withdraw" what was decided before.
        release: how the instrument may be released.
        decision: in the person's words.
        who: the person's name.
        at: UTC time, ISO 8601.
        sources: what the person knew to be in it: each source as `LicensedSource.covered_as`
            words it. The decision holds for an instrument that is made of these and no others.
        document: relative to the instrument's folder of sources, if there is one.
        document_sha256: its hash.
    """

    action: Literal["clear", "withdraw"]
    release: Release
    decision: str
    who: str
    at: str
    sources: list[str]
    document: str | None = None
    document_sha256: str | None = None

    def missing(self, sources: Sequence[str]) -> list[str]:
        """Return those of an instrument's sources that the decision does not know."""
        return [source for source in sources if source not in self.sources]


def record_decision(
    paths: InstrumentPaths,
    action: Literal["clear", "withdraw"],
    release: Release,
    decision: str,
    who: str,
    sources: Sequence[str],
    document: Path | None = None,
) -> Decision:
    """Add a decision to the instrument's.

    Args:
        paths: of the instrument.
        action: what is decided.
        release: how the instrument may be released.
        decision: in the person's words.
        who: the person's name.
        sources: of the instrument, as `LicensedSource.covered_as` words them.
        document: a file that is copied to the documents of the sources.

    Raises:
        InputError: no name or no words, too many of them, no sources, or the document is no file.
        MorpheneError: it cannot be written.
    """
    decision, who = decision.strip(), who.strip()
    if not decision or not who:
        raise InputError("A rights decision needs a name and words: --by NAME --decision TEXT.")
    if len(who) > LONGEST_NAME or len(decision) > LONGEST_NOTES:
        raise InputError(
            f"A name has at most {LONGEST_NAME} characters, a decision {LONGEST_NOTES}: put the"
            " rest into a --document."
        )
    if action == "clear" and not sources:
        raise InputError(f"{paths.slug} has no sources yet: there is nothing that can be cleared.")
    attached = attach_document(paths, document) if document else {}
    made = Decision(action, release, decision, who, now(), list(sources), **attached)
    journal.append(paths.rights, asdict(made))
    return made


def read_decisions(paths: InstrumentPaths) -> list[Decision]:
    """Return all decisions on an instrument, the oldest first.

    Raises:
        MorpheneError: the journal cannot be read.
        InputError: a line is no decision. It might have withdrawn an earlier one, and nothing ships
            on a guess.
    """
    decisions = [_decision(record) for record in journal.read_whole(paths.rights)]
    if None in decisions:
        raise InputError(
            f"{paths.rights}, line {decisions.index(None) + 1}, is damaged. Put the line back from"
            " a copy, or delete it and record the decision again."
        )
    return [decision for decision in decisions if decision]


def standing_decision(paths: InstrumentPaths, release: Release) -> Decision | None:
    """Return the newest decision for such a release that was not withdrawn since, or None."""
    standing = None
    for decision in read_decisions(paths):
        if decision.release == release:
            standing = decision if decision.action == "clear" else None
    return standing


def _decision(record: Mapping[str, Any] | None) -> Decision | None:
    if record is None:
        return None
    try:
        found = Decision(**{field.name: record[field.name] for field in fields(Decision)})
    except (KeyError, TypeError):
        return None
    texts = (found.decision, found.who, found.at)
    of_its_kind = found.action in ("clear", "withdraw") and isinstance(found.sources, list)
    return found if of_its_kind and all(isinstance(text, str) for text in texts) else None
