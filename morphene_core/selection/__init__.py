"""Which checkpoint is to ship, and why: the ranking by measurements, and people's choices."""

from morphene_core.selection.choices import (
    Choice,
    choose_checkpoint,
    read_choices,
    standing_choice,
    withdraw_choice,
)
from morphene_core.selection.plateau import Plateau
from morphene_core.selection.ranking import Place, Ranking, rank
from morphene_core.selection.select import (
    Selection,
    rank_checkpoints,
    read_selection,
    select_checkpoint,
)

__all__ = [
    "Choice",
    "Place",
    "Plateau",
    "Ranking",
    "Selection",
    "choose_checkpoint",
    "rank",
    "rank_checkpoints",
    "read_choices",
    "read_selection",
    "select_checkpoint",
    "standing_choice",
    "withdraw_choice",
]
