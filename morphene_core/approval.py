"""Whether an instrument may be delivered: that takes a person who has listened to it."""

from dataclasses import dataclass
from typing import Literal

from morphene_core.home import InstrumentPaths
from morphene_core.profiles import Profile
from morphene_core.verdicts import Verdict, doubtful_line, verdict_on, verdicts_path


@dataclass(frozen=True)
class Approval:
    """What people say of a checkpoint.

    Attributes:
        state: "approved" or "rejected" by the newest verdict on this very checkpoint; "waiting" if
            nobody gave one, or a damaged line may hold a newer one; "not asked" if nobody did and
            the profile does not ask for it.
        text: for a person, one line.
        verdict: the newest verdict, if there is one.
    """

    state: Literal["approved", "rejected", "waiting", "not asked"]
    text: str
    verdict: Verdict | None = None

    @property
    def allows_delivery(self) -> bool:
        """Whether the instrument may be delivered."""
        return self.state in ("approved", "not asked")


def approval(
    paths: InstrumentPaths, profile: Profile, step: int, checkpoint_sha256: str
) -> Approval:
    """Return what people say of a checkpoint of an instrument.

    Args:
        paths: of the instrument.
        profile: that it was trained with.
        step: of the checkpoint.
        checkpoint_sha256: its hash: a verdict holds for this very file.
    """
    if line := doubtful_line(paths, checkpoint_sha256):
        text = (
            f"{verdicts_path(paths)}, line {line}, is damaged and may be a newer verdict: step"
            f" {step:,} waits for ears again: `morphene listen {paths.slug}`."
        )
        return Approval("waiting", text)
    verdict = verdict_on(paths, checkpoint_sha256)
    if verdict is None and not profile.approval_required:
        text = f"Nobody gave a verdict; profile {profile.name} asks for none."
        return Approval("not asked", text)
    if verdict is None:
        text = f"Step {step:,} waits for ears: `morphene listen {paths.slug}`."
        return Approval("waiting", text)
    rated = ", ".join(f"{name.replace('_', ' ')} {how}" for name, how in verdict.criteria.items())
    said = f"{verdict.listener} {verdict.decision} step {step:,} on {verdict.at[:16]} UTC"
    notes = " ".join(verdict.notes.split())
    text = ". ".join(filter(None, [f"{said}{f': {rated}' if rated else ''}", notes]))
    return Approval("approved" if verdict.decision == "approved" else "rejected", text, verdict)
