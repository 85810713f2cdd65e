"""The project folder, MORPHENE_HOME: everything that a user owns lies in it.

::

    morphene.toml                          settings
    profiles/*.toml                        the user's own training profiles
    sources/{instrument}/{role}/           raw recordings, never changed
    sources/{instrument}/{role}.json       what was found there: each file with its hash
    audio/{instrument}/{role}/             prepared audio: training/, heldout/, audio.json
    datasets/{instrument}/                 preprocessed_db, as `rave preprocess` writes it
    models/{instrument}/trainings/{id}/    one training: checkpoints/, audit/
    models/{instrument}/checkpoints        -> the current training's checkpoints
    models/{instrument}/audit              -> the current training's audits
    models/{instrument}/exports/           exported .ts
    models/{instrument}/final/             the delivery
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

DEFAULT_PROFILE = "production"
DEMO_HOME = Path("demo-home")

_SETTINGS = """\
# Settings of this Morphene project folder.

# The training profile of every instrument that is not named below.
profile = "{profile}"

# The profile of single instruments:
# [instruments.pyroviolin]
# profile = "demo"
"""


@dataclass(frozen=True)
class InstrumentPaths:
    """Where one instrument's files lie in a home."""

    home: Path
    slug: str

    def sources(self, role: Role) -> Path:
        """Folder of the raw recordings of one role."""
        return self.home / "sources" / self.slug / role

    def register(self, role: Role) -> Path:
        """Record of the raw recordings of one role."""
        return self.home / "sources" / self.slug / f"{role}.json"

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
        """Folder of the delivery."""
        return self.models / "final"


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
        if not self.settings.exists():
            return DEFAULT_PROFILE
        try:
            settings = tomllib.loads(self.settings.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.settings} is not valid TOML: {error}. Mend it.") from error
        instruments = settings.get("instruments", {})
        own = instruments.get(slug, {}) if isinstance(instruments, dict) else {}
        name = own.get("profile") if isinstance(own, dict) else None
        name = name or settings.get("profile", DEFAULT_PROFILE)
        if not isinstance(name, str):
            raise InputError(f'{self.settings}: the profile of {slug} must be a name in "quotes".')
        return name
