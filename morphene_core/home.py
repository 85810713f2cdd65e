"""The project folder, MORPHENE_HOME: everything that a user owns lies in it.

::

    morphene.toml                          settings
    criteria.toml                          thresholds of the criteria, if they are the user's own
    profiles/*.toml                        the user's own training profiles
    sources/{instrument}/{role}/           raw recordings, never changed
    sources/{instrument}/{role}.toml       the manifest: whose they are, licences, hashes
    sources/{instrument}/{role}.verdicts.json  what was found in them: each file with its verdict
    sources/{instrument}/documents/        contracts and consents
    sources/{instrument}/removed/          what `morphene sources remove` took out
    audio/{instrument}/{role}/             prepared audio: training/, heldout/, audio.json
    datasets/{instrument}/                 preprocessed_db, as `rave preprocess` writes it
    models/{instrument}/trainings/{id}/    one training: checkpoints/, states/, audit/, losses.csv
    models/{instrument}/checkpoints        -> the current training's checkpoints
    models/{instrument}/audit              -> the current training's audits
    models/{instrument}/exports/           exported .ts, and what they make of the references
    models/{instrument}/verdicts.jsonl     what listeners decided; votes.jsonl: blind tests
    models/{instrument}/rights.jsonl       rights decisions of whoever releases it
    models/{instrument}/deliveries/{n}/    the deliveries, each as it was; 0: by an older Morphene
    models/{instrument}/final              -> the newest delivery
    logs/                                  a log of every training, and the notices
    dagster/                               the Dagster instance: runs, events, logs
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from morphene_core.errors import InputError
from morphene_core.files import write_text

Role = Literal["musical", "nonmusical"]
ROLES: tuple[Role, Role] = ("musical", "nonmusical")

Release = Literal["commercial", "noncommercial"]

DEFAULT_PROFILE = "production"
DEMO_HOME = Path("demo-home")

_SETTINGS = """\
# Settings of this Morphene project folder.

# The training profile of every instrument that is not named below.
profile = "{profile}"

# How the instruments are to be released, "commercial" or "noncommercial". Recordings whose licence
# does not allow it are refused before anything is trained.
release = "commercial"

# The same for single instruments:
# [instruments.pyroviolin]
# profile = "demo"
# release = "noncommercial"
# What its checkpoints are judged by, in place of excerpts of the held-out audio:
# musical_reference = "references/violin.wav"
# nonmusical_reference = "references/fire.wav"

# How many trainings, audits and preparations run at once, and how long a training waits for a GPU
# that other programs fill. Without `gpus` it is one training for each GPU that is found.
# [queue]
# gpus = 1
# audits = 1
# preparations = 2
# gpu_wait_minutes = 60

# When each tier's backfill is launched (cron, UTC), once its schedule is switched on in the UI.
# [schedules]
# flagship = "0 20 * * *"
# strong = "0 21 * * *"
# experimental = "0 22 * * *"

# Notices (a run failed, an instrument can be listened to) are lines of logs/notices.log, and go to
# a command, as its last argument, or to a webhook.
# [notices]
# command = ["notify-send", "Morphene"]
# webhook = "https://example.org/hook"

