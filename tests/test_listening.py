"""The listening room over HTTP: what it tells, what it takes, and what it refuses."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from morphene_core.audio.loudness import integrated_lufs
from morphene_core.criteria import load_thresholds
from morphene_core.errors import InputError
from morphene_core.files import locked, read_json, write_json
from morphene_core.home import Home
from morphene_core.listening import create_app, serve
from morphene_core.selection import (
    choose_checkpoint,
    read_choices,
    read_selection,
    select_checkpoint,
)
from morphene_core.training import TrainingFolder
from morphene_core.verdicts import CRITERIA, Verdict, read_verdicts, record_verdict
from morphene_core.votes import read_votes
from tests.listening_home import (
    CURRENT,
    DAMAGED,
    EARLIER,
    RATE,
    SLUG,
    UNAUDITED,
    make_home,
    render_path,
)
from tests.listening_server import Answer, Room, serving
from tests.recordings import record

ONE = f"/api/instruments/{SLUG}"
HEARD = 500_000  # which the ranking selects


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("listening") / "home")


@pytest.fixture(scope="module")
def shared(made: Home) -> Iterator[Room]:
    """Serve the project folder itself, for tests in which nothing is written."""
    with serving(made) as room:
        yield room


@pytest.fixture
def room(made: Home, tmp_path: Path) -> Iterator[Room]:
    """Serve a copy of the project folder; what one test writes, no other sees."""
    copy = Home(tmp_path / "home")
    shutil.copytree(made.path, copy.path, symlinks=True)
    with serving(copy) as room:
        yield room


def verdict(room: Room, **change: Any) -> dict[str, Any]:
    selection = read_selection(training(room))
    return {
        "training": CURRENT,
        "checkpoint_sha256": selection.checkpoint_sha256,
        "decision": "approved",
        "criteria": dict.fromkeys(CRITERIA, "good"),
        "notes": "Sparks.",
        "listener": "Ada",
        "seen": 0,
    } | change


def training(room: Room, name: str = CURRENT) -> TrainingFolder:
    return TrainingFolder(room.home.instrument(SLUG).training(name))


def current(room: Room) -> dict[str, Any]:
    (found,) = (t for t in room.ask(ONE).json["trainings"] if t["current"])
    return dict(found)


# What it tells ---------------------------------------------------------------------------------


def test_the_catalogue_lists_all_instruments_and_what_waits_for_ears(shared: Room) -> None:
    instruments = shared.ask("/api/catalogue").json["instruments"]
    assert len(instruments) == 50
    assert [i["slug"] for i in instruments if i["waits"]] == [SLUG]
    states = {i["slug"]: i["state"] for i in instruments}
    assert (states[SLUG], states["breakwater"], states["petrichoir"]) == (
        "exported",
        "sources",
        "empty",
    )


def test_a_verdict_changes_the_state_and_nothing_waits_any_more(room: Room) -> None:
    for decision in ("rejected", "approved"):
        seen = len(read_verdicts(room.home.instrument(SLUG)))
        answer = room.post(f"{ONE}/verdicts", verdict(room, decision=decision, seen=seen))
        assert answer.status == 201
        (row,) = (i for i in room.ask("/api/catalogue").json["instruments"] if i["slug"] == SLUG)
        assert (row["state"], row["waits"]) == (decision, False)
        assert row["verdict"]["listener"] == "Ada"


def test_a_delivered_instrument_is_known_by_its_checkpoint(room: Room) -> None:
    paths = room.home.instrument(SLUG)
    selection = read_selection(training(room))
    checkpoint = {"step": selection.step, "sha256": selection.checkpoint_sha256}
    write_json(paths.final / "metadata.json", {"checkpoint": checkpoint})
    assert room.ask(ONE).json["state"] == "delivered"
    write_json(paths.final / "metadata.json", {"checkpoint": checkpoint | {"sha256": "0" * 64}})
    assert room.ask(ONE).json["state"] == "exported"


def test_a_running_training_shows_its_progress(room: Room) -> None:
    folder = training(room)
    live = {"doing": "training", "at": "2026-01-01T00:00:00+00:00", "step": 7, "total_steps": 9}
    write_json(folder.live, live | {"seconds_left": 60.0})
    with locked(folder.lock, "busy"):
        found = room.ask(ONE).json
    assert (found["state"], found["waits"]) == ("training", False)
    assert found["running"]["step"] == 7


def test_an_instrument_shows_each_checkpoint_with_metrics_and_thresholds(shared: Room) -> None:
    found = shared.ask(ONE).json
    assert [t["id"] for t in found["trainings"]] == [CURRENT, EARLIER]
    thresholds = {m["name"]: m["threshold"] for m in found["metrics"]}
    (heard,) = (c for c in current(shared)["checkpoints"] if c["step"] == HEARD)
    assert set(heard["metrics"]) == set(thresholds)
    assert set(heard["scores"]) == set(CRITERIA[:3])
    assert current(shared)["selection"]["step"] == HEARD
    assert current(shared)["ranking"]["order"][0] == HEARD


def test_an_audit_lists_what_can_be_heard_in_the_order_of_the_keys(shared: Room) -> None:
    found = shared.ask(f"{ONE}/trainings/{CURRENT}/{HEARD}").json
    assert [sound["name"] for sound in found["sounds"]] == [
        "musical_reference", "musical_recon", "nonmusical_reference", "nonmusical_recon",
        "morph_00", "morph_25", "morph_50", "morph_75", "morph_100",
    ]  # fmt: skip
    assert all(-30 < sound["lufs"] < -15 for sound in found["sounds"])
    assert [e["name"] for e in found["exports"]] == [
        "musical_recon",
        "nonmusical_recon",
        "morph_sweep",
    ]
    for sound in [*found["sounds"], *found["exports"]]:
        assert shared.ask(sound["url"]).status == 200


def test_an_export_of_another_checkpoint_is_not_heard_as_this_one_s(room: Room) -> None:
    found = room.ask(f"{ONE}/trainings/{CURRENT}/{HEARD}").json
    assert found["criteria"]["real_time_playback"]["passed"]
    assert found["criteria"]["real_time_playback"]["text"]
    (file,) = room.home.instrument(SLUG).exports.glob("*.json")
    write_json(file, read_json(file) | {"checkpoint_sha256": "0" * 64})
    found = room.ask(f"{ONE}/trainings/{CURRENT}/{HEARD}").json
    assert found["exports"] == [] and "real_time_playback" not in found["criteria"]


def test_a_render_is_handed_out_as_it_lies_on_disk_and_in_parts(shared: Room) -> None:
    path = render_path(shared.home, CURRENT, HEARD, "morph_50")
    url = f"/audio/audits/{SLUG}/{CURRENT}/{HEARD}/morph_50"
    whole = shared.ask(url)
    assert whole.body == path.read_bytes()
    assert whole.headers["content-type"] == "audio/wav"
    part = shared.ask(url, range="bytes=100-199")
    assert (part.status, part.body) == (206, path.read_bytes()[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{path.stat().st_size}"
    assert shared.ask(url, range="bytes=999999999-").status == 416


# What is damaged or missing --------------------------------------------------------------------


def test_a_damaged_audit_is_shown_as_damaged_and_the_others_work(shared: Room) -> None:
    problems = {c["step"]: c["problem"] for c in current(shared)["checkpoints"]}
    assert "damaged" in problems[DAMAGED]
    assert "Not audited yet" in problems[UNAUDITED]
    assert problems[HEARD] == ""
    found = shared.ask(f"{ONE}/trainings/{CURRENT}/{DAMAGED}").json
    assert "damaged" in found["problem"]
    assert len(found["sounds"]) == 9  # they can be heard all the same


@pytest.mark.parametrize("text", ["", "[]", "null", '{"step": 1}', "\xff", "{" * 5000])
def test_no_content_of_metrics_json_breaks_a_page(room: Room, text: str) -> None:
    path = training(room).audit_path(HEARD) / "metrics.json"
    path.write_text(text, encoding="latin-1")
    problems = {c["step"]: c["problem"] for c in current(room)["checkpoints"]}
    assert "damaged" in problems[HEARD]
    assert room.ask(f"{ONE}/trainings/{CURRENT}/{HEARD}").status == 200
    assert room.ask(f"{ONE}/votes").status == 200


@pytest.mark.parametrize("field", ["metrics", "artifacts", "loudness_lufs", "gain_db"])
def test_no_type_of_a_field_of_metrics_json_breaks_a_page(room: Room, field: str) -> None:
    path = training(room).audit_path(HEARD) / "metrics.json"
    for wrong in ([1], "text", None, {"musical_f0_error": "text", "morph_50": "text"}):
        write_json(path, read_json(path) | {field: wrong})
        assert room.ask(ONE).status == 200
        assert room.ask(f"{ONE}/trainings/{CURRENT}/{HEARD}").status == 200


def test_a_damaged_training_is_named_and_the_others_work(room: Room) -> None:
    (training(room, EARLIER).path / "training.json").write_text("{")
    answer = room.ask(ONE)
    assert answer.status == 200
    problems = {t["id"]: t.get("problem", "") for t in answer.json["trainings"]}
    assert "damaged" in problems[EARLIER]
    assert problems[CURRENT] == ""


def test_damage_in_one_instrument_leaves_the_catalogue_whole(room: Room) -> None:
    (training(room).path / "training.json").write_text("{")
    found = room.ask("/api/catalogue")
    assert found.status == 200
    (row,) = (i for i in found.json["instruments"] if i["slug"] == SLUG)
    assert "damaged" in row["problem"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/instruments/pyrovioling", "Near: 10 pyroviolin"),
        ("/api/instruments/PYROVIOLIN", "Near: pyroviolin"),
        ("/api/instruments/10", "Near: pyroviolin"),
        (f"{ONE}/trainings/nothing/1", "no training 'nothing'"),
        (f"{ONE}/trainings/{CURRENT}/17", "no checkpoint of step 17"),
        ("/api/nothing", "There is nothing here"),
        (f"/audio/audits/{SLUG}/{CURRENT}/{HEARD}/morph_51", "no render"),
        (f"/audio/audits/{SLUG}/{CURRENT}/{UNAUDITED}/morph_50", "missing"),
        (f"/audio/references/{SLUG}/{CURRENT}/loud", "no reference"),
        (f"/audio/sources/{SLUG}/musical/0000", "not there any more"),
        ("/audio/blind/guess", "This test is over"),
    ],
)
def test_what_is_not_there_is_said_in_words(shared: Room, path: str, said: str) -> None:
    answer = shared.ask(path)
    assert answer.status == 404
    assert said in answer.json["error"]


# Recordings ------------------------------------------------------------------------------------


def roles(room: Room) -> dict[str, dict[str, Any]]:
    return {role["role"]: role for role in room.ask(f"{ONE}/sources").json["roles"]}


def test_every_recording_has_its_verdict_findings_and_licence(shared: Room) -> None:
    musical = roles(shared)["musical"]
    files = {file["path"]: file for file in musical["files"]}
    assert files["Violin, studio B/violin_melody.wav"]["verdict"] == "accepted"
    assert files["found.wav"]["findings"][0]["code"] == "not registered"
    (archive,) = (s for s in musical["sources"] if s["name"] == "Archive")
    assert archive["licence"] == "CC-BY-NC-4.0"
    assert archive["problems"][0]["forbids"]


def test_every_recording_can_be_heard_in_parts(shared: Room) -> None:
    folder = shared.home.instrument(SLUG).sources("musical")
    for file in roles(shared)["musical"]["files"]:
        there = (folder / file["path"]).read_bytes()
        assert shared.ask(file["url"], range="bytes=-50").body == there[-50:]


def test_a_recording_that_nobody_has_read_yet_can_be_heard(room: Room) -> None:
    record(room.home.instrument("kettlelark").sources("musical") / "take 1 #?%.wav")
    (musical, _) = room.ask("/api/instruments/kettlelark/sources").json["roles"]
    (file,) = musical["files"]
    assert (musical["read"], file["verdict"]) == (False, "unread")
    assert room.ask(file["url"]).status == 200


def test_formats_that_browsers_do_not_read_are_sent_as_wav(room: Room) -> None:
    folder = room.home.instrument("kettlelark").sources("musical")
    folder.mkdir(parents=True)
    tone = 0.5 * np.sin(np.arange(30_000) / 20)
    soundfile.write(folder / "take.aiff", np.column_stack([tone, -tone]), 44_100)
    (musical, _) = room.ask("/api/instruments/kettlelark/sources").json["roles"]
    answer = room.ask(musical["files"][0]["url"])
    assert answer.headers["content-type"] == "audio/wav"
    audio, rate = soundfile.read(io.BytesIO(answer.body))
    assert (rate, audio.shape) == (44_100, (30_000, 2))
    assert audio[:, 0] == pytest.approx(tone, abs=2e-4)


def test_a_file_that_is_no_audio_is_refused_in_words(room: Room) -> None:
    folder = room.home.instrument("kettlelark").sources("musical")
    folder.mkdir(parents=True)
    (folder / "notes.aiff").write_text("no audio")
    (musical, _) = room.ask("/api/instruments/kettlelark/sources").json["roles"]
    answer = room.ask(musical["files"][0]["url"])
    assert answer.status == 415
    assert "notes.aiff cannot be played" in answer.json["error"]


def test_a_long_recording_is_not_read_into_memory(room: Room) -> None:
    path = room.home.instrument("kettlelark").sources("musical") / "long.wav"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse: three hours, and no disk
    (musical, _) = room.ask("/api/instruments/kettlelark/sources").json["roles"]
    before = _resident()
    with urllib.request.urlopen(room.url + musical["files"][0]["url"], timeout=20) as answer:
        answer.read(1 << 20)
    assert _resident() - before < 200e6


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Verdicts and choices --------------------------------------------------------------------------


def test_a_verdict_is_a_line_of_a_file(room: Room) -> None:
    assert room.post(f"{ONE}/verdicts", verdict(room)).status == 201
    path = room.home.instrument(SLUG).models / "verdicts.jsonl"
    (line,) = path.read_text().splitlines()
    found = json.loads(line)
    assert (found["listener"], found["decision"], found["step"]) == ("Ada", "approved", HEARD)
    assert found["criteria"] == dict.fromkeys(CRITERIA, "good")


def test_a_verdict_on_what_is_no_more_selected_is_refused(room: Room) -> None:
    given = verdict(room)
    choose_checkpoint(training(room), 300_000, "warmer", "Ben")
    select_checkpoint(training(room), load_thresholds(room.home.path))
    answer = room.post(f"{ONE}/verdicts", given)
    assert answer.status == 409
    assert "Step 300,000 is selected now, by Ben" in answer.json["error"]
    assert answer.json["conflict"] == "selection"
    assert read_verdicts(room.home.instrument(SLUG)) == []


def test_a_verdict_on_a_training_that_does_not_ship_is_refused(shared: Room) -> None:
    answer = shared.post(f"{ONE}/verdicts", verdict(shared, training=EARLIER))
    assert answer.status == 409
    assert CURRENT in answer.json["error"]


def test_of_two_verdicts_at_once_the_second_listener_sees_the_first(room: Room) -> None:
    assert room.post(f"{ONE}/verdicts", verdict(room)).status == 201
    other = verdict(room, listener="Ben", decision="rejected")
    answer = room.post(f"{ONE}/verdicts", other)
    assert answer.status == 409
    assert "Ada approved" in answer.json["error"]
    assert answer.json["verdicts"][0]["notes"] == "Sparks."
    confirmed = room.post(f"{ONE}/verdicts", other | {"seen": answer.json["seen"]})
    assert confirmed.status == 201
    listeners = [v.listener for v in read_verdicts(room.home.instrument(SLUG))]
    assert listeners == ["Ada", "Ben"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision": "maybe"}, "approved or rejected"),
        ({"criteria": {"musicality": "fine"}}, "good or usable or bad"),
        ({"criteria": ["good"]}, "'criteria'"),
        ({"listener": "   "}, "say who listened"),
        ({"notes": None}, "'notes' must be a text"),
        ({"seen": -1}, "'seen' must be a whole number"),
        ({"seen": True}, "'seen' must be a whole number"),
    ],
)
def test_a_verdict_that_is_none_is_refused_in_words(
    shared: Room, change: dict[str, Any], said: str
) -> None:
    answer = shared.post(f"{ONE}/verdicts", verdict(shared, **change))
    assert answer.status == 400
    assert said in answer.json["error"]
    assert read_verdicts(shared.home.instrument(SLUG)) == []


def test_another_checkpoint_is_chosen_and_takes_a_verdict_of_its_own(room: Room) -> None:
    room.post(f"{ONE}/verdicts", verdict(room))
    answer = room.post(f"{ONE}/choices", choice(room))
    assert answer.status == 201
    assert read_selection(training(room)).step == 300_000
    assert read_selection(training(room)).by == "Ada"
    found = room.ask(ONE).json
    assert (found["waits"], found["verdict"]) == (True, None)


def choice(room: Room, **change: Any) -> dict[str, Any]:
    (other,) = (c for c in current(room)["checkpoints"] if c["step"] == 300_000)
    selection = read_selection(training(room))
    return {
        "training": CURRENT,
        "step": 300_000,
        "checkpoint_sha256": other["sha256"],
        "selected_sha256": selection.checkpoint_sha256,
        "reason": "warmer",
        "listener": "Ada",
    } | change


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"reason": " "}, 400, "needs a reason"),
        ({"listener": ""}, 400, "name of a person"),
        ({"listener": "ranking"}, 400, "name of a person"),
        ({"checkpoint_sha256": "0" * 64}, 409, "replaced meanwhile"),
        ({"selected_sha256": "0" * 64}, 409, "has selected step 500,000 meanwhile"),
        ({"training": EARLIER}, 409, "not the training that ships"),
        ({"step": 17}, 400, "no checkpoint of step 17"),
    ],
)
def test_a_choice_that_cannot_stand_is_refused(
    shared: Room, change: dict[str, Any], status: int, said: str
) -> None:
    answer = shared.post(f"{ONE}/choices", choice(shared, **change))
    assert (answer.status, said in answer.json["error"]) == (status, True)
    assert read_selection(training(shared)).step == HEARD


def test_of_choices_made_at_once_one_is_taken(room: Room) -> None:
    given = choice(room)
    with ThreadPoolExecutor(6) as people:
        answers = list(people.map(lambda _: room.post(f"{ONE}/choices", given), range(6)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert len(read_choices(training(room))) == 1


def test_half_a_character_is_refused_and_where_a_log_holds_one_the_pages_answer(
    room: Room,
) -> None:
    answer = room.post(f"{ONE}/verdicts", verdict(room, listener="\ud800"))
    assert (answer.status, "whole characters" in answer.json["error"]) == (400, True)
    paths = room.home.instrument(SLUG)
    assert read_verdicts(paths) == []
    selection = read_selection(training(room))
    odd = Verdict(
        SLUG, CURRENT, HEARD, selection.checkpoint_sha256, "approved", {}, "", "A\ud800", "now"
    )
    record_verdict(paths, odd)
    assert room.ask(ONE).status == room.ask("/api/catalogue").status == 200


# Blind tests -----------------------------------------------------------------------------------


def begin(room: Room, **change: Any) -> Answer:
    sounds = [{"training": CURRENT, "step": 300_000}, {"training": CURRENT, "step": HEARD}]
    data = {
        "kind": "abx",
        "render": "morph_50",
        "planned": 8,
        "sounds": sounds,
        "listener": "Ada",
    }
    return room.post(f"{ONE}/tests", data | change)


def hear(room: Room, question: dict[str, Any]) -> dict[str, np.ndarray]:
    heard = {}
    for sound in question["sounds"]:
        answer = room.ask(f"/audio/blind/{sound['id']}")
        assert answer.status == 200
        heard[sound["label"]] = soundfile.read(io.BytesIO(answer.body))[0]
    return heard


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    length = min(len(a), len(b))
    return float(np.corrcoef(a[:length], b[:length])[0, 1])


def test_an_abx_test_is_taken_to_its_end_by_ear_alone(room: Room) -> None:
    question = begin(room).json
    drawn = set()
    while "results" not in question:
        heard = hear(room, question)
        answer = "a" if likeness(heard["X"], heard["A"]) > likeness(heard["X"], heard["B"]) else "b"
        drawn.add(answer)
        asked = {"trial": question["trial"], "answer": answer}
        question = room.post(f"/api/tests/{question['test']}", asked).json
    assert all(result["correct"] for result in question["results"])
    (pair,) = room.ask(f"{ONE}/votes").json["told_apart"]
    assert (pair["correct"], pair["answers"]) == (8, 8)
    assert pair["p"] == pytest.approx(1 / 256)
    assert len(read_votes(room.home.instrument(SLUG))) == 8


def test_x_and_the_sides_are_drawn_anew(shared: Room) -> None:
    drawn, sides = set(), set()
    reference = soundfile.read(render_path(shared.home, CURRENT, HEARD, "morph_50"))[0]
    for _ in range(12):
        heard = hear(shared, begin(shared).json)
        drawn.add(likeness(heard["X"], heard["A"]) > likeness(heard["X"], heard["B"]))
        sides.add(likeness(heard["A"], reference) > 0.99)
    assert drawn == sides == {True, False}  # by chance otherwise once in 2,000


def test_the_browser_learns_nothing_but_how_it_sounds(shared: Room) -> None:
    answer = begin(shared, kind="preference", render="musical_recon", sounds=[
        {"reference": True, "training": CURRENT}, {"training": CURRENT, "step": HEARD},
    ])  # fmt: skip
    question = answer.json
    assert set(question) == {"test", "kind", "trial", "number", "of", "sounds"}
    assert [set(sound) for sound in question["sounds"]] == [{"label", "id"}] * 3
    for telling in (str(HEARD), CURRENT, "recon", "sha", ".wav"):
        assert telling not in answer.body.decode()
    answers = [shared.ask(f"/audio/blind/{sound['id']}") for sound in question["sounds"]]
    headers = [{k: v for k, v in a.headers.items() if k != "date"} for a in answers]
    assert headers[0] == headers[1] == headers[2]
    assert "etag" not in headers[0] and "last-modified" not in headers[0]
    assert headers[0]["cache-control"] == "no-store"
    assert len({a.body for a in answers}) == 3  # the same sound twice is not the same bytes
    levels = [integrated_lufs(soundfile.read(io.BytesIO(a.body))[0], RATE) for a in answers]
    assert max(levels) - min(levels) < 0.05


def test_preferences_make_a_ranking_with_its_agreement(room: Room) -> None:
    sounds = [{"training": CURRENT, "step": step} for step in (100_000, 300_000, HEARD)]
    sounds.append({"reference": True, "training": CURRENT})
    question = begin(
        room, kind="preference", render="musical_recon", sounds=sounds, planned=12
    ).json
    while "results" not in question:
        heard = hear(room, question)
        closer = max("AB", key=lambda label: likeness(heard[label], heard["R"]))
        asked = {"trial": question["trial"], "answer": closer.lower()}
        question = room.post(f"/api/tests/{question['test']}", asked).json
    (found,) = room.ask(f"{ONE}/votes").json["rankings"]
    assert [entry["step"] for entry in found["preferred"]] == [0, HEARD, 300_000, 100_000]
    assert found["tau"] == pytest.approx(1)
    assert (found["reference_missed"], found["reference_heard"]) == (0, 6)
    assert {entry["comparisons"] for entry in found["preferred"]} == {6}  # all pairs alike


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "guess"}, "no test"),
        ({"render": "../../x"}, "no test"),
        ({"planned": 0}, "1 to 100 questions"),
        ({"planned": 101}, "1 to 100 questions"),
        ({"listener": ""}, "Say who listens"),
        ({"sounds": []}, "Choose two"),
        ({"sounds": [{"training": CURRENT, "step": HEARD}] * 2}, "takes part twice"),
        ({"sounds": [{"training": CURRENT, "step": "x"}] * 2}, "a training and a step"),
        ({"sounds": [{"training": CURRENT, "step": 17}] * 2}, "no checkpoint of step 17"),
        ({"sounds": "all"}, "must be a list"),
        (
            {"sounds": [{"reference": True, "training": CURRENT}] * 2},
            "A morph has no reference",
        ),
    ],
)
def test_what_makes_no_test_is_refused_in_words(
    shared: Room, change: dict[str, Any], said: str
) -> None:
    answer = begin(shared, **change)
    assert (answer.status, said in answer.json["error"]) == (400, True)


def test_a_question_is_answered_once_and_its_sounds_are_gone(room: Room) -> None:
    question = begin(room).json
    asked = {"trial": question["trial"], "answer": "a"}
    path = f"/api/tests/{question['test']}"
    assert room.post(path, asked | {"answer": "both"}).status == 400
    assert room.post(path, asked).json["number"] == 2
    assert room.post(path, asked).status == 409
    assert room.ask(f"/audio/blind/{question['sounds'][0]['id']}").status == 404
    assert len(read_votes(room.home.instrument(SLUG))) == 1
    assert room.post("/api/tests/unknown", asked).status == 404


# Safety ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1]", ""]
)
def test_another_host_gets_nothing(shared: Room, host: str) -> None:
    for path in ("/", "/api/catalogue", "/static/main.js"):
        answer = shared.ask(path, host=host)
        assert answer.status == 403
        assert shared.token.encode() not in answer.body


def test_this_machine_is_served_under_both_names(shared: Room) -> None:
    for host in (f"127.0.0.1:{shared.port}", f"localhost:{shared.port}", "localhost"):
        assert shared.ask("/api/catalogue", host=host).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "https://127.0.0.1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"x_morphene_token": "wrong"},
        {"x_morphene_token": ""},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_what_another_page_sends_is_not_written(shared: Room, change: dict[str, str]) -> None:
    answer = shared.post(f"{ONE}/verdicts", verdict(shared), **change)
    assert answer.status == 403
    assert answer.json["error"]
    assert not (shared.home.instrument(SLUG).models / "verdicts.jsonl").exists()


def test_another_page_cannot_read_but_may_link(shared: Room) -> None:
    foreign = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}
    assert shared.ask("/api/catalogue", **foreign).status == 403
    assert shared.ask(f"/audio/references/{SLUG}/{CURRENT}/musical", **foreign).status == 403
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert shared.ask(f"/instruments/{SLUG}", **link).status == 200


def test_every_answer_carries_a_strict_policy(shared: Room) -> None:
    for path in ("/", "/api/catalogue", "/static/main.js", "/nothing"):
        headers = shared.ask(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_no_page_names_another_host_or_holds_scripts_of_its_own() -> None:
    static = Path(sys.modules[create_app.__module__].__file__ or "").with_name("static")
    files = sorted(static.iterdir())
    assert {"index.html", "main.js", "base.css"} <= {file.name for file in files}
    for file in files:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "http://" not in text and "https://" not in text and "//cdn" not in text
        assert "innerHTML" not in text and "eval(" not in text
    html = (static / "index.html").read_text()
    assert html.count("<script") == html.count("<script src=") + html.count('type="module" src=')
    assert "style=" not in html and "onclick" not in html


ESCAPES = [
    "/audio/sources/pyroviolin/musical/..%2f..%2fmusical.toml",
    "/audio/sources/pyroviolin/..%2f..%2f/x",
    "/audio/audits/pyroviolin/..%2f..%2f..%2f/500000/morph_50",
    "/audio/audits/..%2f..%2fmodels%2fpyroviolin/x/1/morph_50",
    "/audio/audits/pyroviolin/.hidden/1/morph_50",
    "/audio/exports/pyroviolin/..%2ffinal/musical_recon",
    "/audio/exports/pyroviolin/x/..%2fmusical_recon",
    "/audio/references/pyroviolin/production-9f8e7d6c/..%2fmusical",
    "/audio/audits/pyroviolin/production-9f8e7d6c/-1/morph_50",
    "/audio/audits/pyroviolin/production-9f8e7d6c%00/500000/morph_50",
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/app.py",
    "/static//etc/passwd",
    "/api/instruments/..%2f..%2fetc/sources",
    "/instruments/../../etc/passwd",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_address_leads_out_of_the_known_folders(shared: Room, path: str) -> None:
    answer = shared.ask(path)
    assert answer.status == 404, answer.body
    assert b"root:" not in answer.body and b"import" not in answer.body


def test_a_link_that_leads_out_is_refused(room: Room, tmp_path: Path) -> None:
    secret = record(tmp_path / "secret.wav")
    render = render_path(room.home, CURRENT, HEARD, "morph_50")
    render.unlink()
    render.symlink_to(secret)
    recording = room.home.instrument(SLUG).sources("musical") / "linked.wav"
    recording.symlink_to(secret)
    answer = room.ask(f"/audio/audits/{SLUG}/{CURRENT}/{HEARD}/morph_50")
    assert answer.status == 403
    (file,) = (f for f in roles(room)["musical"]["files"] if f["path"] == "linked.wav")
    assert file["url"] is None
    assert "leads out" in file["why_not"]
    address = f"/audio/sources/{SLUG}/musical/{file['id']}"
    assert room.ask(address).status == 403
    recording.unlink()
    recording.symlink_to(recording)
    assert room.ask(address).status in (403, 404)


def test_a_recording_that_was_added_as_a_link_is_played_while_it_is_unchanged(
    room: Room, tmp_path: Path
) -> None:
    from morphene_core.sources.collect import add_source
    from morphene_core.sources.register import survey

    paths = room.home.instrument("kettlelark")
    original = record(tmp_path / "elsewhere.wav", seed=5)
    add_source(
        paths,
        "musical",
        {"name": "Linked", "origin": "recorded", "licence": "own"},
        [original],
        link=True,
    )
    survey(paths, "musical")
    (musical, _) = room.ask("/api/instruments/kettlelark/sources").json["roles"]
    (file,) = musical["files"]
    assert room.ask(file["url"]).body == original.read_bytes()
    original.write_bytes(b"something else")
    assert room.ask(file["url"]).status == 403


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff\xfe", b"[" * 60_000])
def test_what_is_no_json_object_is_refused(shared: Room, body: bytes) -> None:
    headers = {"content_type": "application/json", "x_morphene_token": shared.token}
    answer = shared.ask(f"{ONE}/verdicts", "POST", body, **headers)
    assert answer.status == 400
    assert "JSON" in answer.json["error"]


def test_a_body_that_is_too_long_is_refused(shared: Room) -> None:
    answer = shared.post(f"{ONE}/verdicts", verdict(shared, notes="x" * 100_000))
    assert answer.status == 413
    assert "at most 64 kB" in answer.json["error"]


def test_methods_that_are_not_meant_change_nothing(shared: Room) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        headers = {"content_type": "application/json", "x_morphene_token": shared.token}
        assert shared.ask(ONE, method, b"{}", **headers).status == 405
    assert shared.ask(f"{ONE}/verdicts").status == 405


# Pages and server ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        (f"/instruments/{SLUG}", 200),
        (f"/instruments/{SLUG}/sources", 200),
        (f"/instruments/{SLUG}/blind", 200),
        (f"/instruments/{SLUG}/trainings/{CURRENT}/{HEARD}", 200),
        ("/instruments/nothing", 404),
        ("/instruments/nothing/sources", 404),
    ],
)
def test_pages_have_stable_addresses(shared: Room, path: str, status: int) -> None:
    answer = shared.ask(path)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert b"/static/main.js" in answer.body


def test_it_is_served_on_this_machine_only_until_it_is_interrupted(made: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from morphene_core.home import Home;"
        "from morphene_core.listening import serve;"
        "serve(Home(Path(sys.argv[1])), 0, False, lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(made.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", line)
        with urllib.request.urlopen(address + "api/catalogue", timeout=20) as answer:
            assert len(json.load(answer)["instruments"]) == 50
        listening = subprocess.run(
            ["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True
        ).stdout
        port = f":{int(address.rsplit(':', 1)[1].strip('/')):04X}"
        (entry,) = (row for row in listening.splitlines() if f"{port} 00000000:0000 0A" in row)
        assert entry.split()[1].startswith("0100007F")
        started = time.monotonic()
        process.send_signal(2)
        process.wait(20)
        assert time.monotonic() - started < 10
    finally:
        process.kill()


def test_a_port_that_is_taken_is_said(made: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} .* --port"):
            serve(made, port, False)
