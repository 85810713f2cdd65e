"""What a delivery says of rights, for people: ``LICENCE.md`` and ``ATTRIBUTIONS.md``."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from morphene_core.delivery.markdown import plain, table
from morphene_core.delivery.terms import LicensedSource
from morphene_core.sources.licences import OWN, spdx_identifier

_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-NC)?(?:-SA)?(?:-ND)?)-(\d\.\d)(?:-([A-Z]+))?")
_ONE_LICENCE = re.compile(r"[A-Za-z0-9.-]+")


def licence_link(licence: str) -> str:
    """Return where a licence can be read; empty for one of one's own or of a document."""
    licence = spdx_identifier(licence) or OWN
    if match := _CREATIVE_COMMONS.fullmatch(licence):
        elements, version, port = match.groups()
        place = f"{elements.lower()}/{version}/{f'{port.lower()}/' if port else ''}"
        return f"https://creativecommons.org/licenses/{place}"
    if licence == "CC0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    if licence == OWN or not _ONE_LICENCE.fullmatch(licence):
        return ""
    return f"https://spdx.org/licenses/{licence}.html"


def attributions(sources: Sequence[LicensedSource]) -> list[dict[str, Any]]:
    """Return whom to name, an entry for each source that asks for it.

    The form follows Creative Commons: title, author, source, licence with its link, and that the
    material was modified.
    """
    return [
        {
            "title": source.name,
            "attribution": source.attribution,
            "origin": source.origin,
            "licence": source.licence,
            "link": licence_link(source.licence),
            "changes": "A neural network was trained on it: nothing of it is contained as it was.",
        }
        for source in sources
        if source.asks_for_attribution
    ]


def attributions_text(name: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Return ``ATTRIBUTIONS.md``.

    Args:
        name: of the instrument.
        entries: what `attributions` returned.
    """
    if not entries:
        return _document(f"Attributions of {name}", ["No source asks for an attribution."])
    about = (
        f"The instrument {plain(name)} was made from these recordings. Whoever passes it on passes"
        " this page on with it."
    )
    return _document(f"Attributions of {name}", [about, _bullets(map(_attribution, entries))])


def _attribution(entry: Mapping[str, Any]) -> str:
    author = plain(entry["attribution"]) or "**an author who is not on record**"
    licence = plain(entry["licence"]) + _in_brackets(entry["link"])
    return (
        f'"{plain(entry["title"])}" by {author} ({entry["origin"]}), licensed under {licence}.'
        f" Modified: {entry['changes']}"
    )


def not_covered_text(rights: Mapping[str, Any]) -> str:
    """Return which sources a rights decision does not cover, a sentence; empty if it covers all."""
    if not (missing := rights.get("not_covered")):
        return ""
    return f"It does not cover {plain(', '.join(missing))}: that has yet to be decided."


def sources_table(files: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the sources that files belong to, with the number of their files.

    Args:
        files: ``lineage.sources`` of the metadata.
    """
    names = ("role", "source", "origin", "licence")
    counts = Counter(tuple(plain(file[name]) for name in names) for file in files)
    return table((*names, "files"), [(*key, str(count)) for key, count in counts.items()])


def licence_text(metadata: Mapping[str, Any]) -> str:
    """Return ``LICENCE.md``: the sources' terms, the tools', and who decided.

    Args:
        metadata: of the delivery.
    """
    terms = metadata["terms"]
    link = licence_link(terms["licence"])
    parts = [f"**{plain(metadata['notice'])}**"] if metadata["notice"] else []
    parts += [
        "This page says what follows from the recordings and, apart from that, from the tools. It"
        " is a summary and no legal advice.",
        "## The recordings",
        f"Licence of the instrument: **{plain(terms['licence'])}**{_in_brackets(link)}.",
        _bullets(map(plain, terms["conditions"]), otherwise="The recordings ask for nothing."),
        sources_table(metadata["lineage"]["sources"]),
    ]
    if terms["obstacles"]:
        parts += ["### What forbids a release", _bullets(map(plain, terms["obstacles"]))]
    if terms["unclear"]:
        parts += [_unclear_heading(terms["rights"]), _bullets(map(plain, terms["unclear"]))]
    parts += ["## The tools", _bullets(_tool(tool) for tool in terms["tools"])]
    parts += [
        "These terms hold whatever the recordings allow: clear them before the model is sold.",
        "## The decision",
        _decision(terms),
    ]
    return _document(f"Licence of {metadata['instrument']['name']}", parts)


def _unclear_heading(rights: Mapping[str, Any] | None) -> str:
    cleared = rights is not None and not not_covered_text(rights)
    return f"### What {'the rights decision clears' if cleared else 'a person has to clear'}"


def _decision(terms: Mapping[str, Any]) -> str:
    rights = terms["rights"]
    if rights is None:
        return "Nobody has recorded a rights decision. A commercial release needs one."
    document = rights["document"]
    by = ""
    if document:
        by = f" Document, which stays with whoever releases the instrument: {plain(document)}"
        by += f" (SHA-256 {rights['document_sha256']})."
    made = (
        f"{plain(rights['who'])}, for a {rights['release']} release, on {rights['at'][:16]} UTC:"
        f" {plain(rights['decision'])}{by}"
    )
    gap = not_covered_text(rights)
    return f"{made}\n\n**{gap}**" if gap else made


def _tool(tool: Mapping[str, Any]) -> str:
    version = f" {tool['version']}" if tool["version"] else ""
    return f"**{tool['name']}{version}** ({tool['licence']}). {tool['text']}"


def _document(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {plain(title)}", *filter(None, parts)]) + "\n"


def _bullets(lines: Iterable[str], otherwise: str = "") -> str:
    return "\n".join(f"- {line}" for line in lines) or otherwise


def _in_brackets(link: str) -> str:
    return f" ({link})" if link else ""
