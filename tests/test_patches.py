import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morphene_core.audio.wav import SAMPLE_RATE, write_wav
from morphene_core.delivery.demo import DEMO_SECONDS, SECTIONS
from morphene_core.delivery.patches import patch_faults, wording, write_patches
from morphene_core.delivery.patches.graph import Graph, Shape
from morphene_core.delivery.patches.maxfile import read_max
from morphene_core.delivery.patches.pdfile import VANILLA, read_pd
from tests.patches import SLUG, an_exported_model
from tests.puredata import MICROPHONE, RECORDER, STAND_IN, run_pd

Play = Callable[..., list[str]]

PD, MAX = f"{SLUG}.pd", f"{SLUG}.maxpat"
IN_PD, IN_MAX = Shape(3, 2), Shape(3, 1)
COMPLAINTS = re.compile(r"error|fail|couldn't|can't|no such|no method|expected|warning", re.I)
LEVELS = (0.25, 0.5)
PLAYING = (Path(__file__).parent.parent / "docs" / "playing.md").read_text()
ODD_NAMES = (
    "C# minor; $1, 007 \\ {x} 1.10",
    'Ünder Ströme 雨 ☂ “quoted” "too"',
    "#N canvas 0 0 1 1;",
    "a\nb\tc\x00d\u2028e",
    "empty",
    "x" * 300,
    "00",
    "-1.50e3",
    "-1e5 .5 \\$0 #1 \\\\ , ;",
    "",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the patches of a model, and a demo of two levels in place of sounds."""
    write_patches(tmp_path, SLUG, an_exported_model())
    demo = np.zeros(round(DEMO_SECONDS * SAMPLE_RATE), np.float32)
    for section, level in zip(SECTIONS, LEVELS, strict=False):
        start = round(section.start * SAMPLE_RATE)
        demo[start : start + round(section.seconds * SAMPLE_RATE)] = level
    write_wav(tmp_path / "demo.wav", demo)
    return tmp_path


@pytest.fixture
def play(folder: Path) -> Play:
    """Open the patch in Pure Data with a stand-in for nn~, send messages, return what it prints."""
    (folder / "nn~.pd").write_text(STAND_IN)
    (folder / "speaker.pd").write_text(RECORDER)
    (folder / "heard.pd").write_text((folder / PD).read_text().replace("dac~ 1 2", "speaker"))

    def play(*steps: tuple[int, str], rate: int = SAMPLE_RATE) -> list[str]:
        console = run_pd(folder, ["heard.pd"], *steps, rate=rate)
        lines = [line for line in console.splitlines() if line and "amplitude" not in line]
        assert not [line for line in lines if COMPLAINTS.search(line)], console
        return lines

    return play


def sent(lines: list[str]) -> list[str]:
    """Return what reached nn~ after the patch was opened."""
    messages = [line.removeprefix("nn~: ") for line in lines if line.startswith("nn~: ")]
    return messages[messages.index("enable 0") + 1 :]


def signals(lines: list[str]) -> list[list[float]]:
    """Return the three inputs of nn~ at each probe."""
    return [[float(n) for n in line.split()[1:]] for line in lines if line.startswith("signals")]


def saved_by_pd(folder: Path, *names: str) -> str:
    """Open patches in Pure Data, have it save each as saved-..., and return its console."""
    saves = [(0, f"pd-{name} savetofile saved-{name} {folder}") for name in names]
    return run_pd(folder, list(names), *saves)


def assert_kept(written: str, saved: str) -> None:
    """Compare a patch with what Pure Data has of it: objects, connections, and all that is read."""
    for ours, its in zip(read_pd(written, IN_PD), read_pd(saved, IN_PD), strict=True):
        assert {*ours.cords} == {*its.cords}  # Pd has an order of its own
        assert len(ours.cords) == len(its.cords)
        assert [node.kind for node in ours.nodes.values()] == [n.kind for n in its.nodes.values()]
        assert texts(ours) == texts(its)


def texts(graph: Graph) -> list[str]:
    """Return comments, messages, and the labels that the patch does not change."""
    nodes = graph.nodes.values()
    said = [" ".join(node.words[1:]) for node in nodes if node.kind in ("text", "message")]
    return said + [
        node.words[6] for node in nodes if node.kind == "cnv" if node.words[5] == "empty"
    ]


# In Pure Data


def test_pure_data_creates_every_object_and_keeps_every_connection(folder: Path) -> None:
    (folder / "nn~.pd").write_text(STAND_IN)
    console = saved_by_pd(folder, PD)
    assert not COMPLAINTS.search(console), console
    assert sum(len(graph.cords) for graph in read_pd((folder / PD).read_text(), IN_PD)) > 150
    assert_kept((folder / PD).read_text(), (folder / f"saved-{PD}").read_text())


def test_without_nn_its_absence_is_the_only_complaint(folder: Path) -> None:
    console = saved_by_pd(folder, PD)
    complaints = [line for line in console.splitlines() if COMPLAINTS.search(line)]
    assert len(complaints) == 1 and "couldn't create" in complaints[0], console
    assert f"nn~ {SLUG}.ts morph 4096" in console
    assert_kept((folder / PD).read_text(), (folder / f"saved-{PD}").read_text())


def test_the_check_knows_the_inlets_and_outlets_that_pure_data_has(tmp_path: Path) -> None:
    gui = {"cnv", "floatatom", "inlet", "inlet~", "message", "outlet", "outlet~", "text"}
    kinds = [kind for kind in VANILLA if kind not in gui]
    # An object that takes and gives everything: Pd makes what a missing object is said to have.
    lines = ["#N canvas 0 0 450 300 12;", "#X obj 0 0 nothing;"]
    lines += [f"#X obj 0 0 {kind}{' name' if kind in 'rs' else ''};" for kind in kinds]
    for number, kind in enumerate(kinds, 1):
        inlets, outlets = VANILLA[kind]
        lines += [f"#X connect 0 0 {number} {inlet};" for inlet in range(inlets + 1)]
        lines += [f"#X connect {number} {outlet} 0 0;" for outlet in range(outlets + 1)]
    (tmp_path / "all.pd").write_text("\n".join([*lines, ""]))
    saved_by_pd(tmp_path, "all.pd")
    (graph,) = read_pd((tmp_path / "saved-all.pd").read_text(), IN_PD)
    for number, kind in enumerate(kinds, 1):
        inlets = {cord.inlet for cord in graph.cords if cord.target == str(number)}
        outlets = {cord.outlet for cord in graph.cords if cord.source == str(number)}
        assert (kind, len(inlets), len(outlets)) == (kind, *VANILLA[kind])


def test_pressing_on_plays_the_demo_through_nn(play: Play) -> None:
    lines = play(
        (200, "probe bang"), (300, f"{SLUG}-on 1"), (600, "probe bang"),
        (15_000, "probe bang"), (15_100, f"{SLUG}-on 0"), (15_500, "probe bang"),
    )  # fmt: skip
    on = [*LEVELS, 0.5]
    assert signals(lines) == [[0, 0, 0], on, on, [0, 0, 0.5]]
    assert sent(lines) == ["enable 1", "enable 0"]


@pytest.mark.parametrize("value", ["127", "0.5", "-1"])
def test_any_number_but_0_is_on(value: str, play: Play) -> None:
    lines = play(
        (300, f"{SLUG}-on {value}"), (600, "probe bang"), (700, f"{SLUG}-on 0"),
        (900, "probe bang"),
    )  # fmt: skip
    assert signals(lines) == [[*LEVELS, 0.5], [0, 0, 0.5]]
    assert sent(lines) == ["enable 1", "enable 0"]


def test_a_file_of_ones_own_is_played_again_and_again(play: Play, folder: Path) -> None:
    write_wav(folder / "my own.wav", np.full(SAMPLE_RATE, 0.125, np.float32))
    lines = play(
        (300, f"{SLUG}-on 1"), (400, f"{SLUG}-file-1 symbol my\\ own.wav"), (600, "probe bang"),
        (2000, "probe bang"), (2100, f"{SLUG}-demo-1 bang"), (2300, "probe bang"),
    )  # fmt: skip
    assert [probe[0] for probe in signals(lines)] == [0.125, 0.125, LEVELS[0]]


def test_a_file_that_is_not_there_is_asked_for_once(play: Play, folder: Path) -> None:
    play()
    console = run_pd(
        folder, ["heard.pd"], (300, f"{SLUG}-on 1"), (400, f"{SLUG}-file-1 symbol none.wav"),
        (9000, "probe bang"),
    )  # fmt: skip
    assert console.count("none.wav") == 1


def test_the_morph_slider_reaches_the_third_input_on_a_ramp(play: Play) -> None:
    steps = [(1000 + 10 * n, "probe bang") for n in range(6)]
    lines = play((300, f"{SLUG}-on 1"), (1001, f"{SLUG}-morph 1"), *steps)
    amounts = [probe[2] for probe in signals(lines)]
    assert amounts[0] == 0.5 and amounts[-1] == 1
    assert amounts == sorted(amounts) and len({*amounts}) > 3


def test_latent_sliders_and_knobs_set_attributes_and_reset_takes_all_back(play: Play) -> None:
    lines = play(
        (300, f"{SLUG}-latent-3 1.5"), (310, f"{SLUG}-latent-16 -3"),
        (320, f"{SLUG}-temperature 0.25"), (330, f"{SLUG}-encoder_noise 0"),
        (340, f"{SLUG}-reset bang"),
    )  # fmt: skip
    moved = ["set latent 3 1.5", "set latent 16 -3", "set temperature 0.25", "set encoder_noise 0"]
    zeros = [f"set latent {n} 0" for n in range(1, 17)]
    assert sent(lines) == [*moved, "set latent 0 0", *zeros]


def test_what_is_sent_beyond_the_ends_of_a_slider_is_taken_for_them(
    play: Play, folder: Path
) -> None:
    far = [(name, end * 127) for name in ("latent-1", "temperature", "morph") for end in (-1, 1)]
    steps = [(300 + 10 * n, f"{SLUG}-{name} {value}") for n, (name, value) in enumerate(far)]
    lines = play((200, f"{SLUG}-on 1"), *steps, (500, "probe bang"))
    assert sent(lines) == [
        "enable 1", "set latent 1 -3", "set latent 1 3", "set temperature 0", "set temperature 1"
    ]  # fmt: skip
    assert signals(lines)[-1][2] == 1
    play(
        (300, f"{SLUG}-on 1"), (400, f"{SLUG}-gain 127"), (410, f"{SLUG}-level-1 127"),
        (900, "probe bang"),
    )  # fmt: skip
    heard = soundfile.read(folder / "out.wav")[0][:SAMPLE_RATE]
    assert np.isclose(np.abs(heard).max(), 10 ** (12 / 20), rtol=1e-3)  # of 0.5 on both channels


def test_the_buffer_is_one_of_three_sizes(play: Play) -> None:
    lines = play(*((300 + 10 * n, f"{SLUG}-buffer {n}") for n in range(3)))
    assert sent(lines) == ["bufsize 2048", "bufsize 4096", "bufsize 8192"]


def test_a_choice_beyond_the_last_is_the_last_and_one_below_the_first_is_the_first(
    play: Play,
) -> None:
    values = (127, -3, 1.7)  # as the radio buttons show them: the last, the first, the second
    lines = play(*((300 + 10 * n, f"{SLUG}-buffer {value}") for n, value in enumerate(values)))
    assert sent(lines) == ["bufsize 8192", "bufsize 2048", "bufsize 4096"]


@pytest.mark.parametrize(("value", "level"), [("127", 0.125), ("-3", 0.25), ("0.5", 0.25)])
def test_the_sound_card_is_no_louder_for_a_greater_number(
    value: str, level: float, play: Play, folder: Path
) -> None:
    (folder / "microphone.pd").write_text(MICROPHONE)
    patch = folder / "heard.pd"
    patch.write_text(patch.read_text().replace("adc~ 1 2", "microphone"))
    lines = play((300, f"{SLUG}-on 1"), (400, f"{SLUG}-source {value}"), (600, "probe bang"))
    assert signals(lines)[0][0] == level


def test_gain_and_on_and_off_do_not_click(play: Play, folder: Path) -> None:
    play(
        (300, f"{SLUG}-on 1"), (1000, f"{SLUG}-gain 12"), (1500, f"{SLUG}-gain -60"),
        (2000, f"{SLUG}-gain 0"), (2500, f"{SLUG}-on 0"), (3000, f"{SLUG}-on 1"),
        (3500, "probe bang"),
    )  # fmt: skip
    heard = soundfile.read(folder / "out.wav")[0][: 3 * SAMPLE_RATE]  # from the first ON on
    assert np.isclose(heard[int(2.1 * SAMPLE_RATE)], 1.0, atol=1e-3)  # 0.5 on both channels, 0 dB
    assert heard[int(2.6 * SAMPLE_RATE)] == 0
    assert np.abs(np.diff(heard)).max() < 0.003  # the steepest: 12 dB up to -60 dB in 30 ms


@pytest.mark.parametrize(("rate", "warned"), [(44_100, True), (96_000, True), (48_000, False)])
def test_a_wrong_sample_rate_is_said_in_the_console(play: Play, rate: int, warned: bool) -> None:
    said = [line for line in play((2500, "probe bang"), rate=rate) if "OUT OF TUNE" in line]
    assert said == ([f"{SLUG}: OUT OF TUNE: Pd runs at {rate} Hz and this takes 48000 Hz"] * warned)


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 64),
            st.text(max_size=80) | st.text("01.-+e$#\\,; ", max_size=8),  # what Pd reads otherwise
            st.text(min_size=1, max_size=30),
        ),
        min_size=5,
        max_size=5,
    )
)
def test_patches_of_any_size_and_name_are_kept_by_pure_data_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, facts: list[tuple[int, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("patches")
    (folder / "nn~.pd").write_text(STAND_IN)
    names = [f"p{number}.pd" for number in range(len(facts))]
    for file, (latents, name, version) in zip(names, facts, strict=True):
        model = an_exported_model(latents, name=name, version=version, profile=name)
        write_patches(folder, file.removesuffix(".pd"), model)
        assert patch_faults(folder, file.removesuffix(".pd"), model) == []
    console = saved_by_pd(folder, *names)
    assert not COMPLAINTS.search(console), console
    for name in names:
        assert_kept((folder / name).read_text(), (folder / f"saved-{name}").read_text())


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_stand_in_both_patches(name: str, tmp_path: Path) -> None:
    (tmp_path / "nn~.pd").write_text(STAND_IN)
    model = an_exported_model(3, name=name, version=f"v {name}")
    write_patches(tmp_path, SLUG, model)
    assert patch_faults(tmp_path, SLUG, model) == []
    saved_by_pd(tmp_path, PD)
    assert_kept((tmp_path / PD).read_text(), (tmp_path / f"saved-{PD}").read_text())
    boxes = [entry["box"] for entry in json.loads((tmp_path / MAX).read_text())["patcher"]["boxes"]]
    assert wording.one_line(name) in [box.get("text") for box in boxes]


def test_nothing_overlaps_in_the_pure_data_patch(tmp_path: Path) -> None:
    for latents in (1, 16, 64):
        write_patches(tmp_path, SLUG, an_exported_model(latents))
        for places in placed((tmp_path / PD).read_text()):
            for (a, one), (b, other) in combinations(places, 2):
                assert not overlap(a, b), (one, other)


def placed(text: str) -> Iterator[list[tuple[list[float], str]]]:
    """Give the objects of each canvas with their places: what lies on panels, and what is wired."""
    canvases: list[list[tuple[list[float], str]]] = []
    for line in text.splitlines():
        words = re.sub(r"\\ ", "_", line.rstrip(";")).split()
        if words[0] == "#N":
            canvases.append([])
            continue
        inner = canvases.pop() if words[1] == "restore" else None
        if words[1] in ("obj", "msg", "restore", "floatatom"):
            x, y, said = float(words[2]), float(words[3]), words[4:]
            gui: dict[str, Any] = {
                "hsl": said[1:3],
                "tgl": said[1:2] * 2,
                "bng": said[1:2] * 2,
                "vu": said[1:3],
            }
            gui |= {"hradio": [19 * 3, 19]}
            width, height = gui.get(said[0]) or (7 * len(" ".join(said)) + 6, 20)
            if words[1] == "floatatom":
                width = 7 * int(said[0]) + 4
            if said[0] != "cnv":
                canvases[-1].append(([x, y, float(width), float(height)], " ".join(said)))
        if inner is not None:
            yield inner
    yield canvases.pop()


# In Max, as far as it can be read


def test_nothing_overlaps_in_either_view_of_the_max_patch(tmp_path: Path) -> None:
    for latents, slug in ((1, SLUG), (16, "a" * 40), (64, SLUG)):
        write_patches(tmp_path, slug, an_exported_model(latents))
        patcher = json.loads((tmp_path / f"{slug}.maxpat").read_text())["patcher"]
        boxes = [entry["box"] for entry in patcher["boxes"] if not entry["box"].get("background")]
        for view in ("patching_rect", "presentation_rect"):
            places = [(box[view], box) for box in boxes if view in box]
            assert len(places) > 20
            for (a, one), (b, other) in combinations(places, 2):
                assert not overlap(a, b), (view, one.get("text"), other.get("text"))


def overlap(a: list[float], b: list[float]) -> bool:
    across = a[0] < b[0] + b[2] and b[0] < a[0] + a[2]
    return across and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def test_the_max_patch_declares_the_inlets_and_outlets_of_its_objects(folder: Path) -> None:
    boxes = [entry["box"] for entry in json.loads((folder / MAX).read_text())["patcher"]["boxes"]]
    nodes = read_max((folder / MAX).read_text(), IN_MAX).nodes
    for box in boxes:
        shape = nodes[box["id"]].shape
        assert shape == Shape(box["numinlets"], box["numoutlets"])
        assert len(box.get("outlettype", [])) == box["numoutlets"]


def test_it_opens_in_the_presentation_view_with_a_slider_for_every_latent(folder: Path) -> None:
    patcher = json.loads((folder / MAX).read_text())["patcher"]
    shown = [entry["box"] for entry in patcher["boxes"] if "presentation_rect" in entry["box"]]
    sliders = [box for box in shown if box["maxclass"] == "slider" and box["size"] == 6]
    assert patcher["openinpresentation"] == 1 and len(sliders) == 16


# What both say


def test_labels_say_what_a_positive_value_does_and_how_much_it_matters(folder: Path) -> None:
    labels = ["1 brighter 60 %", "3 louder 22 %", "10 brighter <1 %"]
    for name in (PD, MAX):
        text = (folder / name).read_text().replace("\\ ", " ")
        assert all(label in text for label in labels)


def test_a_latent_that_is_hardly_heard_is_called_subtle() -> None:
    loud, quiet = an_exported_model(2).latents
    still = replace(quiet, loudness_db=-0.1, brightness_octaves=0.001, variance=0.0)
    assert wording.latent_label(still) == "2 subtle 0 %"
    assert wording.latent_label(loud) == "1 brighter 60 %"


@pytest.mark.parametrize(
    ("rate", "model_samples", "buffer", "milliseconds"),
    [
        (48_000, 0, 2048, 85),  # 4,096 samples
        (48_000, 0, 4096, 171),  # 8,192
        (48_000, 0, 8192, 341),  # 16,384
        (48_000, 26_736, 2048, 642),  # a full-size model's 557 ms, and 85
        (48_000, 26_736, 4096, 728),  # 557 and 171
        (48_000, 18_288, 2048, 466),  # the demo's 381, and 85
        (44_100, 44_100, 4096, 1186),  # 1,000 and 186
    ],
)
def test_the_latency_is_two_buffers_and_the_models_own(
    rate: int, model_samples: int, buffer: int, milliseconds: int
) -> None:
    model = an_exported_model(sample_rate=rate, latency_samples=model_samples)
    assert wording.latency_ms(model, buffer) == milliseconds


def test_the_docs_give_the_time_of_two_buffers() -> None:
    model = an_exported_model(latency_samples=0)
    for buffer in wording.BUFFERS:
        assert f"\n| {buffer} | {wording.latency_ms(model, buffer)} ms |" in PLAYING


def test_the_names_that_the_docs_give_are_heard_in_both_patches(folder: Path) -> None:
    named = set(re.findall(r"`\{instrument\}-([a-z_]+(?:-1)?)`", PLAYING))
    assert named == {
        "morph", "latent-1", "gain", "level-1", "temperature", "encoder_noise", "on", "file-1",
    }  # fmt: skip
    pd, patcher = ((folder / name).read_text() for name in (PD, MAX))
    assert [name for name in named if f" {SLUG}-{name}" not in pd] == []
    assert {name for name in named if f"r {SLUG}-{name}" not in patcher} == {"file-1"}


def test_what_does_not_ship_is_marked_in_both_and_what_ships_is_not(tmp_path: Path) -> None:
    for shippable in (False, True):
        write_patches(tmp_path, SLUG, an_exported_model(shippable=shippable))
        marks = ["NOT" in (tmp_path / name).read_text().replace("\\ ", " ") for name in (PD, MAX)]
        assert marks == [not shippable] * 2


def test_the_checklist_names_the_rate_and_the_latency(folder: Path) -> None:
    text = (folder / "CHECKLIST.md").read_text()
    assert "48000 Hz" in text and f"{wording.latency_ms(an_exported_model(), 4096)}\n" not in text
    assert str(wording.latency_ms(an_exported_model(), 4096)) in text and text.count("- [ ]") >= 9


def test_the_same_model_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    write_patches(tmp_path / "again", SLUG, an_exported_model())
    for name in (PD, MAX, "CHECKLIST.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


# What the check finds


def broken(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return change


def without(*words: str) -> Callable[[str], str]:
    """Take an object out of a Max patch, and leave its connections."""

    def change(text: str) -> str:
        patch = json.loads(text)
        boxes = patch["patcher"]["boxes"]
        kept = [b for b in boxes if (b["box"].get("text") or b["box"]["maxclass"]) not in words]
        assert len(kept) < len(boxes)
        patch["patcher"]["boxes"] = kept
        return json.dumps(patch)

    return change


def rewired(inlet: int) -> Callable[[str], str]:
    """Lead the first connection of a Max patch to nn~ into another inlet."""

    def change(text: str) -> str:
        patch = json.loads(text)
        boxes = [entry["box"] for entry in patch["patcher"]["boxes"]]
        nn = next(box["id"] for box in boxes if box.get("text", "").startswith("nn~"))
        lines = [line["patchline"] for line in patch["patcher"]["lines"]]
        next(line for line in lines if line["destination"][0] == nn)["destination"][1] = inlet
        return json.dumps(patch)

    return change


def unplugged(text: str) -> str:
    """Take the connection out that leads the amount of a Pure Data patch to nn~."""
    *_, patch = read_pd(text, IN_PD)
    ((key, _),) = patch.of_kind("nn~")
    (cord,) = [cord for cord in patch.into(key) if cord.inlet == 2]
    return broken(f"#X connect {cord.source} {cord.outlet} {key} 2;\n", "")(text)


NN = f"nn~ {SLUG}.ts morph 4096"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (PD, broken("#X connect 1", "#X connect 999"), "an object that is not there (999"),
        (PD, broken(" 2;\n#X connect", " 9;\n#X connect"), "enters inlet 9 of"),
        (PD, broken("set temperature", "set warmth"), "an attribute that the model does not have"),
        (PD, broken("set latent 3 ", "set latent 17 "), "a latent that the model does not show"),
        (PD, broken("set latent 3 \\$1", "set latent 3"), "the wrong number of values"),
        (PD, broken("enable 1", "enabled 1"), "does not take the message (enabled 1)"),
        (PD, broken("enable 1", "enable 0"), "nothing starts nn~ (enable 1)"),
        (PD, broken("enable 0", "enable 1"), "nothing stops nn~ (enable 0)"),
        (PD, broken(" morph 4096", " prior 4096"), "calls prior, which the model does not have"),
        (PD, unplugged, f"no sound enters inlet 2 of [{NN}]"),
        (PD, broken(" morph 4096", " morph 3000"), "a buffer that nn~ does not take"),
        (PD, broken(f"{SLUG}.ts", "other.ts"), f"loads other.ts in place of {SLUG}.ts"),
        (PD, broken("adc~ 1 2", "noise~"), "nothing is known of the object [noise~]"),
        (PD, broken("adc~ 1 2", "f"), "it has no [adc~]"),
        (PD, lambda text: text[: len(text) // 2], "cannot be read"),
        (PD, lambda text: "", "cannot be read"),
        (PD, lambda text: "not a patch;", "cannot be read"),
        (PD, broken("#X connect 0 0", "#X connect 0 first"), "cannot be read"),
        (MAX, rewired(3), f"enters inlet 3 of [{NN}], which has none"),
        (MAX, rewired(1), f"no messages enter inlet 0 of [{NN}]"),
        (MAX, broken("set encoder_noise", "set noise"), "an attribute that the model does not"),
        (MAX, broken("set latent 16 $1", "set latent 15 $1"), "nothing sets latent 16"),
        (MAX, broken(" morph 4096", " prior 4096"), "calls prior, which the model does not have"),
        (MAX, broken(f"{SLUG}.ts", "other.ts"), f"loads other.ts in place of {SLUG}.ts"),
        (MAX, broken("enable 1", "bufsize 4096"), "does not take the message (bufsize 4096)"),
        (MAX, broken("enable 1", "enable 0"), "nothing starts nn~ (enable 1)"),
        (MAX, broken("enable 0", "enable 1"), "nothing stops nn~ (enable 0)"),
        (MAX, without(NN), "it has no [nn~]"),
        (MAX, without("dspstate~"), "it has no [dspstate~]"),
        (MAX, without("clip 0.0 1.0"), "a connection leads to an object that is not there"),
        (MAX, broken("groove~ ", "grooves~ "), "nothing is known of the object [grooves~"),
        (MAX, broken("{", "["), "cannot be read"),
        (MAX, lambda text: "{}", "cannot be read"),
        (MAX, lambda text: '{"patcher": {"boxes": [1], "lines": []}}', "cannot be read"),
        (MAX, lambda text: "[" * 100_000, "cannot be read"),
    ],
)
def test_the_check_finds_what_is_wrong_with_a_patch(
    name: str, change: Callable[[str], str], said: str, folder: Path
) -> None:
    model = an_exported_model()
    assert patch_faults(folder, SLUG, model) == []
    (folder / name).write_text(change((folder / name).read_text()))
    faults = patch_faults(folder, SLUG, model)
    assert any(fault.startswith(name) and said in fault for fault in faults), faults


def test_the_check_finds_missing_files_and_files_that_are_no_text(folder: Path) -> None:
    (folder / PD).unlink()
    (folder / MAX).write_bytes(b"\xff\xfe")
    missing, unreadable = patch_faults(folder, SLUG, an_exported_model())
    assert missing == f"{PD} is missing" and unreadable.startswith(f"{MAX} cannot be read")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([PD, MAX]), st.integers(0, 10**6), st.binary(max_size=6))
def test_the_check_says_something_of_any_damage_and_never_fails(
    folder: Path, name: str, place: int, put: bytes
) -> None:
    whole = (folder / name).read_bytes()
    place %= len(whole)
    try:
        (folder / name).write_bytes(whole[:place] + put + whole[place + 3 :])
        assert isinstance(patch_faults(folder, SLUG, an_exported_model()), list)
    finally:
        (folder / name).write_bytes(whole)


def test_patches_of_one_model_are_not_those_of_a_model_with_other_latents(folder: Path) -> None:
    fewer, more = (patch_faults(folder, SLUG, an_exported_model(count)) for count in (15, 17))
    assert any("a latent that the model does not show" in fault for fault in fewer)
    assert any("nothing sets latent 17" in fault for fault in more)


def test_a_model_without_morph_gets_no_patches(tmp_path: Path) -> None:
    model = an_exported_model()
    with pytest.raises(KeyError):
        write_patches(tmp_path, SLUG, an_exported_model(methods=model.methods[:3]))
