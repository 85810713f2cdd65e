"""The listening room: a local web application in which a person decides an instrument.

It reads the project folder and writes three logs in it: verdicts, votes and choices.
"""

from morphene_core.listening.app import create_app
from morphene_core.listening.server import serve

__all__ = ["create_app", "serve"]
