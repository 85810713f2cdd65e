"""What both patches say, in the same words."""

from morphene_core.final_model import FinalModel, Latent

BUFFERS = (2048, 4096, 8192)
"""Buffer sizes of nn~ that are offered, in samples. It takes powers of two."""

DEFAULT_BUFFER = 4096

LEVEL_DB = (-40.0, 20.0)
"""Lowest and highest level of what it hears, whoever sends it."""

GAIN_DB = (-60.0, 12.0)
"""Likewise of what is heard."""

DEVIATIONS = 3.0
"""How far a latent slider goes to either side, in standard deviations of that latent."""

KNOBS = {
    "temperature": ("temperature", "noise in latents without a slider"),
    "encoder_noise": ("encoder noise", "noise in what it hears"),
}
"""Attributes of the model that get a knob from 0 to 1: title and meaning."""

MOST_NOISE = 1.0

_LONGEST = 60
_LEAST_DB = 0.5  # a change of level, or of brightness, that is hardly heard
_LEAST_OCTAVES = 0.02


def one_line(text: str) -> str:
    """Return a text without line breaks and what cannot be seen, and no longer than fits."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def notice(model: FinalModel) -> str:
    """Return what must be said of a model that is not to ship; empty for one that is."""
    if model.shippable:
        return ""
    return f"NOT SHIPPABLE: made with the profile {one_line(model.profile)}, for trying things out"


def facts(model: FinalModel) -> str:
    """Return the version, the rate and the number of latents in one line."""
    return (
        f"version {one_line(model.version)}, {model.sample_rate} Hz mono,"
        f" {len(model.latents)} latents"
    )


def effect(latent: Latent) -> str:
    """Return what a positive value does: louder, brighter, or next to nothing ("subtle")."""
    changes = ((latent.loudness_db, _LEAST_DB), (latent.brightness_octaves, _LEAST_OCTAVES))
    heard = any(change is None or abs(change) >= least for change, least in changes)
    return latent.rises if heard else "subtle"


def latent_label(latent: Latent) -> str:
    """Return a slider's label: number, what a positive value does, share of the variance."""
    share = 100 * latent.variance
    return f"{latent.number} {effect(latent)} {'<1' if 0 < share < 1 else f'{share:.0f}'} %"


def latency_ms(model: FinalModel, buffer: int) -> int:
    """Return the time from input to output in ms: nn~ keeps two buffers beside the model's own."""
    return round(1000 * (2 * buffer + model.latency_samples) / model.sample_rate)


def buffer_label(model: FinalModel, buffer: int) -> str:
    """Return a buffer size with its latency, and what it is good for."""
    use = {min(BUFFERS): "lowest latency", DEFAULT_BUFFER: "default"}.get(buffer, "safest")
    return f"{buffer}: about {latency_ms(model, buffer)} ms, {use}"


def latent_grid(latents: int) -> tuple[int, int]:
    """Return into how many rows and columns the latent sliders go."""
    columns = 1 if latents <= 6 else 2 if latents <= 32 else 3
    return -(-latents // columns), columns


def knobs(model: FinalModel) -> dict[str, float]:
    """Return the attributes of the model that get a knob, with their first values."""
    return {a.name: float(a.default[0]) for a in model.attributes if a.name in KNOBS}
