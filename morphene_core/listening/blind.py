"""Blind tests: who knows which sound is which is the server alone.

A test is a number of trials that is fixed at its beginning. The browser gets each sound under a new
random id, in one format, one length and one loudness, and never the same bytes twice. What A, B and
X are is drawn here, and told once the test is over.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from starlette.responses import Response

from morphene_core.audio.loudness import integrated_lufs
from morphene_core.audio.wav import SAMPLE_RATE, read_mono
from morphene_core.audits import RENDER_NAMES
from morphene_core.errors import InputError
from morphene_core.home import Home, InstrumentPaths
from morphene_core.listening.answers import HttpError
from morphene_core.listening.audio import blind_wav
from morphene_core.listening.places import reference_file, render_file, training_folder
from morphene_core.training import now
from morphene_core.votes import KINDS, REFERENCE, Sound, Vote, read_votes, record_vote

MOST_TRIALS = 100
MOST_SOUNDS = 12

_MOST_TESTS = 50  # at once; who leaves one does not say so
_GONE = (
    "This test is over, or from an earlier start of the listening room. Your votes so far are kept."
    " Begin another one."
)
_random = secrets.SystemRandom()


@dataclass(frozen=True)
class Trial:
    """One question.

    Attributes:
        id: under which it is answered.
        number: from 1 on.
        a: what is played as A.
        b: what is played as B.
        x: "a" or "b", what X is; "" where there is no X.
        heard: by the random id of each sound, its label and what it is.
    """

    id: str
    number: int
    a: Sound
    b: Sound
    x: str
    heard: dict[str, tuple[str, Sound]]


@dataclass
class Test:
    """A test that somebody takes.

    Attributes:
        id: of the test, in every vote.
        kind: "abx" or "preference".
        paths: of the instrument.
        render: what is played of each sound.
        listener: who listens.
        pairs: what is played as A and B, trial by trial.
        files: of each sound, by key.
        lufs: loudness of each sound, by key.
        reference: what is played openly beside the two, if there is one.
        votes: given so far.
        trial: the question that is open; None once all are answered.
    """

    id: str
    kind: str
    paths: InstrumentPaths
    render: str
    listener: str
    pairs: list[tuple[Sound, Sound]]
    files: dict[str, Path]
    lufs: dict[str, float]
    reference: Sound | None
    votes: list[Vote] = field(default_factory=list)
    trial: Trial | None = None


class BlindTests:
    """All tests that are being taken.

    Args:
        home: the project folder.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._tests: dict[str, Test] = {}
        self._lock = threading.Lock()

    def begin(
        self,
        paths: InstrumentPaths,
        kind: str,
        render: str,
        wanted: Sequence[Mapping[str, Any]],
        planned: int,
        listener: str,
    ) -> Test:
        """Begin a test.

        Args:
            paths: of the instrument.
            kind: "abx" or "preference".
            render: what is played of each checkpoint.
            wanted: what takes part: ``{"training": id, "step": number}`` for a checkpoint, and
                ``{"reference": True}`` for the reference.
            planned: how many questions.
            listener: who listens.

        Raises:
            InputError: these make no test; the text says why.
            HttpError: a sound is not there.
        """
        _check(kind, render, wanted, planned, listener)
        sounds = [self._sound(paths, render, entry) for entry in wanted]
        if len({sound.key for sound, _ in sounds}) < len(sounds):
            raise InputError("One sound takes part twice. Choose different ones.")
        candidates = [sound for sound, _ in sounds]
        files = {sound.key: file for sound, file in sounds}
        reference = None
        if kind == "preference" and REFERENCE in files:
            reference = Sound(REFERENCE)
        if kind == "abx":
            pairs = _plan_abx(candidates, planned)
        else:
            asked = (v for v in read_votes(paths) if v.kind == "preference" and v.render == render)
            pairs = _plan(candidates, planned, list(asked))
        test = Test(
            id=secrets.token_urlsafe(9),
            kind=kind,
            paths=paths,
            render=render,
            listener=listener.strip(),
            pairs=pairs,
            files=files,
            lufs={key: _lufs(file) for key, file in files.items()},
            reference=reference,
        )
        test.trial = _next_trial(test)
        with self._lock:
            self._tests[test.id] = test
            while len(self._tests) > _MOST_TESTS:
                del self._tests[next(iter(self._tests))]
        return test

    def answer(self, test_id: str, trial_id: str, answer: str) -> Test:
        """Record an answer, and ask the next question.

        Raises:
            HttpError: this question is not open.
            InputError: it is no answer to it.
        """
        with self._lock:
            test = self._tests.get(test_id)
            if test is None or test.trial is None:
                raise HttpError(404, _GONE)
            if test.trial.id != trial_id:
                raise HttpError(409, "This question was answered already, perhaps in another tab.")
            vote = _vote(test, test.trial, answer)
            record_vote(test.paths, vote)
            test.votes.append(vote)
            test.trial = _next_trial(test)
            return test

    def sound(self, sound_id: str) -> Response:
        """Answer with a sound of an open question.

        Raises:
            HttpError: no open question has it.
        """
        for test in list(self._tests.values()):
            if test.trial and sound_id in test.trial.heard:
                return _render(test, test.trial, sound_id)
        raise HttpError(404, _GONE)

    def _sound(
        self, paths: InstrumentPaths, render: str, entry: Mapping[str, Any]
    ) -> tuple[Sound, Path]:
        training, step = entry.get("training"), entry.get("step")
        if entry.get(REFERENCE):
            role = render.removesuffix("_recon")
            return Sound(REFERENCE), reference_file(self._home, paths.slug, str(training), role)
        if not isinstance(training, str) or not isinstance(step, int):
            raise InputError("Each sound is a training and a step, or the reference.")
        checkpoint = training_folder(paths, training).read().checkpoint(step)
        file = render_file(self._home, paths.slug, training, step, render)
        return Sound(checkpoint.sha256, training, step), file


