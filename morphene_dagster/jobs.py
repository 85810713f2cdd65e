"""Jobs: one per stage. Each is a run of its own, so that only training holds a GPU."""

import dagster as dg

STAGES = ("prepare", "train", "audit", "export", "deliver")
"""The jobs in their order: the names of the assets' groups."""

_DESCRIPTIONS = {
    "prepare": "Register and prepare the recordings, write the dataset.",
    "train": "Train, from wherever the training stopped.",
    "audit": "Render and measure every checkpoint, and choose one.",
    "export": "Export the chosen checkpoint, so that it can be heard.",
    "deliver": "Publish the delivery of what a person has approved.",
}

ALL = [
    dg.define_asset_job(stage, dg.AssetSelection.groups(stage), description=_DESCRIPTIONS[stage])
    for stage in STAGES
]
