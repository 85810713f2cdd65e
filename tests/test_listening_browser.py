"""The listening room in a real browser: what comes out of it is recorded and analysed."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, Page, expect
from scipy.fft import irfft, rfft

from morphene_core.files import locked
from morphene_core.home import Home
from morphene_core.selection import read_selection
from morphene_core.training import TrainingFolder
from morphene_core.verdicts import CRITERIA, read_verdicts
from morphene_core.votes import read_votes
from tests.browser import browser, picture
from tests.listening_home import (
    CURRENT,
    DAMAGED,
    EARLIER,
    RATE,
    RUNNING,
    SECONDS,
    SLUG,
    add_others,
    make_home,
    render_path,
)
from tests.listening_server import Room, serving

pytestmark = pytest.mark.slow

HEARD = 500_000  # which the ranking selects
HERE = f"/instruments/{SLUG}"
AT_HEARD = f"{HERE}/trainings/{CURRENT}/{HEARD}"
LENGTH = round(SECONDS * RATE)

# Sends every sample that leaves the room's output, with its place in the stream.
TAP = """
registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[samples]]) {
    this.port.postMessage([currentFrame, samples ? samples.slice() : new Float32Array(128)]);
    return true;
  }
});
"""
CONNECT = """async () => {
  const { context, output } = listeningRoom.engine;
  await context.audioWorklet.addModule("/static/tap.js");
  const mono = { channelCount: 1, channelCountMode: "explicit" };
  const node = new AudioWorkletNode(context, "tap", mono);
  output.connect(node);
  window.tapped = [];
  node.port.onmessage = ({ data }) => tapped.push(data);
}"""
TAKE = """() => {
  const parts = tapped.splice(0);
  const samples = new Float32Array(parts.length * 128);
  parts.forEach(([, part], i) => samples.set(part, i * 128));
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) {
    text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  }
  return [parts[0][0], parts.at(-1)[0], btoa(text)];
}"""


@dataclass
class Window:
    """Some milliseconds of what was heard: which file they are of, and where in it."""

    name: str
    likeness: float
    lag: int
    """Samples from the start of the recording to that of the file, modulo its length."""


@dataclass
class Session:
    """The room that is served, and a browser that looks at it."""

    room: Room
    page: Page
    pictures: Path

    @property
    def home(self) -> Home:
        return self.room.home

    def listen(self) -> None:
        """Begin to record what comes out of the audio graph of the page that is open."""
        self.page.evaluate(CONNECT)
        self.page.wait_for_timeout(250)  # the first blocks are lost while the worklet starts
        self.page.evaluate("() => { tapped = []; }")

    def recording(self) -> np.ndarray:
        """Return what was recorded since the last time, without a gap."""
        first, last, text = self.page.evaluate(TAKE)
        samples = np.frombuffer(base64.b64decode(text), np.float32)
        assert len(samples) == last - first + 128  # no block is missing
        return samples

    def sounds(self, names: list[str], training: str = CURRENT, step: int = HEARD) -> "Sounds":
        return Sounds({n: read(render_path(self.home, training, step, n)) for n in names})


class Sounds:
    """Files that something that was heard may be of; they are looped, so their ends meet."""

    def __init__(self, audio: dict[str, np.ndarray]) -> None:
        self.audio = audio
        self._spectra = {name: rfft(a) for name, a in audio.items()}
        self._energies = {
            name: np.cumsum(np.square(np.concatenate([[0.0], a, a]))) for name, a in audio.items()
        }

    def with_other(self, other: "Sounds", prefix: str) -> "Sounds":
        return Sounds(self.audio | {f"{prefix}{n}": a for n, a in other.audio.items()})

    def find(self, heard: np.ndarray, start: int, length: int = 1024) -> Window:
        """Return which file a stretch of a recording is of, by normalised correlation."""
        part = heard[start : start + length].astype(np.float64)
        best = Window("silence", 0.0, 0)
        if np.sqrt(np.mean(part**2)) < 1e-4:
            return best
        conjugate = np.conj(rfft(part, LENGTH))
        for name, spectrum in self._spectra.items():
            energy = self._energies[name]
            own = energy[length : length + LENGTH] - energy[:LENGTH]
            likeness = irfft(spectrum * conjugate, LENGTH) / np.sqrt(own * (part @ part) + 1e-12)
            place = int(likeness.argmax())
            if likeness[place] > best.likeness:
                best = Window(name, float(likeness[place]), (start - place) % LENGTH)
        return best

    def likeness(self, name: str, heard: np.ndarray, start: int, length: int, lag: int) -> float:
        """Return how like a file a stretch is, at a lag."""
        places = np.arange(start - lag, start - lag + length) % LENGTH
        own, part = self.audio[name][places], heard[start : start + length]
        return float(own @ part / np.sqrt((own @ own) * (part @ part) + 1e-12))


def read(path: Path) -> np.ndarray:
    return np.asarray(soundfile.read(path)[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = make_home(tmp_path_factory.mktemp("listening") / "home")
    add_others(home)
    return home


@pytest.fixture(scope="module")
def opened(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with serving(made, {"tap.js": TAP}) as room, browser(room.url) as page:
        yield Session(room, page, tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def session(opened: Session) -> Iterator[Session]:
    """Give the browser, and see that no page of it reports an error of its own."""
    complaints: list[str] = []
    opened.page.on("pageerror", lambda error: complaints.append(str(error)))
    opened.page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    yield opened
    refused = "the server responded with a status of 4"  # of what a test asks for on purpose
    assert [text for text in complaints if refused not in text] == []


def ready(page: Page) -> None:
    """Wait until every sound of the page is decoded and drawn."""
    expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".desk")).not_to_have_attribute("aria-busy", "true")


def wait_for(page: Page, script: str) -> None:
    """Wait until a script says so. Playwright's own waiting needs eval, which pages forbid."""
    deadline = time.monotonic() + 20
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(20)


