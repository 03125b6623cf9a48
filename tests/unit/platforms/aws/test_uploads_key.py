"""The key of uploads on R2, against a server that answers as Cloudflare's API does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from slipway.platforms.aws.data_logins import API_TOKEN, SECRET_KEY, TOKEN_ID, ensure_uploads_key
from slipway.settings import BadInput, SlipwayError

ACCOUNT, TOKEN = "a" * 32, "t0"
ENVIRONMENT = {API_TOKEN: "operator"}


class Cloudflare(HTTPServer):
    asked: list[str]
    status = 200
    body = ""

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/client/v4"


class Answers(BaseHTTPRequestHandler):
    server: Cloudflare  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PUT(self) -> None:
        allowed = self.headers["authorization"] == "Bearer operator"
        self.server.asked.append(self.path)
        rolled = {"success": True, "result": f"value-{len(self.server.asked)}"}
        self.send_response(self.server.status if allowed else 403)
        self.end_headers()
        self.wfile.write((self.server.body or json.dumps(rolled)).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class Store:
    """A secret store in memory."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        return dict(self.held)

    def names(self) -> list[str]:
        return sorted(self.held)

    def set(self, name: str, value: str) -> None:
        self.held[name] = value

    def update(self, values: Mapping[str, str]) -> None:
        self.held |= values

    def unset(self, name: str) -> None:
        del self.held[name]


@pytest.fixture
def cloudflare() -> Iterator[Cloudflare]:
    server = Cloudflare(("127.0.0.1", 0), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_key_is_the_digest_of_the_rolled_value_and_is_rolled_once(cloudflare: Cloudflare):
    store = Store()
    assert ensure_uploads_key(store, ACCOUNT, TOKEN, ENVIRONMENT, cloudflare.api)
    assert store.held == {SECRET_KEY: hashlib.sha256(b"value-1").hexdigest(), TOKEN_ID: TOKEN}
    assert not ensure_uploads_key(store, ACCOUNT, TOKEN, ENVIRONMENT, cloudflare.api)
    assert cloudflare.asked == [f"/client/v4/accounts/{ACCOUNT}/tokens/{TOKEN}/value"]


def test_another_token_has_another_key(cloudflare: Cloudflare):
    store = Store()
    ensure_uploads_key(store, ACCOUNT, TOKEN, ENVIRONMENT, cloudflare.api)
    first = store.held[SECRET_KEY]
    assert ensure_uploads_key(store, ACCOUNT, "t1", ENVIRONMENT, cloudflare.api)
    assert store.held[SECRET_KEY] != first


def test_without_the_operator_s_token_nothing_is_asked(cloudflare: Cloudflare):
    with pytest.raises(BadInput, match=API_TOKEN):
        ensure_uploads_key(Store(), ACCOUNT, TOKEN, {}, cloudflare.api)
    assert cloudflare.asked == []


def test_a_token_that_may_not_is_named_with_the_right_it_lacks(cloudflare: Cloudflare):
    store = Store()
    with pytest.raises(BadInput, match="403") as told:
        ensure_uploads_key(store, ACCOUNT, TOKEN, {API_TOKEN: "other"}, cloudflare.api)
    assert "Account API Tokens: Edit" in told.value.remedy
    assert store.held == {}


@pytest.mark.parametrize(("status", "body"), [(500, ""), (200, "<html>"), (200, '{"result": null}')])
def test_an_answer_without_a_value_changes_nothing(cloudflare: Cloudflare, status: int, body: str):
    cloudflare.status, cloudflare.body = status, body
    store = Store()
    with pytest.raises(SlipwayError, match="answered"):
        ensure_uploads_key(store, ACCOUNT, TOKEN, ENVIRONMENT, cloudflare.api)
    assert store.held == {}
