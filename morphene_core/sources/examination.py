"""What was found in one raw audio file: facts, and findings that accept or reject it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["accepted", "warning", "rejected"]

Code = Literal[
    # The file is rejected.
    "unreadable", "no audio", "zero frames", "absurd header", "non-finite samples", "silent",
    "mono sum cancels", "truncated", "duplicate", "not registered", "missing", "changed",
    # The file is accepted with a warning.
    "part missing", "clipped", "DC offset", "band-limited", "low sample rate", "dead channel",
    "more than two channels", "very low level", "very short",
]  # fmt: skip

REJECTING: frozenset[Code] = frozenset({
    "unreadable", "no audio", "zero frames", "absurd header", "non-finite samples", "silent",
    "mono sum cancels", "truncated", "duplicate", "not registered", "missing", "changed",
})  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a file.

    Attributes:
        code: what kind of thing.
        text: for a person: the measured facts and the remedy, one line.
    """

    code: Code
    text: str

    @property
    def rejects(self) -> bool:
        """Whether a file with this finding is rejected."""
        return self.code in REJECTING


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Return what findings come to."""
    found = list(findings)
    if any(finding.rejects for finding in found):
        return "rejected"
    return "warning" if found else "accepted"


@dataclass(frozen=True)
class Examination:
    """What was found in one file that was read from end to end.

    A file that could not be read has zeros and empty strings where nothing is known.

    Attributes:
        sha256: of the whole file.
        bytes: its size.
        format: container and sample format, such as "WAV PCM_24" or "M4A aac".
        sample_rate: in Hz.
        channels: number of channels.
        frames: samples per channel that can be read.
        peak_dbfs: largest sample of any channel; -200 for silence.
        dc_offset: mean of the mono mix, full scale 1.0.
        findings: what is wrong with it.
        sketch: by which copies are suspected (see `morphene_core.sources.sketch`).
        coverage: counts for the coverage of the instrument (see `morphene_core.audio.coverage`).
    """

    sha256: str = ""
    bytes: int = 0
    format: str = ""
    sample_rate: int = 0
    channels: int = 0
    frames: int = 0
    peak_dbfs: float = -200.0
    dc_offset: float = 0.0
    findings: tuple[Finding, ...] = ()
    sketch: tuple[int, ...] = ()
    coverage: dict[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Duration of what can be read."""
        return self.frames / self.sample_rate if self.sample_rate else 0.0

    @property
    def verdict(self) -> Verdict:
        """What the findings come to."""
        return verdict_of(self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the examination as plain data for JSON."""
        findings = [asdict(finding) for finding in self.findings]
        return asdict(self) | {"findings": findings, "sketch": list(self.sketch)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Examination":
        """Return the examination that ``to_json`` made ``data`` from."""
        findings = tuple(Finding(**finding) for finding in data["findings"])
        return cls(**(data | {"findings": findings, "sketch": tuple(data["sketch"])}))