# Where `morphene listen` and `morphene up` open the listening room.
# [listening]
# port = 3001
"""


@dataclass(frozen=True)
class InstrumentPaths:
    """Where one instrument's files lie in a home."""

    home: Path
    slug: str

    def sources(self, role: Role) -> Path:
        """Folder of the raw recordings of one role."""
        return self.home / "sources" / self.slug / role

    def manifest(self, role: Role) -> Path:
        """Manifest of the raw recordings of one role, for people."""
        return self.home / "sources" / self.slug / f"{role}.toml"

    def register(self, role: Role) -> Path:
        """Record of what was found in the raw recordings of one role."""
        return self.home / "sources" / self.slug / f"{role}.verdicts.json"

    @property
    def documents(self) -> Path:
        """Folder of the contracts and consents of an instrument's sources."""
        return self.home / "sources" / self.slug / "documents"

    @property
    def removed(self) -> Path:
        """Folder of recordings that were taken out."""
        return self.home / "sources" / self.slug / "removed"

    def audio(self, role: Role) -> Path:
        """Folder of the prepared audio of one role."""
        return self.home / "audio" / self.slug / role

    @property
    def preprocessed_db(self) -> Path:
        """Folder of the RAVE dataset."""
        return self.home / "datasets" / self.slug

    @property
    def models(self) -> Path:
        """Folder of everything that was made from the dataset."""
        return self.home / "models" / self.slug

    @property
    def trainings(self) -> Path:
        """Folder of all trainings, side by side."""
        return self.models / "trainings"

    def training_log(self, training_id: str) -> Path:
        """Log of one training, with those of all other instruments in one folder."""
        return self.home / "logs" / "trainings" / f"{self.slug}-{training_id}.log"

    def training(self, training_id: str) -> Path:
        """Folder of one training."""
        return self.models / "trainings" / training_id

    @property
    def checkpoints(self) -> Path:
        """Link to the current training's checkpoints."""
        return self.models / "checkpoints"

    @property
    def audit(self) -> Path:
        """Link to the current training's audits, one folder per checkpoint."""
        return self.models / "audit"

    @property
    def exports(self) -> Path:
        """Folder of the exported .ts files."""
        return self.models / "exports"

    @property
    def final(self) -> Path:
        """Link to the newest delivery."""
        return self.models / "final"

    @property
    def deliveries(self) -> Path:
        """Folder of all deliveries, one folder per version."""
        return self.models / "deliveries"

    @property
    def rights(self) -> Path:
        """Journal of the rights decisions."""
        return self.models / "rights.jsonl"


@dataclass(frozen=True)
class Home:
    """A project folder. ``path`` is absolute."""

    path: Path

    @classmethod
    def resolve(cls) -> "Home":
        """Return the home in use: MORPHENE_HOME, else the demo's in the working directory."""
        return cls(Path(os.environ.get("MORPHENE_HOME") or DEMO_HOME).expanduser().absolute())

    def instrument(self, slug: str) -> InstrumentPaths:
        """Return the paths of one instrument."""
        return InstrumentPaths(self.path, slug)

    @property
    def dagster(self) -> Path:
        """Folder of the Dagster instance (its DAGSTER_HOME)."""
        return self.path / "dagster"

    @property
    def profiles(self) -> Path:
        """Folder of the user's own training profiles."""
        return self.path / "profiles"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.path / "morphene.toml"

    def create(self, profile: str = DEFAULT_PROFILE) -> None:
        """Make the folder and its settings file; what is there stays as it is."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.settings.exists():
            write_text(self.settings, _SETTINGS.format(profile=profile))

    def profile_name(self, slug: str) -> str:
        """Return the name of the profile that the settings give to an instrument.

        Raises:
            InputError: the settings file is no TOML, or a profile in it is no text.
        """
        name = self._setting(slug, "profile", DEFAULT_PROFILE)
        if not isinstance(name, str):
            raise InputError(f'{self.settings}: the profile of {slug} must be a name in "quotes".')
        return name

    def release(self, slug: str) -> Release:
        """Return how an instrument is to be released, which not every licence allows.

        Raises:
            InputError: the settings file is no TOML, or says something else.
        """
        release = self._setting(slug, "release", "commercial")
        if release not in ("commercial", "noncommercial"):
            raise InputError(
                f'{self.settings}: release of {slug} must be "commercial" or "noncommercial".'
            )
        return release

    def reference(self, slug: str, role: Role) -> Path | None:
        """Return the audio file that an instrument's audits take as reference, None if none is set.

        Raises:
            InputError: the settings file is no TOML, or the setting is no text.
        """
        name = self._setting(slug, f"{role}_reference", "")
        if not isinstance(name, str):
            raise InputError(f'{self.settings}: {role}_reference must be a file in "quotes".')
        return self.path / Path(name).expanduser() if name else None

    def _setting(self, slug: str, key: str, default: str) -> object:
        """Return a setting: the instrument's own, else everyone's, else the default."""
        if not self.settings.exists():
            return default
        try:
            settings = tomllib.loads(self.settings.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.settings} is not valid TOML: {error}. Mend it.") from error
        instruments = settings.get("instruments", {})
        own = instruments.get(slug, {}) if isinstance(instruments, dict) else {}
        value = own.get(key) if isinstance(own, dict) else None
        return settings.get(key, default) if value is None else value
