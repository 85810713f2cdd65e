"""Checks of what came out: the audits and the delivery."""

from morphene_core import stages
from morphene_core.audits import read_audits
from morphene_core.dataset import source_list
from morphene_core.delivery.verify import folder_faults, read_metadata
from morphene_core.errors import InputError
from morphene_core.home import ROLES, InstrumentPaths
from morphene_core.metrics import METRICS
from morphene_core.training import current_training
from morphene_dagster.checks.common import Finding, instrument_check
from morphene_dagster.resources import Project

_LEARNED = ("musical_spectral_distance", "nonmusical_texture_mmd")


def _learned(project: Project, paths: InstrumentPaths) -> Finding:
    audits = read_audits(current_training(paths))
    first, last = audits[0].metrics, audits[-1].metrics
    return Finding(
        all(_less(last[name], first[name]) for name in _LEARNED),
        ", ".join(
            f"{METRICS[n].title}: {_say(first[n])}, at last {_say(last[n])}" for n in _LEARNED
        ),
        serious=False,
    )


def _less(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and a < b


def _say(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"


def _intact(project: Project, paths: InstrumentPaths) -> Finding:
    try:
        faults = folder_faults(paths.final)
        count = len(read_metadata(paths.final)["files"])
    except InputError as error:
        return Finding(False, str(error))
    return Finding(
        not faults, f"{'; '.join(faults)}. Deliver again." if faults else f"{count} files"
    )


def _present(project: Project, paths: InstrumentPaths) -> Finding:
    present = source_list({role: stages.read_register(paths, role) for role in ROLES})
    delivered, now = (
        {(source["role"], source["sha256"]) for source in sources}
        for sources in (read_metadata(paths.final)["lineage"]["sources"], present)
    )
    gone, new = len(delivered - now), len(now - delivered)
    text = f"{len(delivered)} files; {gone} of them are no longer used, {new} are new"
    return Finding(delivered == now, text, serious=False)


ALL = [
    instrument_check(
        "audit_renders",
        "learned_both_sources",
        "The last checkpoint is closer to the held-out audio of both sources than the first one.",
        _learned,
    ),
    instrument_check(
        "delivery",
        "delivery_is_intact",
        "The delivery keeps to its schema, every file is the one that its checksum names, and the"
        " patches fit the model.",
        _intact,
    ),
    instrument_check(
        "delivery",
        "made_from_the_present_sources",
        "What was trained on is what the sources are now; otherwise train and deliver again.",
        _present,
    ),
]
