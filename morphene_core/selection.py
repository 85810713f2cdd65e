"""Which checkpoint is to ship, and why."""

from dataclasses import asdict, dataclass

from morphene_core.audit import Audit, read_audits
from morphene_core.errors import MorpheneError
from morphene_core.files import read_json, write_json
from morphene_core.training import TrainingFolder, now


@dataclass(frozen=True)
class Selection:
    """The checkpoint that ships.

    Attributes:
        step: of the checkpoint.
        checkpoint_sha256: its hash: a selection holds for this very file.
        reason: why it was chosen, in words.
        chosen_at: UTC time.
    """

    step: int
    checkpoint_sha256: str
    reason: str
    chosen_at: str


def select_checkpoint(folder: TrainingFolder) -> Selection:
    """Choose among a training's audited checkpoints, and record the choice.

    The newest checkpoint of the latest phase whose renders are finite and audible. Not the one
    with the least spectral distance: that rises in the adversarial phase although the sound
    improves.

    Raises:
        InputError: a checkpoint has not been audited.
        MorpheneError: no checkpoint makes sound.
    """
    audits = read_audits(folder)
    sound = [audit for audit in audits if audit.sounds]
    if not sound:
        raise MorpheneError(
            f"None of the {len(audits)} checkpoints of {folder.path.name} makes sound: look at the"
            " losses and train anew."
        )
    chosen = max(sound, key=lambda audit: (audit.phase, audit.step))
    if folder.selection.exists():
        before = read_selection(folder)
        if before.checkpoint_sha256 == chosen.checkpoint_sha256:
            return before
    selection = Selection(chosen.step, chosen.checkpoint_sha256, _reason(chosen, audits), now())
    write_json(folder.selection, asdict(selection))
    return selection


def read_selection(folder: TrainingFolder) -> Selection:
    """Return a training's recorded selection."""
    return Selection(**read_json(folder.selection))


def _reason(chosen: Audit, audits: list[Audit]) -> str:
    phase = {1: "first", 2: "adversarial"}[chosen.phase]
    words = f"Step {chosen.step:,} is the newest checkpoint of the {phase} phase that makes sound."
    if silent := len(audits) - sum(audit.sounds for audit in audits):
        words += f" {silent} of {len(audits)} were left out as silent or not finite."
    musical, nonmusical = (chosen.spectral_distance[r] for r in ("musical", "nonmusical"))
    first = audits[0].spectral_distance
    return words + (
        f" Spectral distance to the held-out audio: musical {musical:.2f} (first checkpoint"
        f" {first['musical']:.2f}), non-musical {nonmusical:.2f} ({first['nonmusical']:.2f})."
    )
