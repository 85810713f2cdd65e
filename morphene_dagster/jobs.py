"""Jobs: one per stage, and one for all of them."""

from typing import Any

import dagster as dg


def _job(name: str, selection: dg.AssetSelection, description: str) -> Any:
    return dg.define_asset_job(name, selection, description=description)


_groups = dg.AssetSelection.groups

ALL = [
    _job("prepare", _groups("prepare"), "Register and prepare the recordings, write the dataset."),
    _job("train", _groups("train"), "Train, from wherever the training stopped."),
    _job("audit", _groups("audit"), "Render and measure every checkpoint, and choose one."),
    _job("deliver", _groups("deliver"), "Export the chosen checkpoint and publish the delivery."),
    _job("everything", dg.AssetSelection.all(), "From raw recordings to the delivery."),
]
