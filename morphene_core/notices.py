"""Notices: one line each for whoever looks after the trainings.

Every notice is a line of ``logs/notices.log``; a command or a webhook may be told as well
(``[notices]`` of the settings). What goes wrong there never stops anything: it is a line, too.
"""

import json
import os
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from morphene_core.errors import InputError
from morphene_core.home import Home
from morphene_core.settings import read_settings

_SECONDS = 10.0  # that a command or a webhook may take


def notices_log(home: Home) -> Path:
    """Return the file that the notices are written to."""
    return home.path / "logs" / "notices.log"


def notify(home: Home, instrument: str, what: str, why: str, to_do: str) -> str:
    """Give a notice.

    Args:
        home: the project folder.
        instrument: number and name.
        what: what has happened.
        why: the reason, or more about it.
        to_do: what the reader is to do.

    Returns:
        The line that was written, without its time.
    """
    line = _one_line(f"{instrument}: {what}: {why.rstrip('. ')}. {to_do}")
    _write(home, line)
    for problem in _deliver(home, line):
        _write(home, f"This notice was not delivered: {problem}")
    return line


def _write(home: Home, line: str) -> None:
    path = notices_log(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{now}  {_one_line(line)}\n")


def _deliver(home: Home, line: str) -> list[str]:
    """Tell the command and the webhook; return what went wrong."""
    try:
        settings = read_settings(home.settings).notices
    except InputError as error:
        return [str(error)]
    problems = []
    if settings.command:
        problems.append(_run([*settings.command, line]))
    if settings.webhook:
        problems.append(_post(settings.webhook, line))
    return [problem for problem in problems if problem]


def _run(command: list[str]) -> str:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that what it started ends with it
        )
    except (OSError, ValueError) as error:
        return f"{command[0]} did not start ({error})"
    try:
        code = process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"{command[0]} took longer than {_SECONDS:.0f} s and was ended"
    return f"{command[0]} ended with {code}" if code else ""


def _post(address: str, line: str) -> str:
    """Post a line; the address, which may hold a secret, is not named."""
    if not address.startswith(("http://", "https://")):
        return "the webhook's address begins with neither http:// nor https://"
    try:
        request = urllib.request.Request(
            address,
            json.dumps({"text": line}).encode(),
            {"Content-Type": "application/json", "User-Agent": "morphene"},
        )
        with urllib.request.urlopen(request, timeout=_SECONDS):
            return ""
    except Exception as error:  # an address that is none raises anything
        return f"the webhook failed ({getattr(error, 'reason', error)})"


def _one_line(text: str) -> str:
    return " ".join(text.split())
