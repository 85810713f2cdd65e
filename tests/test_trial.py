"""The part of `morphene verify` that plays a delivered model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.metadata import describe
from morphene_core.delivery.trial import trial_faults
from morphene_core.realtime.model import LoadedModel
from tests.deliverable import make_deliverable
from tests.toys import RATIO, Toy, toy


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the metadata of a delivery whose model is a toy."""
    paths = make_deliverable(tmp_path_factory.mktemp("deliverable"))
    metadata: dict[str, Any] = json.loads(json.dumps(describe(candidate(paths), 1, None)))
    methods = LoadedModel(toy(tmp_path_factory.mktemp("toy"))).methods.values()
    metadata["model"] |= {
        "file": "toy.ts",
        "ratio": RATIO,
        "methods": [vars(method) for method in methods],
        "attributes": [
            {"name": "temperature", "types": ["float"], "default": [0.0], "meaning": "Noise."}
        ],
    }
    return metadata


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("is silent", ["toy.ts: forward is silent"]),
        ("raises", ["it is too loud for me"]),
        ("is short", ["forward"]),
        ("", []),
    ],
)
def test_a_model_that_does_not_play_is_named(
    tmp_path: Path, described: dict[str, Any], fault: str, named: list[str]
) -> None:
    toy(tmp_path, fault)
    faults = trial_faults(tmp_path, described)
    assert len(faults) == len(named), faults
    assert all(word in line for word, line in zip(named, faults, strict=True)), faults


@pytest.mark.parametrize("tap", [float("nan"), float("inf")])
def test_a_model_whose_samples_are_not_finite_is_named(
    tmp_path: Path, described: dict[str, Any], tap: float
) -> None:
    broken = Toy().eval()
    broken.taps.fill_(tap)
    torch.jit.save(torch.jit.script(broken), str(tmp_path / "toy.ts"))
    assert trial_faults(tmp_path, described) == [
        "toy.ts: forward gives samples that are not finite",
        "toy.ts: morph gives samples that are not finite",
    ]


def test_a_morph_that_is_silent_is_named_where_the_rest_plays(
    tmp_path: Path, described: dict[str, Any]
) -> None:
    class Mute(Toy):
        @torch.jit.export
        def morph(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1] * 0

    torch.jit.save(torch.jit.script(Mute().eval()), str(tmp_path / "toy.ts"))
    assert trial_faults(tmp_path, described) == ["toy.ts: morph is silent"]


@pytest.mark.parametrize("field", ["in_channels", "in_ratio", "out_channels", "out_ratio"])
def test_a_method_that_is_not_as_the_metadata_say_is_named(
    tmp_path: Path, described: dict[str, Any], field: str
) -> None:
    toy(tmp_path)
    methods = [dict(method) for method in described["model"]["methods"]]
    methods[0][field] += 1
    metadata = described | {"model": described["model"] | {"methods": methods}}
    (fault,) = trial_faults(tmp_path, metadata)
    assert f"its method {methods[0]['name']} is not as" in fault


def test_an_attribute_that_the_model_lacks_is_named(
    tmp_path: Path, described: dict[str, Any]
) -> None:
    toy(tmp_path)
    heat = {"name": "heat", "types": ["float"], "default": [0.0], "meaning": "Noise."}
    model = described["model"] | {"attributes": [*described["model"]["attributes"], heat]}
    (fault,) = trial_faults(tmp_path, described | {"model": model})
    assert "it has no attribute heat" in fault


def test_a_model_that_is_none_is_named(tmp_path: Path, described: dict[str, Any]) -> None:
    (tmp_path / "toy.ts").write_bytes(b"other code")
    (fault,) = trial_faults(tmp_path, described)
    assert "toy.ts" in fault
