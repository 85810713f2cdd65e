"""The stand-in of nn~ and the real-time proof, on small models: sound ones and faulty ones."""

import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError, MorpheneError
from morphene_core.final_model import Method
from morphene_core.progress import silent
from morphene_core.realtime import Finding, RealtimeReport, pd_course, play, prove
from morphene_core.realtime.course import latency_of, prepare, warnings_of
from morphene_core.realtime.faults import (
    DISTURBANCES,
    Trial,
    boundary_clicks,
    disturbed,
    reload,
)
from morphene_core.realtime.host import BlockTime, Host, block_size, buffer_latency
from morphene_core.realtime.memory import LEAK_KB, LEAST_BLOCKS, growth_mb, leak_kb, lows
from morphene_core.realtime.model import MAX_BLOCK, LoadedModel
from morphene_core.realtime.pd import PdFiles
from morphene_core.realtime.player import StandIn
from morphene_core.realtime.stand_in_course import _memory
from morphene_core.realtime.timing import Run
from tests.toys import RATIO, Toy, toy

RATE = 48_000
TIME = np.arange(RATE) / RATE
MUSICAL = (0.4 * np.sin(TIME * 2764.6) + 0.1 * np.sin(TIME * 9424.8)).astype(np.float32)
NONMUSICAL = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model without a fault."""
    return toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def proof(sound: Path) -> RealtimeReport:
    """Return the proof of a model without a fault."""
    return prove(sound, seconds=5, audio=(MUSICAL, NONMUSICAL))


def proof_of(folder: Path, fault: str, method: str = "forward") -> RealtimeReport:
    return prove(toy(folder, fault), [method], seconds=1, audio=(MUSICAL, NONMUSICAL))


def failed(report: RealtimeReport) -> dict[str, str]:
    return {finding.name: finding.text for finding in report.faults if not finding.passed}


def test_everything_is_tried_on_every_method_that_is_known(proof: RealtimeReport) -> None:
    assert not failed(proof)
    assert [finding.name for finding in proof.faults] == [
        *("output", "boundary clicks", "silence", "full-scale noise", "NaN", "denormals"),
        *("level jumps", "amount sweep", "reload", "attributes", "memory"),
    ]
    assert [of.name for of in proof.methods] == ["encode", "decode", "forward", "morph"]
    assert proof.not_driven == ["prior"]
    assert all(of.blocks == 117 and len(of.first_ms) == 2 for of in proof.methods)
    assert all(len(times) == 117 for times in proof.times.values())
    assert proof.memory is not None and proof.memory.growth_mb_per_minute == 0
    assert proof.deadline_ms == pytest.approx(42.667, abs=0.001)


def test_a_report_is_what_it_was_after_it_was_stored(proof: RealtimeReport) -> None:
    stored = proof.to_dict()
    assert RealtimeReport.from_dict(stored) == proof
    del stored["latency"]["method"]  # which an older Morphene did not write
    assert RealtimeReport.from_dict(stored).latency == replace(proof.latency, method="")
    with pytest.raises(InputError, match="no report"):
        RealtimeReport.from_dict({"verdict": "plays"})


def test_the_latency_is_what_the_model_says_and_what_an_impulse_says(proof: RealtimeReport) -> None:
    latency = proof.latency
    assert latency.computed_samples == 20
    assert latency.measured_samples == pytest.approx(20, abs=2)
    assert latency.first_samples is not None and latency.first_samples <= 20


@pytest.mark.parametrize(
    ("methods", "block", "said", "threaded", "synchronous"),
    [  # without threads nn~ plays in blocks of the largest ratio, whatever else is asked for
        (("forward", "morph", "encode"), 2048, "morph", 4032, RATIO - 64),
        (("forward", "morph"), 4096, "morph", 8128, RATIO - 64),
        (("encode", "forward"), 2048, "forward", 6080, 4032),
        (("decode",), 2048, "decode", 4032, RATIO - 64),
    ],
)
def test_the_latency_names_its_method_and_is_that_of_both_ways_to_play_it(
    sound: Path, methods: tuple[str, ...], block: int, said: str, threaded: int, synchronous: int
) -> None:
    course = prepare(sound, methods, block, 0.5, 1, (MUSICAL, NONMUSICAL), silent)
    latency = latency_of(course, course.stand_in())
    assert latency.method == said
    assert (latency.buffer_samples, latency.synchronous_samples) == (threaded, synchronous)
    assert latency.synchronous_ms == round(synchronous / 48, 1)
    assert (latency.measured_samples is None) == (said == "decode")


def test_the_machine_is_as_it_was_after_a_proof(sound: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_num_threads(), torch.initial_seed(), torch.rand(1).item()
    torch.manual_seed(3)
    prove(sound, ["encode"], seconds=0.5, audio=(MUSICAL, NONMUSICAL), threads=2)
    after = torch.get_num_threads(), torch.initial_seed(), torch.rand(1).item()
    assert after == before


@pytest.mark.parametrize(
    ("fault", "method", "finding", "says"),
    [
        ("forgets", "forward", "boundary clicks", "forgets what came before"),
        ("forgets", "encode", "boundary clicks", "forgets what came before"),
        ("keeps NaN", "forward", "NaN", "not finite"),
        ("keeps a level", "forward", "full-scale noise", "is not what it was"),
        ("keeps a level", "morph", "level jumps", "is not what it was"),
        ("begins with a sound", "forward", "reload", "what it heard before is in the file"),
        ("does not morph", "morph", "amount sweep", "changes nothing"),
        ("clicks in between", "morph", "amount sweep", "clicks a second"),
        ("breaks beyond the ends", "morph", "amount sweep", "not finite"),
        ("is silent", "forward", "output", "silence"),
        ("is short", "forward", "output", "2047 samples came out"),
        ("is double", "forward", "output", "float64"),
        ("raises", "forward", "output", "too loud for me"),
        ("refuses", "forward", "attributes", "does not take"),
    ],
)
def test_a_fault_is_found_and_named(
    tmp_path: Path, fault: str, method: str, finding: str, says: str
) -> None:
    report = proof_of(tmp_path, fault, method)
    assert says in failed(report)[finding]
    assert report.verdict == "faulty"
    assert finding in report.text


def test_nan_that_passes_is_told_and_is_no_fault(tmp_path: Path) -> None:
    found = {of.name: of for of in proof_of(tmp_path, "lets NaN in").faults}
    assert found["NaN"].passed and "not finite for" in found["NaN"].text


def test_of_noise_that_cannot_be_switched_off_the_edges_of_blocks_are_looked_at(
    tmp_path: Path,
) -> None:
    found = {of.name: of for of in proof_of(tmp_path, "draws noise").faults}
    assert not failed(proof_of(tmp_path, "draws noise"))
    assert "cannot be switched off" in found["boundary clicks"].text
    loaded = LoadedModel(toy(tmp_path, "forgets"))
    player = StandIn(loaded, 2048, RATE, {})
    passage = np.resize(MUSICAL, (1, 50 * 2048))
    trial = Trial(
        player,
        loaded.methods["forward"],
        passage,
        player.play(loaded.methods["forward"], passage),
        noisy=True,
    )
    outcome = boundary_clicks(trial, player.play_at_once)
    assert not outcome.passed and "edges of blocks" in outcome.text


class Slowing:
    """A player that takes long over what is no passage of a second."""

    block, rate = 2048, RATE

    def __init__(self, slower: float) -> None:
        self.slower, self.times_ms, self.errors = slower, [0.0], []

    def play(self, method: Method, frames: np.ndarray, reload_at: int | None = None) -> np.ndarray:
        quiet = np.abs(frames[0].reshape(-1, self.block)).max(axis=1) < 1e-30
        self.times_ms = [self.slower if few else 2.0 for few in quiet]
        return np.nan_to_num(frames)


@pytest.mark.parametrize(("slower", "passes"), [(2.0, True), (5.0, True), (9.0, False)])
def test_a_model_that_denormals_slow_down_is_found(slower: float, passes: bool) -> None:
    passage = np.resize(MUSICAL, (1, 50 * 2048))
    trial = Trial(Slowing(slower), Method("forward", 1, 1, 1, 1), passage, passage, noisy=False)
    outcome = disturbed(trial, "denormals", DISTURBANCES["denormals"])
    assert outcome.passed == passes
    assert passes or "4.5 times as long" in outcome.text


def test_a_model_that_changes_with_a_reload_is_found() -> None:
    class Changing(Slowing):
        def play(
            self, method: Method, frames: np.ndarray, reload_at: int | None = None
        ) -> np.ndarray:
            heard = frames.copy()
            heard[:, (reload_at or 10**6) * self.block :] *= 0.5
            return heard

    passage = np.resize(MUSICAL, (1, 50 * 2048))
    trial = Trial(Changing(1.0), Method("forward", 1, 1, 1, 1), passage, passage, noisy=False)
    assert "after a reload" in reload(trial).text and not reload(trial).passed
    assert not reload(replace(trial, noisy=True)).passed


# Blocks and the audio in them.


@settings(max_examples=30)
@given(
    block=st.sampled_from([256, 512, 2048, 4096]),
    blocks=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(["encode", "decode", "forward", "morph"]),
)
def test_in_blocks_of_any_size_the_stand_in_plays_what_the_model_gives_in_one_go(
    sound: Path, block: int, blocks: int, seed: int, method: str
) -> None:
    model = LoadedModel(sound)
    of = model.methods[method]
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((of.in_channels, block * blocks // of.in_ratio), np.float32)
    whole = model.call(method, torch.from_numpy(signal)[None])[0].numpy()
    np.testing.assert_allclose(play(sound, method, signal, block), whole, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_attributes_are_set(sound: Path) -> None:
    signal = MUSICAL[None, :8192]
    noisy = [
        play(sound, "forward", signal, seed=seed, attributes={"temperature": (1.0,)})
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
    assert not np.array_equal(noisy[0], play(sound, "forward", signal))


def test_a_last_incomplete_block_is_not_played(sound: Path) -> None:
    assert play(sound, "forward", MUSICAL[None, :5000], 2048).shape == (1, 4096)
    assert play(sound, "encode", MUSICAL[None, :5000], 2048).shape == (2, 4096 // RATIO)
    assert play(sound, "forward", MUSICAL[None, :100], 2048).shape == (1, 0)


def test_what_cannot_be_played_is_named(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no method sing, but encode"):
        play(sound, "sing", MUSICAL[None])
    with pytest.raises(InputError, match="takes 3 channels, not 1"):
        play(sound, "morph", MUSICAL[None])
    with pytest.raises(MorpheneError, match="too loud for me"):
        play(toy(tmp_path, "raises"), "forward", MUSICAL[None])
    with pytest.raises(MorpheneError, match="temperature cannot be set"):
        play(sound, "forward", MUSICAL[None], attributes={"temperature": ("loud",)})
    with pytest.raises(InputError, match=r"no method sing.*nn~ would play forward"):
        prove(sound, ["sing"])
    with pytest.raises(InputError, match="How to play prior is not known"):
        prove(sound, ["prior"])
    with pytest.raises(InputError, match="no audio"):
        prove(sound, audio=(MUSICAL, MUSICAL[:0]))


def test_a_block_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    host = Host(LoadedModel(toy(tmp_path, "raises")), "forward", 2048, {})
    loud, quiet = MUSICAL[None, :2048], 0.01 * MUSICAL[None, :2048]
    assert not host.perform(loud).any()
    heard = host.perform(quiet).copy()
    assert heard.any() and np.array_equal(host.perform(loud), heard)
    assert host.failed == 2 and "too loud" in host.error


class FakeModel:
    """A model of one method that does in Python what it is told."""

    def __init__(self, does: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.methods, self.does = {"forward": Method("forward", 1, 1, 1, 1)}, does

    def call(self, method: str, x: torch.Tensor, optimized: bool) -> torch.Tensor:
        return self.does(x)


def test_of_a_block_that_waits_the_processor_has_little_to_do() -> None:
    def wait(x: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return x

    host = Host(FakeModel(wait), "forward", 64, {})  # type: ignore[arg-type]
    host.perform(MUSICAL[None, :64])
    assert host.took.wall >= 0.05 and host.took.cpu < host.took.wall / 2


def test_denormals_are_flushed_in_the_thread_of_a_block() -> None:
    host = Host(FakeModel(lambda x: 0.5 * x), "forward", 64, {})  # type: ignore[arg-type]
    denormal = np.full((1, 64), 1e-39, np.float32)
    assert not host.perform(denormal).any() and not host.failed
    assert torch.from_numpy(denormal).mul(0.5).any()  # not so elsewhere


def test_after_a_reload_the_attributes_are_what_they_were(sound: Path) -> None:
    model = LoadedModel(sound)
    block = np.repeat(MUSICAL[None, :256], 2, axis=0).reshape(1, 512)
    player = StandIn(model, 256, RATE, {"temperature": (1.0,)})
    first, again = np.split(player.play(model.methods["forward"], block, reload_at=1)[0], 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, play(sound, "forward", block[:, :256], 256)[0])


def test_against_the_clock_and_nowhere_else_torch_optimizes_the_code(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    call = LoadedModel.call

    def noted(
        self: LoadedModel, method: str, x: torch.Tensor, optimized: bool = False
    ) -> torch.Tensor:
        asked.append(optimized)
        return call(self, method, x, optimized)

    monkeypatch.setattr(LoadedModel, "call", noted)
    report = prove(sound, ["encode"], seconds=0.5, audio=(MUSICAL, NONMUSICAL))
    assert sum(asked) == report.methods[0].blocks * report.methods[0].runs
    assert not all(asked)


def test_the_host_keeps_nothing_of_the_blocks_that_it_has_played(sound: Path) -> None:
    host, block = Host(LoadedModel(sound), "forward", 256, {}), MUSICAL[None, :256]

    def play_blocks(count: int) -> int:
        for _ in range(count):
            host.perform(block)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = play_blocks(20)
        assert play_blocks(1000) - before < 10 * 1000  # bytes
    finally:
        tracemalloc.stop()


def test_of_a_group_the_last_sample_is_taken_and_each_value_lasts_for_a_group(sound: Path) -> None:
    host = Host(LoadedModel(sound), "decode", 2048, {})
    levels = np.zeros((2, 2048), np.float32)
    levels[:, RATIO - 1 :: RATIO] = 0.5
    model = LoadedModel(sound)
    expected = model.call("decode", torch.full((1, 2, 8), 0.5))[0].numpy()
    assert np.array_equal(host.perform(levels), expected)
    encoder = Host(LoadedModel(sound), "encode", 2048, {})
    heard = encoder.perform(MUSICAL[None, :2048])
    assert np.array_equal(heard, np.repeat(heard[:, ::RATIO], RATIO, axis=1))


def test_stereo_models_get_all_their_channels(tmp_path: Path) -> None:
    report = prove(
        toy(tmp_path, channels=2), ["decode", "forward"], seconds=0.5, audio=(MUSICAL, NONMUSICAL)
    )
    assert not failed(report)


def test_a_model_of_another_rate_is_played_at_its_own_and_warned_about(tmp_path: Path) -> None:
    report = prove(toy(tmp_path, sr=44_100), ["forward"], seconds=0.5, audio=(MUSICAL, NONMUSICAL))
    assert report.sample_rate == 44_100
    assert report.deadline_ms == pytest.approx(2048 / 44.1, abs=0.001)
    assert "44,100 Hz" in report.warnings[0]


@given(wanted=st.integers(1, 20_000))
def test_blocks_are_those_that_nn_makes_of_them(sound: Path, wanted: int) -> None:
    found = block_size(LOADED.setdefault(sound, LoadedModel(sound)), wanted)
    assert found >= RATIO and found & (found - 1) == 0
    assert found == RATIO or found / 2 < wanted <= found


LOADED: dict[Path, LoadedModel] = {}


@pytest.mark.parametrize(
    ("inputs", "outputs", "block", "threaded", "latency"),
    [  # as measured in Pure Data 0.53 with nn~ 1.6
        (1, 1, 4096, True, 8128),
        (1, 1, 2048, True, 6080),
        (1, 1, 2048, False, 4032),
        (3, 1, 4096, True, 8128),
        (3, 1, 2048, True, 4032),
        (3, 1, 2048, False, 1984),
        (1, 16, 2048, True, 4032),
    ],
)
def test_the_latency_of_nns_buffers(
    inputs: int, outputs: int, block: int, threaded: bool, latency: int
) -> None:
    assert buffer_latency(inputs, outputs, block, threaded) == latency


# Memory: how it is judged, on levels that are made up, and then on models that keep it.


@st.composite
def heaps(draw: st.DrawFn) -> np.ndarray:
    """Draw what is allocated after each block: two levels, to and fro, and one rise for good."""
    blocks = draw(st.integers(LEAST_BLOCKS, 3000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = rng.random(blocks) < draw(st.floats(0, 1))
    risen = np.arange(blocks) >= draw(st.integers(0, blocks))
    heap = 180.0 + draw(st.floats(0, 2)) * upper + draw(st.floats(0, 80)) * risen
    heap += rng.uniform(-0.0005, 0.0005, blocks)
    heap[0] = 100.0  # before the model has made its buffers
    return heap


@given(heap=heaps())
def test_memory_that_jumps_is_no_leak(heap: np.ndarray) -> None:
    assert leak_kb(lows(heap), len(heap)) == 0.0


@given(
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(LEAST_BLOCKS, 3000),
    kept=st.floats(3 * LEAK_KB, 1000),
    still=st.floats(0, 1000),
)
def test_memory_that_grows_in_every_part_is_a_leak(
    seed: int, blocks: int, kept: float, still: float
) -> None:
    varies = np.random.default_rng(seed).uniform(-0.001, 0.001, blocks)
    heap = 180.0 + still + varies + np.arange(blocks) * kept / 1024
    found = leak_kb(lows(heap), blocks)
    assert found == pytest.approx(kept, rel=0.4)
    assert growth_mb(lows(heap)) > 0


def test_of_too_few_blocks_memory_is_not_judged(tmp_path: Path) -> None:
    report = proof_of(tmp_path, "keeps memory")
    said = next(of for of in report.faults if of.name == "memory")
    assert said.passed and "Not judged: 23 blocks" in said.text and "4.1 seconds" in said.text
    assert report.memory is None
    assert RealtimeReport.from_dict(report.to_dict()) == report


@pytest.mark.parametrize(
    ("fault", "seconds", "mb_per_minute"),
    [
        ("keeps memory", 6, 88),
        ("keeps a little memory", 20, 5.6),
        ("fills up", 10, 0),  # for so long, and then no more
    ],
)
def test_what_a_model_keeps_is_found_in_the_run_that_is_long_enough_for_it(
    tmp_path: Path, fault: str, seconds: float, mb_per_minute: float
) -> None:
    report = prove(toy(tmp_path, fault), ["forward"], seconds=seconds, audio=(MUSICAL, NONMUSICAL))
    assert report.memory is not None and len(report.memory.mb) == 24
    assert report.memory.growth_mb_per_minute == pytest.approx(mb_per_minute, rel=0.1)
    found = failed(report)
    assert ("memory" in found) == bool(mb_per_minute)
    assert not found or "forward keeps" in found["memory"]


@pytest.mark.parametrize(("again", "found"), [(0.0, 0.0), (4.0, 0.0), (6.0, 6.0), (20.0, 20.0)])
def test_a_leak_goes_on_at_half_its_pace_in_a_fresh_model_that_plays_longer(
    sound: Path, proof: RealtimeReport, again: float, found: float
) -> None:
    course = prepare(sound, ["forward"], 2048, 5, 1, (MUSICAL, NONMUSICAL), silent)

    def run(kept: float, seconds: float) -> Run:
        blocks = round(seconds * RATE / 2048)
        times = replace(proof.methods[2], blocks=blocks)
        return Run(times, [], lows(180 + np.arange(blocks) * kept / 1024), "")

    played: list[float] = []

    def play_again(method: Method, seconds: float) -> Run:
        played.append(seconds)
        return run(again, seconds)

    memory = _memory(course, [run(10.0, 5)], play_again)
    assert memory is not None and played == [10]
    per_minute = found / 1024 * 60 * RATE / 2048
    assert memory.growth_mb_per_minute == pytest.approx(per_minute, rel=0.1)


# What is no model to play, and no way to play one.


@pytest.mark.parametrize(
    "shape",
    [[1, 1, 1], [1, 0, 1, 0], [1, 1, 1, -1], [1.5, 1, 1, 1], [[1, 1, 1, 1]], [], [1, 1, 1, 10**9]],
)
def test_a_method_that_says_something_impossible_of_itself_is_named(
    tmp_path: Path, shape: list[object]
) -> None:
    path = toy(tmp_path, shape=torch.tensor(shape))
    with pytest.raises(
        InputError, match=r"forward_params is .*four whole numbers from 1 to"
    ) as raised:
        LoadedModel(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("rate", [3, 10**9])
def test_a_rate_that_is_not_possible_is_not_taken(tmp_path: Path, rate: int) -> None:
    report = prove(
        toy(tmp_path, sr=rate), ["encode"], seconds=0.5, audio=(MUSICAL[:9000], NONMUSICAL[:9000])
    )
    assert report.sample_rate == 48_000 and "no possible rate" in report.warnings[0]


class Shy(Toy):
    """A toy of which much fails, each with a reason."""

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Fail."""
        raise RuntimeError("nothing to encode")
        return x

    @torch.jit.export
    def get_temperature(self) -> tuple[float]:
        """Fail once it is hot."""
        if self.temperature[0] > 1:
            raise RuntimeError("too hot to tell")
        return self.temperature

    @torch.jit.export
    def set_temperature(self, value: float) -> int:
        """Fail below 1."""
        if value < 1:
            raise RuntimeError("it has to be 1 or more")
        self.temperature = (value,)
        return 0