def play(session: Session, milliseconds: int = 400) -> None:
    session.page.keyboard.press(" ")
    session.page.wait_for_timeout(milliseconds)


def lag_error(before: Window, after: Window) -> float:
    """Return how far two windows disagree on the position, in milliseconds."""
    samples = (after.lag - before.lag + LENGTH // 2) % LENGTH - LENGTH // 2
    return 1000 * abs(samples) / RATE


def test_the_catalogue_shows_what_waits_and_leads_to_it(session: Session) -> None:
    page = session.page
    folder = TrainingFolder(session.home.instrument(RUNNING).training(CURRENT))
    with locked(folder.lock, "busy"):
        page.goto("/")
        expect(page.get_by_role("row")).to_have_count(51)
        picture(page, "listening-catalogue", session.pictures)
    expect(page.get_by_role("progressbar")).to_have_count(1)
    expect(page.locator("tr", has_text="Petrichoir")).to_contain_text("delivered")
    page.keyboard.press("/")
    page.keyboard.type("fire")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Pyroviolin").first.click()
    expect(page.get_by_role("heading", name="Step 500,000")).to_be_visible()


def test_a_switch_by_key_keeps_the_position_and_plays_the_right_file(session: Session) -> None:
    page = session.page
    page.goto(AT_HEARD)
    ready(page)
    picture(page, "listening-instrument", session.pictures)
    names = ["musical_reference", "musical_recon", "nonmusical_reference", "nonmusical_recon"]
    names += ["morph_00", "morph_25", "morph_50", "morph_75", "morph_100"]
    sounds = session.sounds(names)
    session.listen()
    play(session)
    errors: list[float] = []
    gaps: list[float] = []
    before: Window | None = None
    before_length = 0
    for key, name in enumerate(names, start=1):
        page.keyboard.press(str(key))
        page.wait_for_timeout(260)
        heard = session.recording()
        after = sounds.find(heard, len(heard) - 1500)
        assert (after.name, after.likeness > 0.999) == (name, True)
        if before:
            # Lags count from the starts of the parts of the recording, which follow each other.
            errors.append(lag_error(Window("", 1, before.lag - before_length), after))
            gaps.append(crossfade_milliseconds(sounds, heard, before.name, name, after.lag))
        before, before_length = after, len(heard)
    report(session, errors, gaps)
    assert max(errors) < 1.0
    assert max(gaps) < 30
    expect(page.locator(".lane.heard")).to_contain_text("Morph 100 %")
    page.keyboard.press(" ")
    page.wait_for_timeout(150)
    session.recording()
    page.wait_for_timeout(100)
    assert np.abs(session.recording()).max() < 1e-6  # paused is silent


def crossfade_milliseconds(
    sounds: Sounds, heard: np.ndarray, before: str, after: str, lag: int
) -> float:
    """Return for how long neither of two files was heard alone."""
    step, length = 120, 480
    mixed = [
        max(sounds.likeness(name, heard, start, length, lag) for name in (before, after)) < 0.998
        for start in range(0, len(heard) - length, step)
    ]
    return 1000 * sum(mixed) * step / RATE


def report(session: Session, errors: list[float], gaps: list[float]) -> None:
    found = {"position_error_ms": max(errors), "crossfade_ms": max(gaps), "switches": len(errors)}
    (session.pictures / "switches.json").write_text(json.dumps(found))
    print(found)  # noqa: T201


def test_the_next_checkpoint_and_the_other_side_go_on_at_the_same_position(
    session: Session,
) -> None:
    page = session.page
    page.goto(f"{AT_HEARD}?with={EARLIER}/300000")
    ready(page)
    here = session.sounds(["morph_50"])
    there = session.sounds(["morph_50"], EARLIER, 300_000)
    earlier = session.sounds(["morph_50"], CURRENT, 400_000)
    sounds = here.with_other(there, "beside ").with_other(earlier, "before ")
    session.listen()
    page.keyboard.press("7")
    play(session)
    found = []
    for key in ("7", "b", "b", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(700 if key == "ArrowUp" else 250)
        heard = session.recording()
        found.append((sounds.find(heard, len(heard) - 1500), len(heard)))
    names = [window.name for window, _ in found]
    assert names == ["morph_50", "beside morph_50", "morph_50", "before morph_50"]
    for (before, length), (after, _) in pairwise(found):
        assert lag_error(Window("", 1, before.lag - length), after) < 1.0
    expect(page).to_have_url(
        f"{session.room.url}{HERE}/trainings/{CURRENT}/400000?with={EARLIER}%2F300000"
    )
    expect(page.get_by_role("heading", name="Choose this one instead?")).to_be_visible()


def test_a_loop_is_drawn_and_stays_within_its_bounds(session: Session) -> None:
    page = session.page
    page.goto(AT_HEARD)
    ready(page)
    session.listen()
    strip = page.locator(".lane[data-name=musical_recon] .strip").first
    box = strip.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 12, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Loop 0:01.2–0:01.8")).to_be_visible()
    play(session, 1900)
    heard = session.recording()
    sounds = session.sounds(["musical_recon"])
    start = int(np.argmax(np.abs(heard) > 1e-3)) + 1000
    windows = [(s, sounds.find(heard, s)) for s in range(start, len(heard) - 1500, 4800)]
    places = [(s - w.lag) % LENGTH / RATE for s, w in windows if w.likeness > 0.99]
    assert len(places) > 0.7 * len(windows)
    assert min(places) > 1.18
    assert max(places) < 1.82
    assert any(b < a for a, b in pairwise(places))  # it went round
    page.keyboard.press("x")
    expect(page.get_by_role("button", name="Loop 0:01.2")).to_be_hidden()


def test_the_morph_slider_mixes_neighbours_at_the_same_position(session: Session) -> None:
    page = session.page
    page.goto(AT_HEARD)
    ready(page)
    session.listen()
    play(session, 100)
    page.get_by_label("Morph, from musical to non-musical").fill("2.5")  # from 25 % to 50 %
    page.wait_for_timeout(400)
    heard = session.recording().astype(np.float64)
    sounds = session.sounds(["morph_25", "morph_50"])
    start = len(heard) - 9600
    window = sounds.find(heard, start, 4800)
    place = (start - window.lag) % LENGTH
    wrapped = {
        name: np.concatenate([a, a])[place : place + 4800] for name, a in sounds.audio.items()
    }
    parts = np.column_stack(list(wrapped.values()))
    weights, residual, *_ = np.linalg.lstsq(parts, heard[start : start + 4800], rcond=None)
    assert weights[0] == pytest.approx(weights[1], rel=0.05)
    assert residual[0] < 1e-6 * np.sum(heard[start : start + 4800] ** 2)
    volume = 0.9**2
    common = np.corrcoef(sounds.audio["morph_25"], sounds.audio["morph_50"])[0, 1]
    constant_power = 0.5 / np.sqrt(0.5 + 0.5 * common)
    assert weights[0] == pytest.approx(volume * constant_power, rel=0.05)


def test_metrics_are_hovered_together_and_a_click_opens_a_checkpoint(session: Session) -> None:
    page = session.page
    page.goto(AT_HEARD)
    ready(page)
    charts = page.locator(".multiples .chart")
    expect(charts).to_have_count(14)
    surface = charts.first.locator("svg")
    charts.last.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box
    page.mouse.move(box["x"] + 9, box["y"] + 30)  # the first checkpoint
    expect(charts.last.locator(".readout")).to_contain_text("100k:")
    surface.click(position={"x": 9, "y": 30})
    expect(page.get_by_role("heading", name="Step 100,000")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Step 500,000")).to_be_visible()


def test_a_damaged_audit_says_so_and_is_heard_all_the_same(session: Session) -> None:
    page = session.page
    page.goto(f"{HERE}/trainings/{CURRENT}/{DAMAGED}")
    ready(page)
    expect(page.get_by_text("is damaged or of an older version")).to_be_visible()
    expect(page.locator(".lane")).to_have_count(10)
    page.goto("/instruments/nothing")
    expect(page.get_by_text("There is no instrument 'nothing'")).to_be_visible()


def test_the_exported_model_is_heard_before_it_is_approved(session: Session) -> None:
    page = session.page
    page.goto(AT_HEARD)
    ready(page)
    session.listen()
    play(session, 100)
    page.keyboard.press("e")
    page.wait_for_timeout(300)
    heard = session.recording()
    (path,) = session.home.instrument(SLUG).exports.glob("*/musical_recon.wav")
    exported = Sounds({"export": read(path)}).with_other(session.sounds(["musical_recon"]), "")
    assert exported.find(heard, len(heard) - 1500).name == "export"


def test_recordings_are_heard_beside_their_verdicts_and_licences(session: Session) -> None:
    page = session.page
    page.goto(f"{HERE}/sources")
    expect(page.get_by_text("The licence is for non-commercial use")).to_be_visible()
    expect(page.get_by_text("not registered").first).to_be_visible()
    page.get_by_role("button", name="Play Violin, studio B/violin_melody.wav").click()
    wait_for(page, "() => listeningRoom.audio.currentTime > 0.2")
    picture(page, "listening-sources", session.pictures)
    page.keyboard.press(" ")
    assert page.evaluate("() => listeningRoom.audio.paused")
    page.keyboard.press("ArrowDown")
    expect(page.locator("tr.heard")).to_contain_text("violin_strokes.wav")


def test_a_blind_test_is_taken_by_keyboard(session: Session) -> None:
    page = session.page
    page.goto(f"{HERE}/blind")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_text("A/B/X").first.click()
    page.get_by_label("Questions").select_option("6")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of 6")).to_be_visible()
    wait_for(page, "() => ['A', 'B', 'X'].every((one) => listeningRoom.engine.buffer(one))")
    session.listen()
    play(session, 200)
    for key, label in (("1", "A"), ("2", "B"), ("3", "X")):
        page.keyboard.press(key)
        page.wait_for_timeout(120)
        expect(page.locator(".sound[aria-pressed=true]")).to_contain_text(label)
    assert np.abs(session.recording()).max() > 0.01
    picture(page, "listening-blind", session.pictures)
    for number in range(1, 7):
        expect(page.get_by_text(f"Question {number} of 6")).to_be_visible()
        page.keyboard.press("Shift+A")
    expect(page.get_by_role("heading", name="of 6 right")).to_be_visible()
    assert len(read_votes(session.home.instrument(SLUG))) == 6
    expect(page.get_by_text("1 listener").or_(page.get_by_text("6 votes by Ada"))).to_be_visible()


def test_two_listeners_at_once_and_a_browser_closed_in_the_middle(session: Session) -> None:
    paths = session.home.instrument(SLUG)
    with listener(session) as first, listener(session) as second:
        page = first.new_page()
        page.goto(HERE)
        rate(page)
        page.get_by_label("Notes").fill("Sparks where they should be.")
        page.get_by_label("Your name").fill("Ada")
        page.close()  # and nothing was sent
        page = first.new_page()
        page.goto(HERE)
        expect(page.get_by_label("Notes")).to_have_value("Sparks where they should be.")
        expect(page.get_by_label("Your name")).to_have_value("Ada")
        expect(page.locator(".criterion input:checked")).to_have_count(len(CRITERIA))

        other = second.new_page()
        other.goto(HERE)
        other.get_by_label("Your name").fill("Ben")
        other.get_by_label("Notes").fill("Too dull for me.")
        other.get_by_role("button", name="Reject").click()
        expect(other.locator(".given")).to_contain_text("Ben rejected step 500,000")

        page.get_by_role("button", name="Approve").click()
        message = page.locator(".message")
        expect(message).to_contain_text("Ben rejected step 500,000 while you listened")
        expect(message).to_contain_text("Too dull for me.")
        assert [verdict.listener for verdict in read_verdicts(paths)] == ["Ben"]
        picture(page, "listening-verdict", session.pictures)
        page.get_by_role("button", name="Approve all the same").click()
        expect(page.locator(".given")).to_contain_text("Ada approved step 500,000")
        drafts = "() => Object.keys(localStorage).filter((key) => key.includes('draft'))"
        assert page.evaluate(drafts) == []
    newest = read_verdicts(paths)[-1]
    assert (newest.listener, newest.decision) == ("Ada", "approved")
    assert newest.criteria == dict.fromkeys(CRITERIA, "good") | {"musicality": "usable"}
    assert newest.notes == "Sparks where they should be."
    selection = read_selection(TrainingFolder(paths.training(CURRENT)))
    assert newest.checkpoint_sha256 == selection.checkpoint_sha256


def test_another_checkpoint_is_chosen_in_the_room(session: Session) -> None:
    page = session.page
    page.goto(f"{HERE}/trainings/{CURRENT}/300000")
    ready(page)
    page.get_by_label("Your name").fill("Ada")
    choose = page.get_by_role("button", name="Choose step 300,000")
    choose.click()
    expect(page.locator(".message")).to_contain_text("Say in a few words why")
    page.get_by_label("Reason").fill("warmer")
    choose.click()
    expect(page.get_by_role("heading", name="Verdict")).to_be_visible()
    expect(page.get_by_text("chosen by Ada")).to_be_visible()
    folder = TrainingFolder(session.home.instrument(SLUG).training(CURRENT))
    assert (read_selection(folder).step, read_selection(folder).by) == (300_000, "Ada")


def test_light_and_dark_and_the_list_of_keys(session: Session) -> None:
    page = session.page
    ground = "() => getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.goto(f"{AT_HEARD}?with={EARLIER}/300000")
    ready(page)
    dark = page.evaluate(ground)
    picture(page, "listening-instrument-dark", session.pictures)
    page.get_by_role("button", name="Light").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    ready(page)
    assert page.evaluate(ground) == light  # chosen here, whatever the system says
    page.emulate_media(color_scheme="light")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Hear that sound, at the same position")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_narrow_window_is_not_wider_than_it_is(session: Session) -> None:
    page = session.page
    page.set_viewport_size({"width": 400, "height": 800})
    try:
        for path in ("/", AT_HEARD, f"{HERE}/sources", f"{HERE}/blind"):
            page.goto(path)
            expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    finally:
        page.set_viewport_size({"width": 1280, "height": 940})


def rate(page: Page) -> None:
    for name in CRITERIA:
        wanted = "usable" if name == "musicality" else "good"
        page.locator(f"input[name={name}][value={wanted}]").check(force=True)


@contextmanager
def listener(session: Session) -> Iterator[BrowserContext]:
    """Open a browser profile of somebody's own."""
    assert session.page.context.browser
    context = session.page.context.browser.new_context(
        base_url=session.room.url, viewport={"width": 1280, "height": 940}
    )
    try:
        yield context
    finally:
        context.close()
