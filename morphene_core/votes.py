"""Votes of blind tests, and what they say.

Votes are lines of ``models/{instrument}/votes.jsonl``, which is only ever added to. A vote is on
two sounds, whose order was random and unknown to the listener:

- *preference*: which is the better one, or no difference. The reference may be one of the two,
  hidden: who prefers another to it did not hear well, or the question does not suit the sound.
- *abx*: which of the two the third sound X is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from morphene_core import journal
from morphene_core.errors import InputError
from morphene_core.home import InstrumentPaths

Kind = Literal["abx", "preference"]
KINDS: tuple[Kind, Kind] = ("abx", "preference")

REFERENCE = "reference"
"""Key of the reference among the sounds."""

PRIOR = 0.5
"""Wins and losses of each sound against an imagined one of strength 1."""

_TOLERANCE = 1e-12
_MOST_ROUNDS = 100_000


@dataclass(frozen=True)
class Sound:
    """What was heard: a checkpoint's render, or the reference.

    Attributes:
        key: hash of the checkpoint, or "reference".
        training: id of the training, "" for the reference.
        step: of the checkpoint, 0 for the reference.
    """

    key: str
    training: str = ""
    step: int = 0


@dataclass(frozen=True)
class Vote:
    """One answer of a blind test.

    Attributes:
        kind: "abx" or "preference".
        instrument: slug.
        render: which render of the sounds was played, such as "morph_50".
        a: the sound under A.
        b: the sound under B.
        x: "a" or "b", what X was; "" for a preference.
        answer: "a", "b", or "same" for no difference (preferences only).
        listener: who answered.
        session: id of the test.
        number: of this answer in the test, from 1 on.
        planned: answers that the test was to have, fixed at its beginning.
        at: UTC time, ISO 8601.
    """

    kind: str
    instrument: str
    render: str
    a: Sound
    b: Sound
    x: str
    answer: str
    listener: str
    session: str
    number: int
    planned: int
    at: str

    def __post_init__(self) -> None:
        """Check the vote.

        Raises:
            InputError: a field is not what it must be.
        """
        answers, secrets = {
            "abx": (("a", "b"), ("a", "b")),
            "preference": (("a", "b", "same"), ("",)),
        }.get(self.kind, ((), ()))
        if self.answer not in answers or self.x not in secrets or self.a.key == self.b.key:
            raise InputError(
                f"This is no vote: {self.kind!r} {self.answer!r}. Answer a or b"
                f"{', or same' if self.kind == 'preference' else ''}."
            )

    @property
    def correct(self) -> bool:
        """Whether X was told rightly."""
        return self.kind == "abx" and self.answer == self.x

    @property
    def shares(self) -> dict[str, float]:
        """What each sound's key gets of the vote: 1, 0, or one half."""
        first = {"a": 1.0, "b": 0.0, "same": 0.5}[self.answer]
        return {self.a.key: first, self.b.key: 1 - first}


@dataclass(frozen=True)
class Discrimination:
    """How well two sounds were told apart in A/B/X tests that were carried through.

    Attributes:
        a: one sound.
        b: the other.
        render: what was played of them.
        correct: right answers.
        answers: all answers.
        p_value: probability of as many right ones or more by guessing.
    """

    a: Sound
    b: Sound
    render: str
    correct: int
    answers: int
    p_value: float


@dataclass(frozen=True)
class Strength:
    """Where a sound stands by the preferences.

    Attributes:
        sound: which one.
        strength: natural logarithm of the Bradley-Terry strength; 0 is that of the prior's
            imagined sound. A sound that is 1.1 above another is preferred to it 3 times of 4.
        error: its standard error.
        wins: comparisons won; one half for no difference.
        comparisons: all of them.
    """

    sound: Sound
    strength: float
    error: float
    wins: float
    comparisons: int


def record_vote(paths: InstrumentPaths, vote: Vote) -> None:
    """Add a vote to the instrument's.

    Raises:
        MorpheneError: the file cannot be written.
    """
    journal.append(_path(paths), asdict(vote))


def read_votes(paths: InstrumentPaths) -> list[Vote]:
    """Return all votes on an instrument, the oldest first; lines that are none are left out.

    Raises:
        MorpheneError: the file cannot be read.
    """
    votes = (_vote(record) for record in journal.read(_path(paths)))
    return [vote for vote in votes if vote]


def binomial_p(correct: int, answers: int) -> float:
    """Return the probability of ``correct`` right answers or more by guessing, one in two.

    The exact one-sided binomial test, as usual for A/B/X (D. Clark: "High-resolution subjective
    testing using a double-blind comparator", JAES 30, 1982). 1 where nothing was answered.

    Raises:
        ValueError: there are more right answers than answers.
    """
    if not 0 <= correct <= answers:
        raise ValueError(f"{correct} of {answers} answers cannot be right")
    ways = sum(math.comb(answers, k) for k in range(correct, answers + 1))
    return float(ways / 2**answers)


def discriminations(votes: Iterable[Vote]) -> list[Discrimination]:
    """Return how well each pair of sounds was told apart.

    Only tests that were carried through count: whoever may stop when the numbers look good will
    find a difference in the end.
    """
    pairs: dict[tuple[str, str, str], list[Vote]] = {}
    for vote in _finished(vote for vote in votes if vote.kind == "abx"):
        first, second = sorted((vote.a.key, vote.b.key))
        pairs.setdefault((first, second, vote.render), []).append(vote)
    found = []
    for (first, _, render), given in pairs.items():
        a, b = (given[0].a, given[0].b) if given[0].a.key == first else (given[0].b, given[0].a)
        right = sum(vote.correct for vote in given)
        p = binomial_p(right, len(given))
        found.append(Discrimination(a, b, render, right, len(given), p))
    return found


