"""Votes of blind tests: what they come to, held against independent computations."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest, kendalltau

from morphene_core.errors import InputError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.votes import (
    PRIOR,
    REFERENCE,
    Sound,
    Vote,
    agreement,
    binomial_p,
    bradley_terry,
    discriminations,
    preferences,
    read_votes,
    record_vote,
    reference_missed,
)

ONE, TWO, THREE = (
    Sound(letter * 64, "t", step) for letter, step in zip("abc", (1, 2, 3), strict=True)
)
THE_REFERENCE = Sound(REFERENCE)


def preferred(winner: Sound, loser: Sound, same: bool = False, render: str = "morph_50") -> Vote:
    return Vote(
        kind="preference",
        instrument="pyroviolin",
        render=render,
        a=winner,
        b=loser,
        x="",
        answer="same" if same else "a",
        listener="Ada",
        session="s",
        number=1,
        planned=1,
        at="2026-01-02T03:04:05+00:00",
    )


def told(right: int, wrong: int, planned: int | None = None, session: str = "s") -> list[Vote]:
    base = replace(preferred(ONE, TWO), kind="abx", x="b", session=session)
    answers = ["b"] * right + ["a"] * wrong
    return [
        replace(base, answer=answer, number=number, planned=planned or len(answers))
        for number, answer in enumerate(answers, start=1)
    ]


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return Home(tmp_path).instrument("pyroviolin")


def test_votes_are_read_as_they_were_recorded(paths: InstrumentPaths) -> None:
    votes = [preferred(ONE, THE_REFERENCE), *told(2, 1)]
    for vote in votes:
        record_vote(paths, vote)
    assert read_votes(paths) == votes


def test_lines_that_are_no_votes_are_passed_over(paths: InstrumentPaths) -> None:
    record_vote(paths, preferred(ONE, TWO))
    with (paths.models / "votes.jsonl").open("a") as file:
        file.write('{"kind": "abx", "a": {}}\nnonsense\n')
    assert read_votes(paths) == [preferred(ONE, TWO)]


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "x"},
        {"kind": "guess"},
        {"kind": "abx", "x": "a", "answer": "same"},
        {"kind": "abx", "x": ""},
        {"b": ONE},
    ],
)
def test_what_is_no_answer_is_no_vote(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no vote"):
        replace(preferred(ONE, TWO), **change)


@given(st.integers(0, 60), st.data())
def test_the_binomial_p_value_is_scipys(answers: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, answers))
    if not answers:
        assert binomial_p(0, 0) == 1
        return
    exact = binomtest(correct, answers, 0.5, alternative="greater").pvalue
    assert binomial_p(correct, answers) == pytest.approx(exact, rel=1e-9)


def test_the_binomial_p_value_of_the_textbook() -> None:
    assert binomial_p(9, 10) == 11 / 1024
    with pytest.raises(ValueError, match="11 of 10"):
        binomial_p(11, 10)


def test_told_apart_counts_tests_that_were_carried_through() -> None:
    votes = [*told(9, 1), *told(3, 0, planned=10, session="left")]
    (pair,) = discriminations(votes)
    assert (pair.correct, pair.answers, pair.p_value) == (9, 10, 11 / 1024)
    assert {pair.a, pair.b} == {ONE, TWO}


def test_told_apart_adds_up_a_pair_whichever_was_a() -> None:
    swapped = [replace(v, a=v.b, b=v.a, session="other") for v in told(5, 5)]
    (pair,) = discriminations([*told(5, 5), *swapped])
    assert (pair.correct, pair.answers) == (10, 20)
    assert (pair.a, pair.b) == (ONE, TWO)


def likelihood(strengths: np.ndarray, wins: np.ndarray) -> float:
    """Negative log posterior of the model, written down independently."""
    total = 0.0
    for i, own in enumerate(strengths):
        for j, other in enumerate(strengths):
            total += wins[i, j] * -np.log1p(np.exp(other - own))
        total += PRIOR * (-np.log1p(np.exp(-own)) - np.log1p(np.exp(own)))
    return -total


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_strengths_are_those_of_an_optimiser(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 9, (count, count)).astype(float)
    wins[rng.random(wins.shape) < 0.3] = 0
    np.fill_diagonal(wins, 0)
    strengths, errors = bradley_terry(wins)
    found = minimize(likelihood, np.zeros(count), args=(wins,), method="BFGS", tol=1e-10)
    assert strengths == pytest.approx(found.x, abs=1e-4)
    assert (errors > 0).all()


def test_the_errors_are_the_curvature_of_the_likelihood() -> None:
    wins = np.array([[0, 6, 2.5], [3, 0, 7], [1.5, 4, 0]])
    strengths, errors = bradley_terry(wins)
    step, count = 1e-4, len(wins)
    curvature = np.empty((count, count))
    for i in range(count):
        for j in range(count):
            corners = []
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                moved = strengths.copy()
                moved[i] += a * step
                moved[j] += b * step
                corners.append(likelihood(moved, wins))
            curvature[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step**2)
    assert errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(curvature))), rel=1e-3)


def test_two_sounds_with_many_votes_get_the_odds_they_won() -> None:
    strengths, _ = bradley_terry(np.array([[0, 3000.0], [1000.0, 0]]))
    assert strengths[0] - strengths[1] == pytest.approx(math.log(3), abs=0.01)


def test_one_vote_and_none_give_finite_strengths() -> None:
    first, second = preferences([preferred(ONE, TWO)])
    assert first.sound == ONE
    assert 0 < first.strength < 2
    assert second.strength == pytest.approx(-first.strength)
    assert preferences([]) == []


def test_the_always_preferred_comes_first_and_the_never_preferred_last() -> None:
    votes = [preferred(ONE, TWO), preferred(TWO, THREE), preferred(ONE, THREE)] * 3
    assert [entry.sound for entry in preferences(votes)] == [ONE, TWO, THREE]


def test_no_difference_is_half_a_win_for_both() -> None:
    first, second = preferences([preferred(ONE, TWO, same=True)] * 4)
    assert first.strength == pytest.approx(second.strength)
    assert (first.wins, first.comparisons) == (2, 4)


def test_the_hidden_reference_shows_how_far_the_best_is_from_the_real_thing() -> None:
    votes = [preferred(THE_REFERENCE, ONE)] * 5 + [preferred(ONE, THE_REFERENCE)]
    assert preferences(votes)[0].sound == THE_REFERENCE
    assert reference_missed(votes) == (1, 6)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)))
def test_agreement_is_kendalls_tau(order: list[int]) -> None:
    sounds = [Sound(f"{i}" * 64, "t", i) for i in range(5)]
    votes = [
        preferred(sounds[i], sounds[j]) for i in range(5) for j in range(i + 1, 5) for _ in range(2)
    ]
    ranked = preferences(votes)
    found = agreement(ranked, [sounds[i].key for i in order])
    assert found == pytest.approx(kendalltau(order, range(5)).statistic)


def test_agreement_takes_what_both_know() -> None:
    ranked = preferences([preferred(ONE, TWO), preferred(TWO, THREE)])
    keys = [ONE.key, "elsewhere", TWO.key, THREE.key]
    assert agreement(ranked, keys) == pytest.approx(1)
    assert agreement(ranked, keys[::-1]) == pytest.approx(-1)
    assert agreement(ranked, [ONE.key, "elsewhere"]) is None
