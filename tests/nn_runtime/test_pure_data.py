"""An export in Pure Data with nn~ itself, which lies in the folder that the variable NN names."""

import os
from pathlib import Path

from morphene_core.realtime import prove
from morphene_core.realtime.pd import find_pd


def test_pure_data_plays_what_the_stand_in_plays_and_bears_what_a_stage_does(model: Path) -> None:
    report = prove(model, seconds=5, host=find_pd(nn=Path(os.environ["NN"])))
    assert [finding.text for finding in report.faults if not finding.passed] == []
    assert {finding.name for finding in report.faults} >= {"stand-in", "amount sweep", "reload"}
    assert report.machine.torch.startswith("2.5.1")
