"""The stand-in of nn~ and the real-time proof, on small models: sound ones and faulty ones."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.errors import InputError, MorpheneError
from morphene_core.final_model import Method
from morphene_core.realtime import Finding, RealtimeReport, play, prove
from morphene_core.realtime.faults import (
    DISTURBANCES,
    Trial,
    boundary_clicks,
    disturbed,
    reload,
)
from morphene_core.realtime.host import Host, block_size, buffer_latency
from morphene_core.realtime.memory import LEAK_KB, LEAST_BLOCKS, growth_mb, leak_kb, lows
from morphene_core.realtime.model import MAX_BLOCK, LoadedModel
from morphene_core.realtime.pd import PdFiles
from morphene_core.realtime.player import StandIn
from tests.toys import RATIO, toy

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
    assert RealtimeReport.from_dict(proof.to_dict()) == proof
    with pytest.raises(InputError, match="no report"):
        RealtimeReport.from_dict({"verdict": "plays"})


def test_the_latency_is_what_the_model_says_and_what_an_impulse_says(proof: RealtimeReport) -> None:
    latency = proof.latency
    assert latency.computed_samples == 20
    assert latency.measured_samples == pytest.approx(20, abs=2)
    assert latency.first_samples is not None and latency.first_samples <= 20


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


def test_the_host_keeps_nothing_of_the_blocks_that_it_has_played(sound: Path) -> None:
    host, block = Host(LoadedModel(sound), "forward", 256, {}), MUSICAL[None, :256]

    def play_blocks(count: int) -> int:
        for _ in range(count):
            host.perform(block)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = play_blocks(20)
        assert play_blocks(300) - before < 10 * 300  # bytes
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
