"""The state of the recordings, as it is printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from morphene_core.progress import clock
from morphene_dagster.cli.common import counted, plain, records

if TYPE_CHECKING:
    import pandas

    from morphene_core.instruments import Instrument
    from morphene_core.sources.collect import Added
    from morphene_core.sources.register import SourceFile
    from morphene_core.sources.status import RoleStatus

_SHOWN_FILES = 40
_STYLES = {"accepted": "green", "warning": "yellow", "rejected": "red"}


def print_status(entry: "Instrument", roles: Sequence["RoleStatus"]) -> None:
    """Print both roles' recordings of an instrument."""
    console = _console()
    title = Text.assemble((f"{entry.number} {entry.name}", "bold"), f"  {entry.slug}, {entry.tier}")
    console.print(title)
    for role in roles:
        name = entry.musical_source if role.role == "musical" else entry.nonmusical_source
        console.print(Text(f"\n{role.role}: {name}", style="bold"))
        _print_role(console, role)


def _print_role(console: Console, role: "RoleStatus") -> None:
    known = "prepared" if role.prepared_seconds is not None else "accepted, before preparation"
    wanted = f" of {clock(role.wanted_seconds)}" if role.wanted_seconds else ""
    lines = {
        "usable": f"{clock(role.usable_seconds)}{wanted}  ({known})",
        "expected": clock(role.expected_seconds) if role.expected_seconds else "nothing",
        "files": f"{role.count('accepted')} accepted, {role.count('warning')} with a warning,"
        f" {role.count('rejected')} rejected",
        "rating": f"{role.rating:.1f} of 5" if role.rating else "none",
        "coverage": f"{role.coverage.percentage:.0f} %, {counted(role.coverage.onsets, 'onset')}"
        if role.register.accepted
        else "",
        "not covered": "\n".join(role.coverage.gaps),
        "to do": "\n".join(role.missing) or "nothing",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, text in lines.items():
        if text:
            table.add_row(f"  {label}", Text(text))
    console.print(table)
    if role.sources:
        console.print()
        _print_sources(console, role)
        console.print()
    print_files(console, [f for f in role.register.files if f.verdict != "accepted"])


def _print_sources(console: Console, role: "RoleStatus") -> None:
    table = Table(box=None, header_style="bold")
    for column in ("source", "origin", "licence", "rating", "collected", "expected", "files"):
        table.add_column(column, overflow="fold")
    for status in role.sources:
        source = status.source
        table.add_row(
            plain(source.name),
            source.origin,
            plain(source.licence),
            str(source.rating or ""),
            clock(status.seconds),
            clock(source.expected_seconds) if source.expected_seconds else "",
            f"{len(status.accepted)} of {len(status.files)}",
        )
    console.print(table)


def print_files(console: Console, files: Sequence["SourceFile"]) -> None:
    """Print the verdicts on files, the rejected ones first."""
    for file in sorted(files, key=lambda file: file.verdict != "rejected")[:_SHOWN_FILES]:
        console.print(f"  [{_STYLES[file.verdict]}]{file.verdict:<9}[/]", plain(file.path))
        console.print(Padding(plain(file.reason), (0, 0, 0, 12)), style="dim")
    if len(files) > _SHOWN_FILES:
        console.print(f"  ... and {len(files) - _SHOWN_FILES} more: --json lists all")


def status_json(role: "RoleStatus") -> dict[str, Any]:
    """Return one role's recordings as plain data."""
    return {
        "usable_seconds": round(role.usable_seconds, 3),
        "accepted_seconds": round(role.register.seconds, 3),
        "prepared_seconds": role.prepared_seconds,
        "wanted_seconds": role.wanted_seconds,
        "expected_seconds": role.expected_seconds,
        "complete": role.complete,
        "rating": role.rating,
        "missing": role.missing,
        "coverage": role.coverage.to_json(),
        "sources": [
            s.source.model_dump(mode="json", exclude={"files"})
            | {"seconds": round(s.seconds, 3), "files": len(s.files), "accepted": len(s.accepted)}
            | {"problems": [vars(problem) for problem in s.problems]}
            for s in role.sources
        ],
        "files": [_file_json(file) for file in role.register.files],
    }


def added_json(added: "Added") -> dict[str, Any]:
    """Return what came of adding a source as plain data."""
    return vars(added) | {"files": [_file_json(file) for file in added.files]}


def _file_json(file: "SourceFile") -> dict[str, Any]:
    return {
        "path": file.path,
        "source": file.source,
        "verdict": file.verdict,
        "reasons": [vars(finding) for finding in file.findings],
        "seconds": round(file.seconds, 3),
        "format": file.examination.format,
        "sample_rate": file.examination.sample_rate,
        "channels": file.examination.channels,
        "sha256": file.examination.sha256,
    }


def print_added(added: "Added", instrument: str) -> None:
    """Print what came of adding a source."""
    console = _console()
    print_files(console, [file for file in added.files if file.verdict != "accepted"])
    for path, reason in added.refused.items():
        console.print("  [red]not taken[/]", plain(path))
        console.print(Padding(plain(reason), (0, 0, 0, 12)), style="dim")
    used = [file for file in added.files if file.verdict != "rejected"]
    parts = []
    if added.files:
        seconds = clock(sum(file.seconds for file in used))
        parts.append(f"{counted(len(used), 'file')} accepted ({seconds})")
    if rejected := len(added.files) - len(used):
        parts.append(f"{rejected} rejected")
    if added.refused:
        parts.append(f"{len(added.refused)} not taken")
    if added.known:
        parts.append(f"{len(added.known)} registered before")
    console.print(f"{added.source!r}: {', '.join(parts) or 'registered'}", markup=False)
    console.print(f"What is missing: morphene sources status {instrument}")


def print_summary(table: "pandas.DataFrame", totals: "pandas.DataFrame") -> None:
    """Print a row for each instrument, the tiers apart, and the totals."""
    console = _console()
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("no.", "instrument", "musical", "cov.", "non-musical", "cov.", "remarks"):
        left = column in ("instrument", "remarks")
        shown.add_column(column, justify="left" if left else "right", no_wrap=column != "remarks")
    tier = None
    for _, rows in table.groupby("number", sort=True):
        pair = records(rows)
        if pair[0]["tier"] != tier:
            tier = pair[0]["tier"]
            shown.add_row("", f"[bold]{tier}[/]")
        cells = [cell for row in pair for cell in _role_cells(row)]
        shown.add_row(str(pair[0]["number"]), plain(pair[0]["name"]), *cells, _remarks(pair))
    console.print(shown)
    console.print()
    for row in records(totals):
        console.print(
            f"[bold]{row['tier']:<14}[/]{row['hours']:7.1f} of {row['wanted_hours']:g} hours,"
            f" {row['expected_hours']:.1f} expected, {row['complete']:.0f} sources complete"
        )


def _role_cells(row: dict[str, Any]) -> list[str]:
    hours = f"{row['hours']:.1f} of {row['wanted_hours']:g} h" if row["hours"] else "-"
    coverage = f"{row['coverage']:.0f} %" if row["coverage"] is not None else ""
    return [hours, coverage]


def _remarks(pair: list[dict[str, Any]]) -> str:
    if all(row["complete"] for row in pair):
        return "[green]complete[/]"
    remarks = []
    if problems := sum(row["licence_problems"] for row in pair):
        forbid = "forbids" if problems == 1 else "forbid"
        remarks.append(f"[red]{counted(problems, 'licence')} {forbid} it[/]")
    if rejected := sum(row["rejected"] for row in pair):
        remarks.append(f"{rejected} rejected")
    if expected := sum(row["expected_hours"] for row in pair):
        remarks.append(f"{expected:.1f} h expected")
    return ", ".join(remarks)


def _console() -> Console:
    return Console(highlight=False)
