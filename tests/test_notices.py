import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from morphene_core import notices
from morphene_core.home import Home
from morphene_core.notices import notices_log, notify

WHAT = ("10 Pyroviolin", "training failed", "the disk is full", "Free some space.")
LINE = "10 Pyroviolin: training failed: the disk is full. Free some space."


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


def tell(home: Home, settings: str) -> None:
    with home.settings.open("a") as file:
        file.write(f"\n[notices]\n{settings}\n")


def lines(home: Home) -> list[str]:
    return notices_log(home).read_text().splitlines()


def test_a_notice_is_one_line_with_its_time_in_utc(home: Home) -> None:
    assert notify(home, "10 Pyroviolin", "failed", "first\nsecond.", "Look.") == (
        "10 Pyroviolin: failed: first second. Look."
    )
    notify(home, *WHAT)
    first, second = lines(home)
    assert first.endswith(" UTC  10 Pyroviolin: failed: first second. Look.")
    assert second.endswith(f" UTC  {LINE}")
    time.strptime(second[:19], "%Y-%m-%d %H:%M:%S")


def test_a_command_is_given_the_notice_as_its_last_argument(home: Home, tmp_path: Path) -> None:
    written = tmp_path / "written"
    script = f"import sys; open({str(written)!r}, 'w').write(sys.argv[-1])"
    tell(home, f"command = {json.dumps([sys.executable, '-c', script])}")
    notify(home, *WHAT)
    assert written.read_text() == LINE
    assert len(lines(home)) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["false"], "false ended with 1"),
        (["/nowhere/at/all"], "/nowhere/at/all did not start"),
        (["bad\0name"], "did not start"),
    ],
)
def test_a_command_that_fails_is_a_line_and_no_error(
    home: Home, command: list[str], said: str
) -> None:
    tell(home, f"command = {json.dumps(command)}")
    assert notify(home, *WHAT) == LINE
    assert said in lines(home)[1]


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_SECONDS", 0.5)
    late = tmp_path / "late"
    tell(home, f'command = ["sh", "-c", "(sleep 3; touch {late}) & sleep 60"]')
    notify(home, *WHAT)
    assert "was ended" in lines(home)[1]
    time.sleep(4)
    assert not late.exists()


class Hook(BaseHTTPRequestHandler):
    posted: list[object]
    answer = 200

    def do_POST(self) -> None:
        self.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    Hook.posted, Hook.answer = [], 200
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_webhook_is_posted_the_notice(home: Home, hook: HTTPServer) -> None:
    tell(home, f'webhook = "http://127.0.0.1:{hook.server_port}/secret"')
    notify(home, *WHAT)
    assert Hook.posted == [{"text": LINE}]
    assert len(lines(home)) == 1


def test_a_webhook_that_refuses_is_a_line_that_keeps_its_address_secret(
    home: Home, hook: HTTPServer
) -> None:
    Hook.answer = 500
    tell(home, f'webhook = "http://127.0.0.1:{hook.server_port}/secret"')
    assert notify(home, *WHAT) == LINE
    assert "the webhook failed" in lines(home)[1]
    assert "secret" not in lines(home)[1]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://", "no address"]
)
def test_a_webhook_that_is_none_or_down_is_a_line(home: Home, address: str) -> None:
    tell(home, f'webhook = "{address}"')
    assert notify(home, *WHAT) == LINE
    assert "webhook" in lines(home)[1]


def test_settings_that_cannot_be_read_do_not_lose_the_notice(home: Home) -> None:
    home.settings.write_text("not = toml = at all")
    assert notify(home, *WHAT) == LINE
    assert "is not valid TOML" in lines(home)[1]
