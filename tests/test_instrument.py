"""The whole path for real: one demo, made by the command as users run it, and looked at closely."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import soundfile
import torch

from morphene_core import stages
from morphene_core.audio.loudness import integrated_lufs
from morphene_core.audio.spectral import spectral_distance
from morphene_core.audio.wav import concatenate, read_mono
from morphene_core.audits import RENDER_NAMES, read_audits, references
from morphene_core.audits.references import read_references
from morphene_core.delivery.terms import AT_CHOICE
from morphene_core.delivery.verify import read_metadata
from morphene_core.files import read_json, sha256, write_json
from morphene_core.home import ROLES, Home, InstrumentPaths
from morphene_core.metrics import METRICS
from morphene_core.rave.export import export
from morphene_core.realtime import play
from morphene_core.sections import SECTIONS
from morphene_core.training import current_training
from morphene_core.training.states import state_path
from morphene_dagster import assets
from morphene_dagster.partitions import instruments
from tests.conftest import Run, copied_home

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def paths(demo: Home) -> InstrumentPaths:
    return demo.instrument("pyroviolin")


@pytest.fixture(scope="module")
def heldout(paths: InstrumentPaths) -> dict[str, np.ndarray]:
    """Held-out audio by role, of one length, a multiple of nn~'s default block."""
    files = {role: sorted((paths.audio(role) / "heldout").glob("*.wav")) for role in ROLES}
    audio = {role: concatenate(names) for role, names in files.items()}
    length = min(map(len, audio.values())) // 4096 * 4096
    return {role: samples[:length] for role, samples in audio.items()}


def instance(home: Home) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(home.dagster))


def test_every_asset_of_the_partition_is_materialized(demo: Home) -> None:
    with instance(demo) as dagster:
        for asset in assets.ALL:
            statuses = dagster.get_status_by_partition(asset.key, ["pyroviolin"], instruments)
            assert statuses and statuses["pyroviolin"].value == "MATERIALIZED", asset.key


def test_both_sources_list_each_raw_file_with_its_hash(demo: Home, paths: InstrumentPaths) -> None:
    with instance(demo) as dagster:
        for role in ROLES:
            event = dagster.get_latest_materialization_event(dg.AssetKey(f"{role}_source"))
            assert event and event.asset_materialization
            table = event.asset_materialization.metadata["verdicts"].value
            listed = {row.data["file"]: row.data["sha256"] for row in table.records}
            there = {f.name: sha256(f) for f in paths.sources(role).glob("*.wav")}
            assert listed == there


def test_the_checks_passed(demo: Home) -> None:
    keys = [
        dg.AssetCheckKey(dg.AssetKey("audit_renders"), "learned_both_sources"),
        dg.AssetCheckKey(dg.AssetKey("delivery"), "delivery_is_intact"),
    ]
    with instance(demo) as dagster:
        records = dagster.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert {key: record.status.value for key, record in records.items()} == dict.fromkeys(
        keys, "SUCCEEDED"
    )


def test_training_had_both_phases_and_left_checkpoints_of_each(paths: InstrumentPaths) -> None:
    training = current_training(paths).read()
    schedule = training.training_profile.training
    assert training.finished
    assert training.step == schedule.total_steps
    assert {c.phase for c in training.checkpoints} == {1, 2}
    assert len(training.checkpoints) >= 3
    for checkpoint in training.checkpoints:
        file = paths.checkpoints / f"checkpoint_{checkpoint.step:06d}.pt"
        assert sha256(file) == checkpoint.sha256
    assert (paths.checkpoints / "config.gin").exists()


