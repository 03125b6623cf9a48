import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from hosts.agent import smoke
from hosts.agent.errors import AgentError
from hosts.agent.smoke import capture, fill
from tests.unit.agent.conftest import WEB, World


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    accept = True
    addresses: ClassVar[set[str]] = set()
    limited: ClassVar[list[str]] = []
    """Paths of requests that did not say that the edge vouches for them."""

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and self.headers["X-Load-Test"] != "verified":
            App.limited.append(self.path)
        return parsed

    def setup(self) -> None:
        App.addresses.add(self.client_address[0])
        super().setup()

    def answer(self, status: int, body: object, **headers: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 200 if body["password"] == 'pa"ss-word' else 401
        self.answer(status, {"token": "tok-123456", "you": body}, Set_Cookie="sid=42; HttpOnly; Secure")

    def do_GET(self) -> None:
        if self.path == "/ws" and self.headers["Upgrade"] == "websocket":
            digest = hashlib.sha1(
                f"{self.headers['Sec-WebSocket-Key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
            )
            self.send_response(101 if App.accept else 426)
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest.digest()).decode())
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        good = self.headers["Authorization"] == "Bearer tok-123456" and self.headers["Cookie"] == "sid=42"
        self.answer(200 if good else 401, {"host": self.headers["Host"], "items": [{"id": 7}]})

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(world: World) -> Iterator[World]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.paths.candidate_port = server.server_port
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "booted", 2, web=WEB)
    App.accept = True
    App.addresses.clear()
    App.limited.clear()
    yield world
    server.shutdown()


SIGN_IN = {
    "name": "sign in",
    "request": "POST /session",
    "json": {"password": "${PASSWORD}"},
    "capture": {"token": "token"},
}
READ = {
    "name": "read",
    "request": "GET /items",
    "headers": {"Authorization": "Bearer ${token}"},
    "contains": "app.test",
    "capture": {"first": "items.0.id"},
}


def ask(world: World, *steps: dict[str, Any], **more: object) -> dict[str, Any]:
    values = {"PASSWORD": 'pa"ss-word'}
    given = {"fence": 1, "release": 2, "values": values, "timeout": 2, **more}
    return world.ask(smoke.command, steps=list(steps), **given)


def test_steps_hand_values_on_and_the_handshake_comes_last(host: World):
    done = ask(host, SIGN_IN, READ, websocket={"path": "/ws"})
    assert [(step["name"], step["status"]) for step in done["steps"]] == [
        ("sign in", 200),
        ("read", 200),
        ("websocket", 101),
    ]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([{**SIGN_IN, "status": 201}], "step 'sign in': expected status 201, got 200"),
        (
            [SIGN_IN, {**READ, "contains": "nothing like it"}],
            "step 'read': expected 'nothing like it' in the answer",
        ),
        ([{**SIGN_IN, "capture": {"t": "no.such"}}], "expected no.such in the JSON answer"),
    ],
)
def test_a_failed_step_says_what_it_expected_and_got_and_no_secret(
    host: World, steps: list[dict[str, Any]], says: str
):
    with pytest.raises(AgentError) as failed:
        ask(host, *steps)
    assert failed.value.code == "smoke_failed"
    assert says in failed.value.message
    assert "ss-word" not in failed.value.message


def test_each_release_is_tried_from_an_address_of_its_own_so_that_the_apps_limits_let_it_in(host: World):
    ask(host, SIGN_IN, READ, websocket={"path": "/ws"})
    (first,) = App.addresses
    host.put("green", "booted", 3, web=WEB)
    ask(host, SIGN_IN, READ, release=3)
    (second,) = App.addresses - {first}
    assert first.startswith("127.")
    assert second.startswith("127.")
    assert "127.0.0.1" not in (first, second), "the address of the agent's probes"


def test_hosts_that_are_tried_at_once_as_one_user_are_exempt_from_the_apps_limits(host: World):
    """With 16 web hosts, an app that allows an account ten attempts and 100 requests a minute refused."""
    ask(host, SIGN_IN, READ, websocket={"path": "/ws"})
    assert App.limited == []


def test_a_refused_handshake_fails(host: World):
    App.accept = False
    with pytest.raises(AgentError, match="expected status 101, got 426"):
        ask(host, websocket={"path": "/ws"})


def test_a_release_that_is_not_in_the_idle_slot_is_not_tried(host: World):
    with pytest.raises(AgentError) as refused:
        host.ask(smoke.command, fence=1, release=1, steps=[], values={})
    assert refused.value.code == "not_warm"


def test_a_server_that_is_away_is_a_failed_step(host: World):
    host.paths.candidate_port = 9
    with pytest.raises(AgentError, match=r"step 'sign in': POST /session: .*refused"):
        ask(host, SIGN_IN)


def test_an_unknown_name_is_refused_not_sent():
    with pytest.raises(AgentError, match=r"\$\{NOPE\} is neither"):
        fill("/x/${NOPE}", {})


@pytest.mark.parametrize(
    ("text", "dotted", "value"),
    [
        ('{"a": {"b": [1, {"c": "x"}]}}', "a.b.1.c", "x"),
        ('{"a": 5}', "a", "5"),
        ('{"a": 5}', "a.b", None),
        ("[1]", "1", None),
        ("<html>", "a", None),
    ],
)
def test_captures_walk_dotted_paths(text: str, dotted: str, value: str | None):
    assert capture(text, dotted) == value
