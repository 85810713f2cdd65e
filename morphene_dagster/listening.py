"""Links from the Dagster UI into the listening room."""

from morphene_core.home import Home, InstrumentPaths
from morphene_core.settings import read_settings
from morphene_core.training import TrainingFolder


def room_url(paths: InstrumentPaths, folder: TrainingFolder, step: int) -> str:
    """Return the page of a checkpoint's audit; `morphene up` and `morphene listen` serve it."""
    port = read_settings(Home(paths.home).settings).listening.port
    place = f"instruments/{paths.slug}/trainings/{folder.path.name}/{step}"
    return f"http://127.0.0.1:{port}/{place}"
