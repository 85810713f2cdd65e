"""The model card of a delivery, ``README.md``: what the instrument is, and what it is not."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from morphene_core.audio.pictures import overview_png
from morphene_core.audio.wav import SAMPLE_RATE, read_mono
from morphene_core.criteria.words import in_words
from morphene_core.delivery.demo import SECTIONS
from morphene_core.delivery.markdown import plain, table
from morphene_core.delivery.model import model_of
from morphene_core.delivery.papers import not_covered_text, sources_table
from morphene_core.delivery.patches.wording import BUFFERS, DEFAULT_BUFFER, buffer_label, effect
from morphene_core.files import write_text
from morphene_core.final_model import Latent
from morphene_core.metrics import METRICS

Metadata = Mapping[str, Any]

_QUESTIONS = {
    "musical_reconstruction": "Does it play the musical source back?",
    "nonmusical_reconstruction": "Does it play the non-musical source back?",
    "morph_progression": "Is the way between them even, and without faults?",
    "real_time_playback": "Does it keep up with time?",
    "musicality": "Did somebody listen, and find it good to play?",
}

IN_WORDS = {
    "musical_spectral_distance": (
        "its spectrum stays near that of the musical source",
        "its spectrum is far from that of the musical source",
    ),
    "musical_f0_error": ("it plays in tune", "it does not play in tune"),
    "musical_voicing_error": (
        "it has a pitch where the musical source has one",
        "it has noise in place of a pitch, or a pitch in place of noise",
    ),
    "musical_loudness_correlation": (
        "it swells and fades with what it hears",
        "it does not swell and fade with what it hears",
    ),
    "musical_timbre_mmd": (
        "its timbre is that of the musical source",
        "its timbre is not that of the musical source",
    ),
    "nonmusical_texture_mmd": (
        "its texture is that of the non-musical source",
        "its texture is not that of the non-musical source",
    ),
    "nonmusical_modulation_distance": (
        "it flutters and crackles as the non-musical source does",
        "it does not flutter and crackle as the non-musical source does",
    ),
    "nonmusical_onset_error": (
        "about as many events begin as in the non-musical source",
        "far more or fewer events begin than in the non-musical source",
    ),
    "morph_unevenness": ("the morph moves evenly", "the morph moves in jumps"),
    "morph_path_ratio": (
        "the morph goes straight from one source to the other",
        "the morph takes a long way round",
    ),
    "morph_monotonicity": (
        "every part of the morph knob leads on",
        "parts of the morph knob lead back",
    ),
    "morph_endpoint_distance": (
        "both ends of the morph sound like their sources",
        "the ends of the morph do not sound like their sources",
    ),
    "morph_dropouts": ("the sound holds on all the way", "the sound drops out on the way"),
    "morph_flux_spikes": (
        "nothing crackles on the way that does at neither end",
        "something crackles on the way that does at neither end",
    ),
}
"""What it means that a metric holds its threshold, and that it misses it."""

PICTURES = {
    "musical": "The musical source, and what the model makes of it",
    "nonmusical": "The non-musical source, and what the model makes of it",
    "morph": "The morph, from the musical source to the non-musical one",
}
"""The pictures of the audit, by their names, with what they show."""


def write_card(folder: Path, metadata: Metadata, pictures: Mapping[str, Path]) -> None:
    """Write ``README.md`` and the pictures in it, ``pictures/*.png``.

    Args:
        folder: of the delivery, in which ``demo.wav`` lies.
        metadata: of the delivery; the checksums of its files are not needed.
        pictures: of the audit, by the name of what they show: musical, nonmusical, morph. Those
            that are missing are left out.

    Raises:
        InputError: there is no ``demo.wav``, or it cannot be read.
    """
    target = folder / "pictures"
    target.mkdir(exist_ok=True)
    shown = {name: text for name, text in PICTURES.items() if name in pictures}
    for name in shown:
        shutil.copyfile(pictures[name], target / f"{name}.png")
    title = f"{metadata['instrument']['name']}: demo.wav"
    demo = overview_png(read_mono(folder / "demo.wav"), SAMPLE_RATE, title)
    (target / "demo.png").write_bytes(demo)
    write_text(folder / "README.md", card_text(metadata, shown))


def card_text(metadata: Metadata, pictures: Mapping[str, str]) -> str:
    """Return the text of the model card.

    Args:
        metadata: of the delivery.
        pictures: what each picture of the audit shows, by the name of its file.
    """
    parts = [
        f"# {plain(metadata['instrument']['name'])}",
        f"**{plain(metadata['notice'])}**" if metadata["notice"] else "",
        _what_it_is(metadata),
        _good_and_bad(metadata),
        _hear(metadata),
        _play(metadata),
        _latents(metadata),
        _speed(metadata),
        _made(metadata, pictures),
        _terms(metadata),
        _files(metadata),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_it_is(metadata: Metadata) -> str:
    instrument, model = metadata["instrument"], metadata["model"]
    musical, other = plain(instrument["musical_source"]), plain(instrument["nonmusical_source"])
    return (
        f"A neural audio instrument: it blends **{musical}** with **{other}** in one RAVE model,"
        f" which plays in nn~ (Max, Pure Data) and in RAVE VST. Feed it two sounds and morph"
        f" between them, or one sound and move its {len(model['latents'])} latents.\n\n"
        f"Number {instrument['number']} of the catalogue ({instrument['tier']}), version"
        f" {metadata['delivery']['version']}, model {plain(model['version'])},"
        f" {metadata['audio']['sample_rate']:,} Hz mono, {model['bytes'] / 1e6:.0f} MB."
    )


def _good_and_bad(metadata: Metadata) -> str:
    """What failed comes first."""
    criteria: Sequence[Metadata] = metadata["criteria"]
    failed = [criterion for criterion in criteria if not criterion["passed"]]
    held = [criterion for criterion in criteria if criterion["passed"]]
    parts = ["## What it is good and bad at"]
    if failed:
        names = _listed(criterion["title"].lower() for criterion in failed)
        parts.append(
            f"**It does not hold {len(failed)} of the {len(criteria)} criteria that an instrument"
            f" has to hold: {plain(names)}.**"
        )
    else:
        parts.append(f"It holds all {len(criteria)} criteria that an instrument has to hold.")
    parts += [_in_short(criteria), *(_criterion(criterion) for criterion in failed + held)]
    if any(number["provisional"] for criterion in criteria for number in criterion["numbers"]):
        parts.append(
            "Provisional thresholds were set by what each number means; nobody's ears have"
            " confirmed them yet."
        )
    return "\n\n".join(parts)


def _in_short(criteria: Iterable[Metadata]) -> str:
    """Return in plain words what the measured numbers say, those that miss first."""
    numbers = [n for c in criteria for n in c["numbers"] if n["metric"] in IN_WORDS]
    missed = [IN_WORDS[n["metric"]][1] for n in numbers if not n["passed"]]
    holds = [IN_WORDS[n["metric"]][0] for n in numbers if n["passed"]]
    lines = [f"- Bad: {'; '.join(missed)}."] if missed else []
    return "\n".join(lines + ([f"- Good: {'; '.join(holds)}."] if holds else []))


def _criterion(criterion: Metadata) -> str:
    verdict = "Yes." if criterion["passed"] else "**No.**"
    question = _QUESTIONS.get(criterion["name"], criterion["title"])
    head = f"### {plain(question)}\n\n{verdict} {plain(criterion['text'])}"
    numbers = sorted(criterion["numbers"], key=lambda number: bool(number["passed"]))
    return "\n\n".join([head, _numbers(numbers)]) if numbers else head


def _numbers(numbers: Iterable[Metadata]) -> str:
    """Return measured numbers as a table, those that miss their threshold first."""
    rows = [
        (
            plain(number["title"]),
            in_words(number["value"], number["unit"]),
            f"at {'most' if number['better'] == 'lower' else 'least'}"
            f" {in_words(number['threshold'], number['unit'])}"
            f"{' (provisional)' if number['provisional'] else ''}",
            "holds" if number["passed"] else "**missed**",
            _meaning(number["metric"]),
        )
        for number in numbers
    ]
    return table(("number", "measured", "needed", "", "what it says"), rows)


def _meaning(metric: str) -> str:
    return METRICS[metric].meaning if metric in METRICS else "Time that a block takes to compute."


def _hear(metadata: Metadata) -> str:
    heard = (
        "The recordings in it were kept out of the training: the model never heard them."
        if metadata["audio"]["demo"]["never_heard"]
        else "The recordings were prepared anew since: the model may have been trained on these."
    )
    rows = [
        (f"{_clock(section.start)} to {_clock(section.start + section.seconds)}", section.text)
        for section in SECTIONS
    ]
    return "\n\n".join(
        [
            "## Hear it",
            f"[demo.wav](demo.wav) was played by the delivered model itself. {heard}",
            table(("time", "what is heard"), rows),
            "All three have one loudness. The morph knob stays, rises and falls, as a hand moves"
            " it.",
            "![The demo: waveform and spectrogram](pictures/demo.png)",
        ]
    )


def _play(metadata: Metadata) -> str:
    slug, rate = metadata["instrument"]["slug"], metadata["audio"]["sample_rate"]
    model = model_of(metadata)
    return "\n\n".join(
        [
            "## Play it",
            f"Keep the files of this folder together. **The host has to run at {rate:,} Hz**: nn~"
            " never checks, and at another rate the model hears everything too high or too low, and"
            " plays out of tune. The patches warn of it.",
            f"- **Pure Data** (0.53 or later): install"
            " [nn~](https://github.com/acids-ircam/nn_tilde/releases), open"
            f" [{slug}.pd]({slug}.pd), press ON. At first it plays `demo.wav` through the model;"
            " choose files of your own, or the inputs.",
            f"- **Max** (8 or later): install nn~, open [{slug}.maxpat]({slug}.maxpat), press ON."
            " [CHECKLIST.md](CHECKLIST.md) says what to look at: this patch was checked by reading"
            " it, not by running Max.",
            f"- **RAVE VST**: import [{slug}.ts]({slug}.ts). The plug-in knows no morph: it plays"
            " one input through the model, and moves the first eight latents.",
            f"- **Any patch for RAVE models**: `nn~ {slug}.ts forward`, `encode` or `decode` work"
            f" as they do there. `nn~ {slug}.ts morph {DEFAULT_BUFFER}` takes the musical source,"
            " the non-musical one and the amount from 0 to 1, as three signals.",
            "nn~ keeps two buffers beside the time that the model itself takes"
            f" ({metadata['model']['latency']['ms']:.0f} ms). In samples, and with the latency in"
            " all:",
            "\n".join(f"- {buffer_label(model, size)}" for size in BUFFERS),
        ]
    )


def _latents(metadata: Metadata) -> str:
    model = metadata["model"]
    latents = [
        (
            str(latent["number"]),
            effect(Latent(**latent)),
            f"{100 * latent['variance']:.1f} %",
            in_words(latent["loudness_db"], "dB"),
            in_words(latent["brightness_octaves"], "octaves"),
        )
        for latent in model["latents"]
    ]
    attributes = [
        (
            f"`{attribute['name']}`",
            " ".join(attribute["types"]),
            " ".join(str(value) for value in attribute["default"]),
            plain(attribute["meaning"]),
        )
        for attribute in model["attributes"]
    ]
    methods = [
        (f"`{m['name']}`", _channels(m, "in"), _channels(m, "out")) for m in model["methods"]
    ]
    head = ("latent", "a positive value makes it", "share of all movement", "level", "brightness")
    return "\n\n".join(
        [
            "## Latents, attributes and methods",
            "All instruments of the catalogue show as many latents, in the same order and sign: a"
            " patch that is made for one plays them all. `set latent 3 0.5` moves the third by half"
            " a standard deviation, `set latent 0 0` puts all back. Level and brightness are what"
            " changes from one deviation below the mean to one above.",
            table(head, latents),
            table(("attribute", "takes", "at first", "meaning"), attributes),
            table(("method", "in", "out"), methods),
        ]
    )


def _channels(method: Metadata, side: str) -> str:
    count, ratio = method[f"{side}_channels"], method[f"{side}_ratio"]
    what = f"{'signal' if ratio == 1 else 'latent'}{'s' if count > 1 else ''}"
    return f"{count} {what}" + (f", one value per {ratio:,} samples" if ratio > 1 else "")


def _speed(metadata: Metadata) -> str:
    report = metadata["realtime"]
    if not report:
        return ""
    machine, latency, deadline = report["machine"], report["latency"], report["deadline_ms"]
    rows = [
        (
            f"`{of['name']}`",
            f"{of['p50_ms']:.1f} ms",
            f"{of['p99_ms']:.1f} ms",
            f"{100 * of['p99_ms'] / deadline:.0f} %",
            str(of["misses"]),
        )
        for of in report["methods"]
    ]
    measured = latency["measured_ms"]
    late = f", measured with an impulse: {measured:.1f} ms" if measured is not None else ""
    return "\n\n".join(
        [
            "## Speed and latency",
            f"Verdict: **{report['verdict']}**. {plain(report['text'])}",
            f"Measured on {plain(machine['cpu'])}, {machine['threads']} of {machine['cores']}"
            f" cores, load {machine['load']:g}, in {plain(machine['host'])} (torch"
            f" {plain(machine['torch'])}); blocks of {report['block']:,} samples, which leave"
            f" {deadline:.1f} ms each. Another machine takes another time.",
            table(("method", "half of the blocks", "99 % of them", "of the time", "missed"), rows),
            f"Latency of the model: {metadata['model']['latency']['ms']:.1f} ms, computed from its"
            f" convolutions{late}. The first two blocks after loading take several times as long.",
        ]
    )


def _made(metadata: Metadata, pictures: Mapping[str, str]) -> str:
    training, checkpoint = metadata["training"], metadata["checkpoint"]
    return "\n\n".join(
        [
            "## How it was made",
            f"RAVE ({plain(training['profile']['base_config'])}), profile"
            f" {plain(training['profile']['name'])}, trained for {training['steps']:,} steps"
            f" ({training['phase_1_steps']:,} in the first phase, {training['phase_2_steps']:,} in"
            f" the adversarial one) in {in_words(training['hours'], 'hours')} on"
            f" {plain(training['hardware'])}, seed {training['seed']}. Training"
            f" `{training['id']}`, step {checkpoint['step']:,}, chosen by"
            f" {plain(checkpoint['chosen_by'])}: {plain(checkpoint['reason'])}",
            sources_table(metadata["lineage"]["sources"]),
            f"Approval: {plain(metadata['approval']['text'])}",
            *(f"![{text}](pictures/{name}.png)" for name, text in pictures.items()),
        ]
    )


def _terms(metadata: Metadata) -> str:
    terms = metadata["terms"]
    tools = "; ".join(f"{plain(t['name'])}: {plain(t['licence'])}" for t in terms["tools"])
    rights = terms["rights"]
    decided = "Nobody has recorded a rights decision for a commercial release."
    if rights:
        decided = f"{plain(rights['who'])} decided on {rights['at'][:10]}:"
        decided += f" {plain(rights['decision'])}"
    if rights and (gap := not_covered_text(rights)):
        decided += f"\n- **{gap}**"
    return "\n\n".join(
        [
            "## Terms in short",
            f"- Licence that follows from the recordings: **{plain(terms['licence'])}**\n"
            f"- Commercial use, by the recordings: {'yes' if terms['commercial'] else '**no**'}\n"
            f"- Share alike: {'yes' if terms['share_alike'] else 'no'}\n"
            f"- Tools, whose terms are apart: {tools}\n"
            f"- {decided}",
            "In full: [LICENCE.md](LICENCE.md). Whom to name: [ATTRIBUTIONS.md](ATTRIBUTIONS.md).",
        ]
    )


def _files(metadata: Metadata) -> str:
    slug = metadata["instrument"]["slug"]
    files = {
        f"{slug}.ts": "the model",
        f"{slug}.pd": "the patch for Pure Data",
        f"{slug}.maxpat": "the patch for Max",
        "CHECKLIST.md": "what to look at in Max",
        "demo.wav": "how it sounds",
        "metadata.json": "all facts, checksums and lineage, for programs",
        "metadata.schema.json": "what they mean",
        "CHANGES.md": "what is different from earlier versions",
        "LICENCE.md": "the terms",
        "ATTRIBUTIONS.md": "whom to name",
    }
    rows = [(f"[{name}]({name})", text) for name, text in files.items()]
    return "\n\n".join(["## Files", table(("file", ""), rows)])


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _clock(seconds: float) -> str:
    return f"0:{seconds:04.1f}"
