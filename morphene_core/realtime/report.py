"""What a real-time proof found, and the verdict on it. Needs no torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from morphene_core.errors import DAMAGED, InputError
from morphene_core.realtime.machine import Machine

Verdict = Literal["plays", "too slow", "machine busy", "faulty"]

LIMIT = 0.7
"""Part of the deadline that a block may take (p99): the rest is for the host and the others."""

FIRST_BLOCKS = 2
"""Blocks in which torch still optimizes the model's code. nn~ does not warm up: they are late."""


@dataclass(frozen=True)
class MethodTimes:
    """How long the blocks of a method took.

    The percentiles and the maximum are of all blocks but the first two.

    Attributes:
        name: of the method.
        blocks: how many were played.
        first_ms: the first two, in ms.
        p50_ms: median, on the clock.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        max_ms: the longest.
        cpu_p99_ms: 99th percentile of the processor's time, in the thread of the block.
        misses: blocks that took longer than the deadline, the first two apart.
        real_time_factor: time spent / time played, the first two apart.
        level_dbfs: RMS level of what came out.
        runs: how often it was played: again where something else held it up.
    """

    name: str
    blocks: int
    first_ms: list[float]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_p99_ms: float
    misses: int
    real_time_factor: float
    level_dbfs: float
    runs: int = 1


@dataclass(frozen=True)
class Latency:
    """How late the sound comes out. Samples are those of the model's rate.

    Attributes:
        computed_samples: what the model says of itself, or None.
        computed_ms: likewise.
        first_samples: when an impulse is heard at the earliest, or None if it was not measured.
        measured_samples: when most of it is heard.
        measured_ms: likewise.
        buffer_samples: what nn~'s buffers add with its threads on, which is its default.
        buffer_ms: likewise.
        synchronous_samples: what they add at a buffer size of 0: without threads, in blocks of the
            model's largest ratio.
        synchronous_ms: likewise.
        method: that it is the latency of; "" in reports that older Morphenes wrote.
    """

    computed_samples: int | None
    computed_ms: float | None
    first_samples: int | None
    measured_samples: int | None
    measured_ms: float | None
    buffer_samples: int
    buffer_ms: float
    synchronous_samples: int
    synchronous_ms: float
    method: str = ""


@dataclass(frozen=True)
class Memory:
    """Memory while it plays, of the method that grows most.

    Attributes:
        method: its name.
        mb: allocated memory in MB, the lowest in each of 24 even stretches of the run.
        growth_mb: from the run's first quarter to its end.
        growth_mb_per_minute: what it keeps of every minute of audio, 0 where it is no leak.
    """

    method: str
    mb: list[float]
    growth_mb: float
    growth_mb_per_minute: float


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        name: what.
        passed: whether the model bears it.
        text: what happened, one line.
    """

    name: str
    passed: bool
    text: str


@dataclass(frozen=True)
class RealtimeReport:
    """A real-time proof.

    Attributes:
        verdict: "plays", "too slow", "machine busy" or "faulty".
        text: the reason, one or two lines.
        sample_rate: that the model was played at, in Hz.
        block: samples per block.
        seconds: audio that each method played against the clock.
        deadline_ms: what a block may take at most, or the sound breaks off.
        limit: part of it that the 99th percentile may take.
        machine: where.
        methods: those that were played.
        latency: from the input to the output.
        memory: while it played; None where it cannot be seen, or the run was too short for it.
        faults: what was tried, whether it holds or not.
        not_driven: methods that the model has and that are not known how to play.
        warnings: what a user should know and no verdict depends on.
        times: block times in ms, by method, for the picture; they are not kept in `to_dict`.
    """

    verdict: Verdict
    text: str
    sample_rate: int
    block: int
    seconds: float
    deadline_ms: float
    limit: float
    machine: Machine
    methods: list[MethodTimes]
    latency: Latency
    memory: Memory | None
    faults: list[Finding]
    not_driven: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    times: dict[str, list[float]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def passed(self) -> bool:
        """Whether the model plays in real time on that machine."""
        return self.verdict == "plays"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {key: value for key, value in asdict(self).items() if key != "times"}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RealtimeReport":
        """Return what `to_dict` was made of.

        Raises:
            InputError: it is no report.
        """
        try:
            memory = data["memory"]
            parts: dict[str, Any] = {
                "machine": Machine(**data["machine"]),
                "methods": [MethodTimes(**of) for of in data["methods"]],
                "latency": Latency(**data["latency"]),
                "memory": Memory(**memory) if memory else None,
                "faults": [Finding(**of) for of in data["faults"]],
            }
            return cls(**(data | parts))
        except DAMAGED as error:
            raise InputError(f"This is no report of a real-time proof: {error}") from error


def judge(
    methods: Sequence[MethodTimes],
    faults: Sequence[Finding],
    deadline_ms: float,
    machine: Machine,
    limit: float = LIMIT,
) -> tuple[Verdict, str]:
    """Return the verdict, and the reason for a person.

    A fault outweighs everything, since a faster machine does not mend it. A model is too slow if
    the processor itself needs more than the limit for it, and the machine is busy if only the
    clock says so: then something else was in the way.

    Args:
        methods: those that were played, at least one.
        faults: what was tried.
        deadline_ms: what a block may take.
        machine: where.
        limit: part of the deadline that is allowed.
    """
    failed = [finding for finding in faults if not finding.passed]
    if failed:
        return "faulty", " ".join(f"{finding.name}: {finding.text}" for finding in failed)
    allowed = limit * deadline_ms
    late = [of for of in methods if of.p99_ms > allowed]
    slow = [of for of in late if of.cpu_p99_ms > allowed]
    if slow:
        worst = max(slow, key=lambda of: of.cpu_p99_ms)
        return "too slow", (
            f"{worst.name} takes {_share(worst, deadline_ms, limit)} The processor needs"
            f" {worst.cpu_p99_ms:.1f} ms of it: it takes a faster one."
        )
    worst = max(methods, key=lambda of: of.p99_ms)
    slowest = f"{worst.name}, the slowest, takes {_share(worst, deadline_ms, limit)}"
    if late:
        return "machine busy", (
            f"{slowest} The model itself needs {worst.cpu_p99_ms:.1f} ms: other programs were in"
            f" the way, {worst.runs} times over (load {machine.load:g} on {machine.cores} cores)."
            " Close them and try again."
        )
    return "plays", slowest


def _share(of: MethodTimes, deadline_ms: float, limit: float) -> str:
    return (
        f"{of.p99_ms:.1f} ms of {deadline_ms:.1f} ms (p99): {of.p99_ms / deadline_ms:.0%} of the"
        f" deadline, of which {limit:.0%} are allowed."
    )
