"""`slipway github ids` against a server that answers as GitHub does."""

from __future__ import annotations

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from slipway.cli.app import command_line
from slipway.settings import BadInput


class GitHub(BaseHTTPRequestHandler):
    tokens: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.tokens.append(self.headers.get("authorization"))
        known = self.path == "/repos/acme/board"
        body = json.dumps({"id": 34, "owner": {"id": 12}} if known else {"message": "Not Found"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    serving = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    thread = Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{serving.server_address[1]}")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    yield
    serving.shutdown()
    serving.server_close()
    thread.join()


def test_it_prints_both_numbers_as_settings_want_them() -> None:
    result = CliRunner().invoke(command_line(), ["github", "ids", "acme/board"])
    assert result.stdout == "owner_id: 12\nrepository_id: 34\n"


def test_it_sends_the_token_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "canary")
    result = CliRunner().invoke(command_line(), ["github", "ids", "acme/board", "--json"])
    assert json.loads(result.stdout) == {"owner_id": 12, "repository_id": 34}
    assert GitHub.tokens[-1] == "Bearer canary"


def test_an_unknown_repository_is_bad_input() -> None:
    result = CliRunner().invoke(command_line(), ["github", "ids", "acme/bored"])
    assert isinstance(result.exception, BadInput)
    assert "acme/bored" in str(result.exception)