@pytest.fixture(scope="module")
def shy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shy") / "shy.ts"
    torch.jit.save(torch.jit.script(Shy().eval()), str(path))
    return path


def test_why_a_model_refuses_an_attribute_is_told_in_its_own_words(shy: Path) -> None:
    model = LoadedModel(shy)
    with pytest.raises(MorpheneError, match=r"set to \(0.5,\): .*it has to be 1 or more$"):
        model.set("temperature", (0.5,))
    model.set("temperature", (2.0,))
    with pytest.raises(MorpheneError, match=r"cannot be read: .*too hot to tell$"):
        model.get("temperature")


def test_a_decoder_is_not_blamed_for_an_encoder_that_fails(shy: Path) -> None:
    report = prove(shy, ["encode", "decode"], seconds=0.5, audio=(MUSICAL, NONMUSICAL))
    said = next(of.text for of in report.faults if of.name == "output")
    assert said.startswith("encode fails in 12 of 12 blocks") and "decode" not in said


@pytest.mark.parametrize(("ratio", "warned"), [(512, False), (768, True)])
def test_a_ratio_that_is_no_power_of_two_is_warned_about(
    tmp_path: Path, ratio: int, warned: bool
) -> None:
    model = LoadedModel(toy(tmp_path, shape=torch.tensor([1, ratio, 1, ratio])))
    assert [f"{ratio} is no power of two" in of for of in warnings_of(model, 2048)] == [
        True
    ] * warned


