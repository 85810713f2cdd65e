"""Pictures of an audit: what to look at before listening."""

import textwrap
from pathlib import Path

from morphene_core.audio.pictures import morph_png, spectrograms_png
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.audits.record import MORPH_AMOUNTS
from morphene_core.metrics import METRICS

PICTURES = ("musical", "nonmusical", "morph")
"""File stems of an audit's pictures, one for each of the first three quality criteria."""

_LINE = 110  # characters that fit above a spectrogram


def draw_pictures(
    folder: Path,
    title: str,
    references: tuple[Mono, Mono],
    renders: dict[str, Mono],
    metrics: dict[str, float | None],
    path: dict[str, list[float]],
) -> None:
    """Draw the pictures of an audit into its folder.

    Args:
        folder: of the audit.
        title: what they are of.
        references: musical and non-musical.
        renders: by file stem.
        metrics: of the audit.
        path: of the morph.
    """
    for role, reference in zip(PICTURES, references, strict=False):
        sounds = {"reference": reference, _numbers(metrics, role): renders[f"{role}_recon"]}
        png = spectrograms_png(sounds, SAMPLE_RATE, f"{title}: {role} reconstruction")
        (folder / f"{role}.png").write_bytes(png)
    stages = {f"{amount} %": renders[f"morph_{amount:02d}"] for amount in MORPH_AMOUNTS}
    distances = {
        "distance to the musical end": path["to_musical"],
        "distance to the non-musical end": path["to_nonmusical"],
    }
    png = morph_png(stages, path["amount"], distances, SAMPLE_RATE, f"{title}: morph")
    (folder / "morph.png").write_bytes(png)


def _numbers(metrics: dict[str, float | None], role: str) -> str:
    """Return the metrics of a reconstruction, in as many lines as they need above a spectrogram."""
    from morphene_core.criteria.words import in_words  # whose package imports this one

    numbers = (
        f"{metric.title} {in_words(metrics.get(metric.name), metric.unit)}"
        for metric in METRICS.values()
        if metric.criterion.startswith(role)
    )
    whole = (number.replace(" ", "\N{NO-BREAK SPACE}") for number in numbers)
    return textwrap.fill(f"reconstruction: {', '.join(whole)}", _LINE)
