"""A folder of everything that people have on their disks, from `sources add` to prepared audio."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr

from morphene_core import stages
from morphene_core.audio.prepared import PreparedAudio, leaks
from morphene_core.audio.wav import SAMPLE_RATE, concatenate
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import Added, add_source
from morphene_core.sources.listing import printable
from morphene_core.sources.register import SourceFile
from tests.conftest import SYNTHESIZED
from tests.odd_files import ODD_FILES

# A folder has its files taken; a file that is not there is in no folder; root may read everything.
APART = {"folder.wav", "never there.wav", "forbidden.wav"}
FILES = [odd for odd in ODD_FILES if odd.name not in APART]


@dataclass
class Ingested:
    odd: Path
    paths: InstrumentPaths
    added: Added
    prepared: PreparedAudio

    @property
    def files(self) -> dict[str, SourceFile]:
        return {file.path.split("/", 2)[2]: file for file in self.added.files}


@pytest.fixture(scope="module")
def ingested() -> Iterator[Ingested]:
    with tempfile.TemporaryDirectory() as name:
        odd = Path(name) / "odd"
        odd.mkdir()
        for file in FILES:
            file.make(odd / file.name)
        paths = Home(Path(name) / "home").instrument("pyroviolin")
        added = add_source(paths, "nonmusical", SYNTHESIZED, [odd])
        yield Ingested(odd, paths, added, stages.prepare(paths, "nonmusical"))


def test_every_file_is_judged_refused_or_known_already_and_none_is_lost(ingested: Ingested) -> None:
    mistakes = []
    for odd in FILES:
        shown = printable(str(ingested.odd / odd.name))
        if file := ingested.files.get(odd.name):
            codes = {finding.code for finding in file.findings}
            if codes != odd.codes:
                mistakes.append(f"{odd.name!r}: {sorted(codes)}, not {sorted(odd.codes)}")
        elif shown in ingested.added.known:
            if "duplicate" not in odd.codes and "no audio" not in odd.codes:
                mistakes.append(f"{odd.name!r}: taken for {ingested.added.known[shown]}")
        elif shown in ingested.added.refused:
            if "unreadable" not in odd.codes:
                mistakes.append(f"{odd.name!r}: {ingested.added.refused[shown]}")
        else:
            mistakes.append(f"{odd.name!r}: not mentioned")
    assert not mistakes, "\n".join(["", *mistakes])
    assert len(ingested.files) >= 60


def test_nothing_of_what_was_given_is_moved_or_changed(ingested: Ingested) -> None:
    assert {p.name for p in ingested.odd.iterdir()} == {odd.name for odd in FILES}


def test_what_is_accepted_and_only_that_is_prepared_in_its_full_duration(
    ingested: Ingested,
) -> None:
    used = {f.path: f for f in ingested.added.files if f.verdict != "rejected"}
    (session,) = ingested.prepared.sessions
    assert {p.source for p in ingested.prepared.pieces} | set(session.left_out) == set(used)
    for path, file in used.items():
        pieces = [p for p in ingested.prepared.pieces if p.source == path]
        if pieces and file.verdict == "accepted":
            seconds = sum(piece.frames for piece in pieces) / SAMPLE_RATE
            assert seconds == pytest.approx(file.seconds, abs=0.06), path
    assert leaks(ingested.prepared) == []


def test_the_good_ones_come_out_as_what_was_put_in_at_the_loudness_that_was_set(
    ingested: Ingested,
) -> None:
    prepared = ingested.prepared
    (session,) = prepared.sessions
    sound = concatenate((*prepared.training, *prepared.heldout)).astype(np.float64)
    measured = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(sound)
    assert measured == pytest.approx(session.lufs_after, abs=0.3)
    if session.limited_by == "loudness":
        assert measured == pytest.approx(-20, abs=0.5)
    gain = 10 ** (session.gain_db / 20)
    compared = 0
    for path, file in ingested.files.items():
        pieces = [p for p in prepared.pieces if p.source == file.path]
        if file.verdict != "accepted" or not path.startswith("good") or len(pieces) != 1:
            continue
        try:
            # By descriptor: whatever the name says it is.
            with (ingested.odd / path).open("rb") as raw:
                original, rate = soundfile.read(raw.fileno(), always_2d=True, closefd=False)
        except soundfile.LibsndfileError:
            continue  # only ffmpeg reads it
        mono = soxr.resample(original.mean(axis=1), rate, SAMPLE_RATE, quality="VHQ")
        result = concatenate([prepared.folder / pieces[0].file])
        start = round(pieces[0].spans[0][0] * SAMPLE_RATE)
        expected = gain * mono[start : start + len(result)]
        inner = slice(480, len(expected) - 480)  # the fades
        error = np.sqrt(np.mean((result[: len(expected)] - expected)[inner] ** 2))
        assert error < 1e-3 * np.sqrt(np.mean(expected[inner] ** 2)), path
        compared += 1
    assert compared > 15
