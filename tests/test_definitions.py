import dagster as dg
import pytest

from morphene_dagster.definitions import defs

ASSETS = {
    "musical_source",
    "nonmusical_source",
    "musical_audio",
    "nonmusical_audio",
    "preprocessed_db",
    "checkpoints",
    "audit_renders",
    "selected_checkpoint",
    "final_model",
    "delivery",
}


def keys(selection: dg.AssetSelection) -> set[str]:
    return {key.to_user_string() for key in selection.resolve(defs.resolve_asset_graph())}


def test_the_assets_have_the_names_that_the_project_uses() -> None:
    assert keys(dg.AssetSelection.all()) == ASSETS


def test_lineage_leads_from_the_delivery_back_to_both_sources() -> None:
    upstream = keys(dg.AssetSelection.assets("delivery").upstream())
    assert upstream == ASSETS
    assert keys(dg.AssetSelection.assets("delivery").upstream().roots()) == {
        "musical_source",
        "nonmusical_source",
    }


def test_every_asset_is_partitioned_by_instrument() -> None:
    for asset in defs.resolve_asset_graph().asset_nodes:
        assert asset.partitions_def is not None
        assert "pyroviolin" in asset.partitions_def.get_partition_keys()


def test_every_asset_says_what_it_is() -> None:
    for asset in defs.resolve_asset_graph().asset_nodes:
        assert asset.description


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        ("prepare", {a for a in ASSETS if a.endswith(("_source", "_audio", "_db"))}),
        ("train", {"checkpoints"}),
        ("audit", {"audit_renders", "selected_checkpoint"}),
        ("export", {"final_model"}),
        ("deliver", {"delivery"}),
    ],
)
def test_there_is_a_job_for_each_stage(job: str, assets: set[str]) -> None:
    nodes = defs.resolve_job_def(job).asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in nodes} == assets
