"""Metadata worth looking at in the UI."""

import base64
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """Return a PNG as metadata: the UI shows it in place."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(png).decode()})")


def duration(seconds: float) -> dg.FloatMetadataValue:
    """Return a duration as a number, which the UI plots over partitions."""
    return dg.MetadataValue.float(round(float(seconds), 3))


def table(rows: Sequence[dict[str, Any]]) -> dg.TableMetadataValue:
    """Return rows of the same keys as a table."""
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])


def overview(audio_files: Sequence[Path], title: str, seconds: float = 60.0) -> dg.MetadataValue:
    """Return a picture of audio files one after the other, at most a minute of them."""
    from morphene_core.audio.excerpt import excerpt
    from morphene_core.audio.pictures import overview_png
    from morphene_core.audio.wav import SAMPLE_RATE

    return picture(overview_png(excerpt(audio_files, seconds), SAMPLE_RATE, title))


def loss_curves(losses: Path, phase_2_at: int) -> dict[str, dg.MarkdownMetadataValue]:
    """Return pictures of a training's table of losses: distances, and the others apart."""
    from morphene_core.audio.pictures import curves_png

    curves: dict[str, tuple[list[float], list[float]]] = {}
    with losses.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name != "step" and value:
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(float(row["step"]))
                    values.append(float(value))
    distances = {
        name: c for name, c in curves.items() if "distance" in name or name == "validation"
    }
    others = {name: curve for name, curve in curves.items() if name not in distances}
    marks = {"adversarial phase": float(phase_2_at)}
    return {
        title: picture(curves_png(shown, "step", title, marks))
        for title, shown in (("spectral distances", distances), ("other losses", others))
        if shown
    }
