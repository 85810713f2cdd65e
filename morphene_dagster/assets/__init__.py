"""The software-defined assets, one module per stage. Each is partitioned by instrument."""

from morphene_dagster.assets.audio import musical_audio, nonmusical_audio
from morphene_dagster.assets.audit import audit_renders, selected_checkpoint
from morphene_dagster.assets.dataset import preprocessed_db
from morphene_dagster.assets.delivery import delivery, final_model
from morphene_dagster.assets.sources import musical_source, nonmusical_source
from morphene_dagster.assets.training import checkpoints

ALL = [
    musical_source,
    nonmusical_source,
    musical_audio,
    nonmusical_audio,
    preprocessed_db,
    checkpoints,
    audit_renders,
    selected_checkpoint,
    final_model,
    delivery,
]
