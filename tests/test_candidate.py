"""What is known of a checkpoint before its delivery."""

from dataclasses import replace
from pathlib import Path

from morphene_core.delivery.candidate import candidate
from tests.deliverable import make_deliverable


def test_the_demo_was_never_heard_only_if_the_very_audio_was_held_out(tmp_path: Path) -> None:
    found = candidate(make_deliverable(tmp_path / "home"))
    audio = found.heldout()
    assert found.never_heard(audio)
    pieces = tuple(replace(p, sha256="0" * 64) for p in audio["nonmusical"].pieces)
    anew = replace(audio["nonmusical"], pieces=pieces)
    assert not found.never_heard(audio | {"nonmusical": anew})