def preferences(votes: Iterable[Vote]) -> list[Strength]:
    """Return where each sound stands by the preferences, the strongest first.

    The hidden reference takes part: it says how far the best is from the real thing.
    """
    given = [vote for vote in votes if vote.kind == "preference"]
    sounds = {sound.key: sound for vote in given for sound in (vote.a, vote.b)}
    keys = sorted(sounds)
    places = {key: place for place, key in enumerate(keys)}
    wins = np.zeros((len(keys), len(keys)))
    for vote in given:
        a, b = places[vote.a.key], places[vote.b.key]
        wins[a, b] += vote.shares[vote.a.key]
        wins[b, a] += vote.shares[vote.b.key]
    strengths, errors = bradley_terry(wins)
    found = [
        Strength(
            sounds[key],
            float(strengths[place]),
            float(errors[place]),
            float(wins[place].sum()),
            round(wins[place].sum() + wins[:, place].sum()),
        )
        for key, place in places.items()
    ]
    return sorted(found, key=lambda s: (-s.strength, s.sound.step, s.sound.key))


def bradley_terry(
    wins: NDArray[np.float64], prior: float = PRIOR
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logarithms of Bradley-Terry strengths and their standard errors.

    The model of R. Bradley, M. Terry: "Rank analysis of incomplete block designs" (Biometrika 39,
    1952), fitted by the MM algorithm of D. Hunter: "MM algorithms for generalized Bradley-Terry
    models" (Annals of Statistics 32, 2004), eq. 3. Each sound also won and lost ``prior``
    comparisons with an imagined one of strength 1, so that all stay finite and the scale is fixed,
    whoever was compared with whom. The errors are from the curvature of the log likelihood, the
    prior included, at its maximum.

    Args:
        wins: shape (sounds, sounds): how often the row's sound was preferred to the column's.
        prior: above 0.

    Returns:
        Two arrays, shape (sounds,).
    """
    count = len(wins)
    won = wins.sum(axis=1) + prior
    met = wins + wins.T
    strength = np.ones(count)
    for _ in range(_MOST_ROUNDS):
        sums = strength[:, None] + strength[None, :]
        new = won / ((met / sums).sum(axis=1) + 2 * prior / (strength + 1))
        new *= np.exp(_shift(np.log(new)))  # all at once, which the steps above do slowly
        moved = np.abs(np.log(new / strength)).max(initial=0.0)
        strength = new
        if moved < _TOLERANCE:
            break
    chance = strength[:, None] / (strength[:, None] + strength[None, :])
    curvature = -met * chance * (1 - chance)
    own = strength / (strength + 1)
    np.fill_diagonal(curvature, 0.0)
    np.fill_diagonal(curvature, -curvature.sum(axis=1) + 2 * prior * own * (1 - own))
    return np.log(strength), np.sqrt(np.diag(np.linalg.inv(curvature)))


def _shift(logs: NDArray[np.float64]) -> float:
    """Return by how much to raise all logarithms: Newton's step to the best scale by the prior."""
    halves = np.tanh(logs / 2)
    step = -2 * halves.sum() / np.square(1 / np.cosh(logs / 2)).sum() if len(logs) else 0.0
    return float(np.clip(step, -1, 1))


def reference_missed(votes: Iterable[Vote]) -> tuple[int, int]:
    """Return how often another sound was preferred to the hidden reference, and of how often."""
    hidden = [
        vote.shares[REFERENCE]
        for vote in votes
        if vote.kind == "preference" and REFERENCE in (vote.a.key, vote.b.key)
    ]
    return sum(share == 0 for share in hidden), len(hidden)


def agreement(ranked: Sequence[Strength], order: Sequence[str]) -> float | None:
    """Return Kendall's tau-b between the listeners' ranking and another order of checkpoints.

    Args:
        ranked: of `preferences`.
        order: hashes of checkpoints, the best first. Only those that are in both count.

    Returns:
        From 1 (the same order) to -1 (the reverse), or None where there are not two to compare.
    """
    heard = {s.sound.key: s.strength for s in ranked}
    common = [key for key in order if key in heard]
    if len(common) < 2:
        return None
    tau = kendalltau([heard[key] for key in common], range(len(common), 0, -1)).statistic
    return None if math.isnan(tau) else float(tau)


def _finished(votes: Iterable[Vote]) -> list[Vote]:
    sessions: dict[str, list[Vote]] = {}
    for vote in votes:
        sessions.setdefault(vote.session, []).append(vote)
    return [vote for given in sessions.values() if len(given) >= given[0].planned for vote in given]


def _path(paths: InstrumentPaths) -> Path:
    return paths.models / "votes.jsonl"


def _vote(record: Mapping[str, Any]) -> Vote | None:
    try:
        data = {field.name: record[field.name] for field in fields(Vote)}
        return Vote(**data | {"a": Sound(**data["a"]), "b": Sound(**data["b"])})
    except (KeyError, TypeError, InputError):
        return None
