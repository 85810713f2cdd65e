"""The tables of ``morphene.toml``: how trainings are queued, who is told, where one listens."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from morphene_core.errors import InputError


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueueSettings(_Table):
    """``[queue]``.

    Attributes:
        gpus: how many trainings may run at once; None: one per GPU that NVML finds, at least one.
        audits: how many runs of audits may run at once.
        preparations: how many instruments may be prepared at once.
        gpu_wait_minutes: how long a training waits for a GPU that foreign processes fill.
    """

    gpus: Annotated[int, Field(ge=1)] | None = None
    audits: Annotated[int, Field(ge=1)] = 1
    preparations: Annotated[int, Field(ge=1)] = 2
    gpu_wait_minutes: Annotated[float, Field(ge=0)] = 60.0


class ScheduleSettings(_Table):
    """``[schedules]``: when each tier's backfill is launched, as cron expressions."""

    flagship: str = "0 20 * * *"
    strong: str = "0 21 * * *"
    experimental: str = "0 22 * * *"


class NoticeSettings(_Table):
    """``[notices]``: where notices go beside ``logs/notices.log``.

    Attributes:
        command: a command and its arguments; the notice is its last argument.
        webhook: an address to which ``{"text": notice}`` is posted.
    """

    command: tuple[str, ...] = ()
    webhook: str | None = None


class ListeningSettings(_Table):
    """``[listening]``.

    Attributes:
        port: of the listening room, on 127.0.0.1.
    """

    port: Annotated[int, Field(ge=1, le=65535)] = 3001


class Settings(_Table):
    """The tables of a settings file; what it does not say has its default."""

    queue: QueueSettings = QueueSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    notices: NoticeSettings = NoticeSettings()
    listening: ListeningSettings = ListeningSettings()


def read_settings(path: Path) -> Settings:
    """Return the tables of a settings file, which need not exist.

    Raises:
        InputError: it is no TOML, or a value is wrong (table and key are named).
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return Settings(**{name: data[name] for name in Settings.model_fields if name in data})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}. Mend it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {field}: {first['msg']}.") from error