def test_the_adversarial_phase_trained_the_discriminator_and_left_the_encoder_alone(
    paths: InstrumentPaths,
) -> None:
    training = current_training(paths).read()
    last_of_1 = max(c.step for c in training.checkpoints if c.phase == 1)
    before, after = (
        torch.load(paths.checkpoints / f"checkpoint_{step:06d}.pt")["state_dict"]
        for step in (last_of_1, training.step)
    )
    changed = {k.split(".")[0] for k in before if not torch.equal(before[k], after[k])}
    assert "decoder" in changed
    weights = [k for k in before if k.startswith("encoder.") and "weight" in k]
    assert weights and all(torch.equal(before[k], after[k]) for k in weights)
    state = torch.load(state_path(current_training(paths), training.step), weights_only=True)
    discriminator = state["optimizers"][1]["state"]
    schedule = training.schedule
    assert schedule is not None
    adversarial = schedule.total_steps - schedule.phase_1_steps
    # RAVE v2 gives the discriminator one batch in four.
    assert {int(s["step"]) for s in discriminator.values()} == {adversarial // 4}


def test_an_audit_that_is_lost_is_made_again_byte_for_byte(
    demo: Home, paths: InstrumentPaths, morphene: Run
) -> None:
    steps = [c.step for c in current_training(paths).read().checkpoints]
    folder = paths.audit.resolve() / f"{steps[0]:06d}"
    before = {path.name: sha256(path) for path in folder.iterdir()}
    shutil.rmtree(folder)
    done = morphene("audit", "--instrument", "pyroviolin", "--all", "--json", home=demo.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [audit["step"] for audit in json.loads(done.stdout)] == steps
    assert {path.name: sha256(path) for path in folder.iterdir()} == before


def test_every_checkpoint_is_audited_with_all_renders(paths: InstrumentPaths) -> None:
    for checkpoint in current_training(paths).read().checkpoints:
        folder = paths.audit / f"{checkpoint.step:06d}"
        for name in RENDER_NAMES:
            audio, rate = soundfile.read(folder / f"{name}.wav")
            assert rate == 48_000
            assert np.isfinite(audio).all()
            assert np.abs(audio).max() > 1e-4


def test_morphs_begin_and_end_at_the_reconstructions_and_differ_between(
    paths: InstrumentPaths,
) -> None:
    folder = paths.audit / f"{current_training(paths).read().step:06d}"
    renders = {name: read_mono(folder / f"{name}.wav") for name in RENDER_NAMES}
    np.testing.assert_array_equal(renders["morph_00"], renders["musical_recon"])
    np.testing.assert_array_equal(renders["morph_100"], renders["nonmusical_recon"])
    crossfade = (renders["morph_00"] + renders["morph_100"]) / 2
    middle = renders["morph_50"]
    difference = np.sqrt(np.mean((middle - crossfade) ** 2) / np.mean(crossfade**2))
    assert difference > 0.1, "the morph is a crossfade of waveforms"


def test_the_heldout_distance_fell_clearly_since_the_first_checkpoint(
    paths: InstrumentPaths,
) -> None:
    audits = read_audits(current_training(paths))
    assert audits[0].phase == 1 and audits[-1].phase == 2
    first, last = (a.metrics["musical_spectral_distance"] for a in (audits[0], audits[-1]))
    assert last < 0.95 * first
    first, last = (a.metrics["nonmusical_texture_mmd"] for a in (audits[0], audits[-1]))
    assert last < 0.95 * first


@pytest.mark.parametrize("block", [2048, 4096])
def test_the_delivered_model_encodes_decodes_and_plays_forward_in_blocks(
    paths: InstrumentPaths, heldout: dict[str, np.ndarray], block: int
) -> None:
    model = torch.jit.load(paths.final / "pyroviolin.ts")
    audio = torch.from_numpy(heldout["musical"])[None, None]
    heard = []
    for start in range(0, audio.shape[-1], block):
        x = audio[..., start : start + block]
        z = model.encode(x)
        for y in (model.decode(z), model.forward(x)):
            assert y.shape == x.shape
            assert torch.isfinite(y).all()
        heard.append(y)
    assert torch.cat(heard, -1).abs().max() > 1e-3


def test_it_has_what_nn_tilde_looks_for(paths: InstrumentPaths) -> None:
    model = torch.jit.load(paths.final / "pyroviolin.ts")
    assert model.get_methods() == ["encode", "decode", "forward", "morph"]
    latents = len(read_metadata(paths.final)["model"]["latents"])
    assert model.encode_params.tolist() == [1, 1, latents, 1024]
    assert model.decode_params.tolist() == [latents, 1024, 1, 1]
    assert model.forward_params.tolist() == [1, 1, 1, 1]
    assert model.morph_params.tolist() == [3, 1, 1, 1]


@pytest.mark.parametrize(("role", "other"), [ROLES, ROLES[::-1]])
def test_a_reconstruction_is_closer_to_its_source_than_to_the_other_or_to_noise(
    paths: InstrumentPaths, heldout: dict[str, np.ndarray], role: str, other: str
) -> None:
    played = play(paths.final / "pyroviolin.ts", "forward", heldout[role][None])[0]
    noise = np.random.default_rng(0).standard_normal(len(played)).astype(np.float32)
    noise *= np.sqrt(np.mean(heldout[role] ** 2))
    own = spectral_distance(heldout[role], played)
    assert own < spectral_distance(heldout[other], played)
    assert own < spectral_distance(noise, played)


def test_the_delivery_says_what_it_is_and_what_it_was_made_from(paths: InstrumentPaths) -> None:
    metadata = read_metadata(paths.final)
    assert metadata["shippable"] is False
    assert "NOT SHIPPABLE" in metadata["notice"]
    listed = {(s["role"], s["path"]): s["sha256"] for s in metadata["lineage"]["sources"]}
    there = {(r, f.name): sha256(f) for r in ROLES for f in paths.sources(r).glob("*.wav")}
    assert listed == there
    runs = metadata["lineage"]["runs"]
    assert runs["export"] and runs["training"] == list(current_training(paths).read().runs)
    latents = [latent["number"] for latent in metadata["model"]["latents"]]
    assert latents == list(range(1, 17))
    (export,) = paths.exports.glob("*.ts")
    assert sha256(paths.final / "pyroviolin.ts") == sha256(export) == metadata["model"]["sha256"]


def test_the_delivery_is_verified_and_plays(
    paths: InstrumentPaths, demo: Home, morphene: Run, tmp_path: Path
) -> None:
    done = morphene("verify", paths.final, "--json", home=demo.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["played"] is True
    (archive,) = paths.final.glob("*.zip")
    done = morphene("verify", archive, home=tmp_path)  # code from elsewhere, and nobody to ask
    assert done.returncode == 2, done.stdout + done.stderr


def test_the_same_inputs_are_delivered_byte_for_byte_in_another_place(
    demo: Home, tmp_path: Path
) -> None:
    home = copied_home(demo, tmp_path)
    paths = home.instrument("pyroviolin")
    first = paths.deliveries / "1"
    before = {path.name: sha256(path) for path in first.iterdir() if path.is_file()}
    (record,) = paths.exports.glob("*.json")
    # Of what was measured since, a second demo may have measured it anew.
    write_json(record, read_json(record) | {"realtime": read_metadata(first)["realtime"]})
    shutil.rmtree(paths.deliveries)
    paths.final.unlink()  # it would tell the number of the version that is gone
    stages.deliver(paths)
    assert {path.name: sha256(path) for path in first.iterdir() if path.is_file()} == before


def test_the_delivery_is_in_the_ui_with_what_changed_its_terms_and_its_zip(demo: Home) -> None:
    with instance(demo) as dagster:
        event = dagster.get_latest_materialization_event(dg.AssetKey("delivery"))
    assert event and event.asset_materialization
    metadata = event.asset_materialization.metadata
    assert metadata["version"].value == 1
    assert "first version" in metadata["what changed"].value
    assert "NOT SHIPPABLE" in metadata["notice"].value
    assert metadata["licence"].value == AT_CHOICE
    assert Path(str(metadata["zip"].value)).is_file()
    assert "data:image/png" in metadata["demo"].value


def test_the_demo_can_be_listened_to(paths: InstrumentPaths) -> None:
    audio, rate = soundfile.read(paths.final / "demo.wav")
    assert rate == 48_000
    assert 30 <= len(audio) / rate <= 60
    assert 0.1 < np.abs(audio).max() < 1
    thirds = np.array_split(audio, 3)
    assert all(np.sqrt(np.mean(part**2)) > 0.01 for part in thirds)


def test_every_criterion_is_a_check_with_its_numbers_and_a_picture(demo: Home) -> None:
    of = {
        "musical_reconstruction": "selected_checkpoint",
        "nonmusical_reconstruction": "selected_checkpoint",
        "morph_progression": "selected_checkpoint",
        "real_time_playback": "final_model",
        "musicality": "delivery",
    }
    keys = [dg.AssetCheckKey(dg.AssetKey(asset), name) for name, asset in of.items()]
    with instance(demo) as dagster:
        records = dagster.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert set(records) == set(keys)
    for key in keys[:3]:
        event = records[key].event
        assert event and event.dagster_event
        metadata = event.dagster_event.asset_check_evaluation_data.metadata
        table = metadata["numbers"].value
        named = {row.data["metric"] for row in table.records}
        assert named == {m.title for m in METRICS.values() if m.criterion == key.name}
        assert all("threshold" in row.data for row in table.records)
        assert "data:image/png" in metadata["picture"].value
    musicality = records[keys[-1]].event
    assert musicality and musicality.dagster_event
    said = musicality.dagster_event.asset_check_evaluation_data
    assert not said.passed and said.severity is dg.AssetCheckSeverity.WARN
    assert "Nobody gave a verdict" in str(said.description)


def test_all_metrics_of_all_checkpoints_are_in_the_ui(demo: Home, paths: InstrumentPaths) -> None:
    with instance(demo) as dagster:
        event = dagster.get_latest_materialization_event(dg.AssetKey("audit_renders"))
    assert event and event.asset_materialization
    rows = event.asset_materialization.metadata["audits"].value.records
    assert [row.data["step"] for row in rows] == [
        c.step for c in current_training(paths).read().checkpoints
    ]
    for row in rows:
        assert {name.replace("_", " ") for name in METRICS} <= set(row.data)


def test_the_export_can_be_heard_before_anybody_approves_it(paths: InstrumentPaths) -> None:
    (export,) = paths.exports.glob("*.ts")
    for name in SECTIONS:
        audio, rate = soundfile.read(export.with_suffix("") / f"{name}.wav")
        assert rate == 48_000
        assert integrated_lufs(audio, rate) == pytest.approx(-23, abs=3)


def test_a_second_demo_does_nothing_again(demo: Home, paths: InstrumentPaths, morphene) -> None:
    training = current_training(paths)
    before = training.read()
    model = sha256(paths.final / "pyroviolin.ts")
    done = morphene("demo", cwd=demo.path.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert training.read() == before
    assert sha256(paths.final / "pyroviolin.ts") == model
    assert "checkpoint_" not in done.stdout


def stock(*arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "morphene_core.rave.stock", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_stock_rave_train_trains_on_the_dataset_and_its_run_can_be_audited(
    paths: InstrumentPaths, tmp_path: Path, morphene: Run
) -> None:
    small = ["CAPACITY = 4", "LATENT_SIZE = 4", "SAMPLING_RATE = 48000", "PHASE_1_DURATION = 4"]
    small += ["core.MultiScaleSTFT.scales = [512, 256]", "RAVE.valid_signal_crop = False"]
    overrides = [argument for binding in small for argument in ("--override", binding)]
    stock(
        *("train", "--name", "stock", "--db_path", paths.preprocessed_db, "--out_path", tmp_path),
        *("--channels", 1, "--batch", 4, "--n_signal", 8192, "--workers", 0, "--gpu", -1),
        *("--max_steps", 8, "--val_every", 4, "--save_every", 4, "--config", "v2", *overrides),
        cwd=tmp_path,
    )
    (run,) = tmp_path.glob("stock_*")
    assert list(run.rglob("*.ckpt"))
    refs = ("musical", "nonmusical")
    for output, which in (("a", ["--all"]), ("b", [])):
        done = morphene(
            *("audit", "--run", run, *which, "--output", tmp_path / output, "--json"),
            *(f"--{ref}-ref={paths.audit / 'references' / f'{ref}.wav'}" for ref in refs),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    audits = json.loads(done.stdout)
    assert [(audit["step"], audit["phase"]) for audit in audits] == [(8, 2)]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"references", "000004", "000008"}
    assert {path.name for path in (tmp_path / "b").iterdir()} == {"references", "000008"}


@torch.inference_mode()
def assert_the_same(
    stock: torch.jit.ScriptModule, ours: torch.jit.ScriptModule, audio: np.ndarray
) -> None:
    """Compare two exports of one checkpoint; the stock one begins with noise in its caches."""
    blocks = torch.from_numpy(audio[: len(audio) // 2048 * 2048])[None, None].split(2048, -1)
    for number, block in enumerate(blocks):
        heard, codes = [], []
        for model in (stock, ours):
            torch.manual_seed(number)
            heard.append(model.forward(block))
        for model in (stock, ours):
            torch.manual_seed(number)
            codes.append(model.encode(block).abs())
        if number > len(blocks) // 2:
            assert torch.equal(*heard) and torch.equal(*codes)
    assert heard[0].abs().max() > 1e-3


def test_stock_rave_export_exports_one_of_our_checkpoints_which_is_audited_like_it(
    paths: InstrumentPaths, tmp_path: Path, morphene: Run
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    last = current_training(paths).read().checkpoints[-1]
    # Stock export recognizes nothing but .ckpt.
    shutil.copyfile(paths.checkpoints / last.file, run / "ours.ckpt")
    shutil.copyfile(paths.checkpoints / "config.gin", run / "config.gin")
    stock(
        *("export", "--run", run / "ours.ckpt", "--name", "stock", "--output", tmp_path),
        "--streaming",
        cwd=tmp_path,
    )
    model = torch.jit.load(tmp_path / "stock_streaming.ts")
    y = model.forward(torch.randn(1, 1, 4096) * 0.1)
    assert y.shape == (1, 1, 4096)
    assert torch.isfinite(y).all() and y.abs().max() > 0
    musical, nonmusical = read_references(references(current_training(paths)))
    export(
        run / "ours.ckpt", tmp_path / "ours.ts", (musical, nonmusical), model.latent_size, "P", "1"
    )
    assert_the_same(model, torch.jit.load(tmp_path / "ours.ts"), musical)
    done = morphene(
        *("audit", "--checkpoint", tmp_path / "stock_streaming.ts", "--output", tmp_path / "out"),
        *("--musical-ref", paths.audit / "references" / "musical.wav", "--json"),
        *("--nonmusical-ref", paths.audit / "references" / "nonmusical.wav", "--yes"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (audit,) = json.loads(done.stdout)
    ours = read_audits(current_training(paths))[-1].metrics["musical_spectral_distance"]
    # It plays late, sees the past only, and draws noise for what it hides: alike, not the same.
    assert audit["metrics"]["musical_spectral_distance"] == pytest.approx(ours, rel=0.1)
