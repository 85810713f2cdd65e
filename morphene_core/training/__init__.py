"""One training of an instrument, as it is on disk: record, schedule, states, requests.

Nothing here needs torch: the queue, the checks and the command read it as well.
"""

from morphene_core.training.record import (
    Checkpoint,
    TrainingFolder,
    TrainingRecord,
    checkpoint_name,
    current_training,
    now,
    open_training,
    software_versions,
    training_id,
    trainings,
)

__all__ = [
    "Checkpoint",
    "TrainingFolder",
    "TrainingRecord",
    "checkpoint_name",
    "current_training",
    "now",
    "open_training",
    "software_versions",
    "training_id",
    "trainings",
]