def question(test: Test) -> dict[str, Any]:
    """Return what the browser may know: no more than what is asked, and where to hear it."""
    trial, total = test.trial, len(test.pairs)
    if trial is None:
        return {"test": test.id, "kind": test.kind, "of": total, "results": _results(test)}
    sounds = [{"label": label, "id": key} for key, (label, _) in trial.heard.items()]
    return {
        "test": test.id,
        "kind": test.kind,
        "trial": trial.id,
        "number": trial.number,
        "of": total,
        "sounds": sorted(sounds, key=lambda sound: "RABX".index(sound["label"])),
    }


def _check(
    kind: str, render: str, wanted: Sequence[Mapping[str, Any]], planned: int, listener: str
) -> None:
    if kind not in KINDS or render not in RENDER_NAMES:
        raise InputError(f"There is no test {kind!r} of {render!r}.")
    if not listener.strip() or len(listener) > 80:
        raise InputError("Say who listens: a name of up to 80 characters.")
    if not 1 <= planned <= MOST_TRIALS:
        raise InputError(f"A test has 1 to {MOST_TRIALS} questions.")
    if kind == "abx" and len(wanted) != 2:
        raise InputError("A/B/X compares two sounds. Choose two.")
    if not 2 <= len(wanted) <= MOST_SOUNDS:
        raise InputError(f"Choose 2 to {MOST_SOUNDS} sounds to compare.")
    if any(entry.get(REFERENCE) for entry in wanted) and not render.endswith("_recon"):
        raise InputError("A morph has no reference. Leave the reference out.")


def _plan_abx(sounds: list[Sound], planned: int) -> list[tuple[Sound, Sound]]:
    """A and B stay what they are throughout, so that they can be learnt."""
    _random.shuffle(sounds)
    return [(sounds[0], sounds[1])] * planned


def _plan(sounds: list[Sound], planned: int, given: list[Vote]) -> list[tuple[Sound, Sound]]:
    """Take the pairs that were compared least so far; order and sides are random."""
    pairs = list(combinations(sounds, 2))
    met = Counter(frozenset((vote.a.key, vote.b.key)) for vote in given)
    plan = []
    for _ in range(planned):
        _random.shuffle(pairs)
        a, b = min(pairs, key=lambda pair: met[frozenset((pair[0].key, pair[1].key))])
        met[frozenset((a.key, b.key))] += 1
        plan.append((a, b) if _random.random() < 0.5 else (b, a))
    _random.shuffle(plan)
    return plan


def _next_trial(test: Test) -> Trial | None:
    number = len(test.votes)
    if number == len(test.pairs):
        return None
    a, b = test.pairs[number]
    heard = [("A", a), ("B", b)]
    x = ""
    if test.kind == "abx":
        x = _random.choice("ab")
        heard.append(("X", a if x == "a" else b))
    if test.reference:
        heard.append(("R", test.reference))
    _random.shuffle(heard)  # the order in which they are made says nothing either
    ids = {secrets.token_urlsafe(12): sound for sound in heard}
    return Trial(secrets.token_urlsafe(9), number + 1, a, b, x, ids)


def _vote(test: Test, trial: Trial, answer: str) -> Vote:
    return Vote(
        kind=test.kind,
        instrument=test.paths.slug,
        render=test.render,
        a=trial.a,
        b=trial.b,
        x=trial.x,
        answer=answer,
        listener=test.listener,
        session=test.id,
        number=trial.number,
        planned=len(test.pairs),
        at=now(),
    )


def _results(test: Test) -> list[dict[str, Any]]:
    return [
        {
            "number": vote.number,
            "a": {"training": vote.a.training, "step": vote.a.step, "key": vote.a.key},
            "b": {"training": vote.b.training, "step": vote.b.step, "key": vote.b.key},
            "answer": vote.answer,
            "correct": vote.correct if vote.kind == "abx" else None,
        }
        for vote in test.votes
    ]


def _render(test: Test, trial: Trial, sound_id: str) -> Response:
    """Return a sound as long as the shortest of a question, and as loud as the softest."""
    keys = {sound.key for _, sound in trial.heard.values()}
    key = trial.heard[sound_id][1].key
    softest = min((test.lufs[k] for k in keys if np.isfinite(test.lufs[k])), default=np.nan)
    gain_db = softest - test.lufs[key] if np.isfinite(test.lufs[key]) else 0.0
    length = min(soundfile.info(test.files[k]).frames for k in keys)
    audio = read_mono(test.files[key])[:length]
    return blind_wav(audio, 10 ** (gain_db / 20), np.random.default_rng(secrets.randbits(64)))


def _lufs(file: Path) -> float:
    return integrated_lufs(read_mono(file), SAMPLE_RATE)