def test_of_a_model_that_lists_no_methods_only_those_are_played(tmp_path: Path) -> None:
    class Unlisted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = 0.5
            self.register_buffer("forward_params", torch.ones(4))
            self.register_buffer("gain_params", torch.tensor([2]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gain * x

    path = tmp_path / "unlisted.ts"
    torch.jit.save(torch.jit.script(Unlisted()), str(path))
    assert list(LoadedModel(path).methods) == ["forward"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seconds": 0.0}, r"0 seconds.*0\.5 seconds or more"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"seconds": float("inf")}, r"inf seconds.*an hour \(3600\) at most"),
        ({"block": MAX_BLOCK + 1}, r"32,769 samples.*32,768 or less"),
        ({"block": 10**20}, "32,768 or less"),
        ({"block": 0}, "give 1 or more"),
        ({"threads": 0}, "1 to 256 threads, not 0"),
        ({"threads": 10**20}, "1 to 256 threads"),
    ],
)
def test_odd_numbers_are_refused_with_what_is_possible(
    sound: Path, given: dict[str, float], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        prove(sound, ["forward"], **given)  # type: ignore[arg-type]


def test_the_largest_block_can_be_proven_at_the_lowest_rate(tmp_path: Path) -> None:
    slow = toy(tmp_path, sr=8_000)
    report = prove(slow, ["decode", "forward"], MAX_BLOCK, seconds=0.5, audio=(MUSICAL, NONMUSICAL))
    assert report.block == MAX_BLOCK and not failed(report)


def test_findings_of_one_name_are_one(proof: RealtimeReport) -> None:
    assert len({of.name for of in proof.faults}) == len(proof.faults)
    assert all(isinstance(of, Finding) and of.text for of in proof.faults)


def test_a_block_that_crashes_nn_is_warned_about_and_never_tried_in_pure_data(sound: Path) -> None:
    given = (MUSICAL, NONMUSICAL)
    report = prove(sound, ["forward"], block=8192, seconds=0.5, audio=given)
    assert any("crashes" in warning and "forward" in warning for warning in report.warnings)
    nowhere = PdFiles(Path("/nowhere/pd"), Path("/nowhere"))
    with pytest.raises(InputError, match="more than 4,096 samples for forward"):
        prove(sound, ["forward"], block=8192, seconds=0.5, audio=given, host=nowhere)


class FakePd(StandIn):
    """A Pure Data in which the stand-in plays."""

    nn_version, torch_version = "1.6.0", "2.5.1"

    def block_times(self) -> list[BlockTime]:
        return [BlockTime(ms / 1e3, ms / 1e3) for ms in self.times_ms]


def test_in_pure_data_too_the_load_is_that_before_the_proof(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = iter([0.5, *[9.0] * 9])
    monkeypatch.setattr(os, "getloadavg", lambda: (next(loads), 0.0, 0.0))

    def player(course: Any, files: PdFiles, quiet: bool) -> FakePd:
        next(loads)
        return FakePd(course.model, course.block, course.rate, course.model.quiet)

    monkeypatch.setattr(pd_course, "_player", player)
    nowhere = PdFiles(Path("/nowhere/pd"), Path("/nowhere"))
    report = prove(sound, ["encode"], seconds=0.5, audio=(MUSICAL, NONMUSICAL), host=nowhere)
    assert not failed(report)
    machine = report.machine
    assert (machine.load, machine.torch) == (0.5, "2.5.1")
    assert machine.host == "Pure Data with nn~ 1.6.0"


def test_what_is_too_long_for_a_file_is_refused_before_pure_data_plays_it(tmp_path: Path) -> None:
    nowhere = PdFiles(Path("/nowhere/pd"), Path("/nowhere"))
    wide = toy(tmp_path, channels=8)
    with pytest.raises(InputError, match=r"forward has 8 channels.*--seconds 2796 or less"):
        prove(wide, ["morph", "forward"], seconds=2797, audio=(MUSICAL, NONMUSICAL), host=nowhere)
