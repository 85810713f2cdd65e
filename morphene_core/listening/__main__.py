"""Serves the listening room of MORPHENE_HOME without a browser: as `morphene up` does."""

import sys

from morphene_core.errors import MorpheneError
from morphene_core.home import Home
from morphene_core.listening.server import serve
from morphene_core.settings import read_settings

if __name__ == "__main__":
    home = Home.resolve()
    try:
        serve(home, read_settings(home.settings).listening.port, open_browser=False)
    except MorpheneError as error:
        sys.exit(str(error))
