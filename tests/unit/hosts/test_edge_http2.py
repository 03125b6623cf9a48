"""HTTP/2 at the edge, as this machine's HAProxy speaks it: offered from 3.0 on, early answers whole."""

from __future__ import annotations

import dataclasses
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts import edge
from hosts.plan import FleetPlan
from tests.ports import free_port
from tests.unit.hosts.live import app_on, haproxy, haproxy_program, moved

BODY_BYTES = 100_000
SETTINGS, GOAWAY = 4, 7
"""Types of frames (RFC 9113, 6)."""
EXTENDED_CONNECT = 8
"""A setting: WebSockets may come by HTTP/2 (RFC 8441, 3)."""


@dataclasses.dataclass(frozen=True)
class Edge:
    """A running one: where it serves TLS, and its master process."""

    port: int
    master: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def version() -> tuple[int, ...]:
    """HAProxy's."""
    said = subprocess.run([haproxy_program(), "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


@pytest.fixture
def http2(version: tuple[int, ...]) -> None:
    if version < (3, 0):
        pytest.skip("no HTTP/2 before HAProxy 3.0")


@pytest.fixture
def running(plan: FleetPlan, tmp_path: Path) -> Iterator[Edge]:
    ports = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
    apps = {"10.7.0.12:8080": free_port(), "10.7.0.13:8080": free_port()}
    limits = plan.app.limits.model_copy(update={"requests_per_minute": 40, "body_bytes": BODY_BYTES})
    limited = dataclasses.replace(plan, app=plan.app.model_copy(update={"limits": limits}))
    text = moved(edge.configuration(limited), tmp_path, ports | apps)
    with (
        app_on(apps["10.7.0.12:8080"]),
        app_on(apps["10.7.0.13:8080"]),
        haproxy(tmp_path, text, ports[":443"]) as master,
    ):
        yield Edge(ports[":443"], master)


@pytest.fixture
def port(running: Edge) -> int:
    return running.port


def speaks(port: int, offered: list[str]) -> tuple[str | None, ssl.SSLSocket]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(offered)
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
    return connection.selected_alpn_protocol(), connection


def test_http2_is_offered_where_haproxy_ends_early_answers_well(port: int, version: tuple[int, ...]):
    chosen, connection = speaks(port, ["h2", "http/1.1"])
    connection.close()
    assert chosen == ("h2" if version >= (3, 0) else "http/1.1")


def frames(connection: ssl.SSLSocket) -> Iterator[tuple[int, bytes]]:
    """The types and payloads of the frames that come after a client's greeting."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">HBBBL", 0, 0, SETTINGS, 0, 0))
    with connection.makefile("rb") as reader:
        while head := reader.read(9):
            high, low, kind, _, _ = struct.unpack(">BHBBL", head)
            yield kind, reader.read(high << 16 | low)


@pytest.mark.usefixtures("http2")
def test_a_websocket_gets_a_connection_of_its_own(port: int):
    _, connection = speaks(port, ["h2"])
    with connection:
        kind, payload = next(frames(connection))
    assert kind == SETTINGS
    assert EXTENDED_CONNECT not in dict(struct.iter_unpack(">HL", payload))


@pytest.mark.usefixtures("http2")
def test_a_reload_asks_clients_of_http2_to_connect_again(running: Edge):
    """Else they would stay with the old process, which knows nothing of switches, for up to a day."""
    _, connection = speaks(running.port, ["h2"])
    with connection:
        connection.settimeout(30)
        seen = frames(connection)
        next(seen)
        running.master.send_signal(signal.SIGUSR2)
        assert GOAWAY in (kind for kind, _ in seen)


def test_a_reload_leaves_a_kept_connection_to_the_request_that_is_on_its_way(running: Edge):
    """HTTP/1.1 has no GOAWAY: a client that sends as the connection closes cannot know what became of it."""
    _, connection = speaks(running.port, ["http/1.1"])
    with connection:
        client = http.client.HTTPConnection("localhost")
        client.sock = connection
        client.request("POST", "/", b"before")
        assert client.getresponse().read()
        running.master.send_signal(signal.SIGUSR2)
        ends, closes = time.monotonic() + 60, ""
        while closes != "close":
            assert time.monotonic() < ends, "the old process does not stop"
            time.sleep(2)  # 40 requests a minute are allowed
            client.request("POST", "/", b"after")
            answer = client.getresponse()
            assert answer.status == 200
            assert answer.read()
            closes = answer.getheader("connection", "")


@dataclasses.dataclass(frozen=True)
class Answer:
    http: str
    status: int
    text: str


def curl(port: int, body: Path, *options: str) -> Answer:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(
        [program, "--silent", "--show-error", "--insecure", "--http2", "--max-time", "20", *options,
         "--write-out", "\n%{json}", f"https://localhost:{port}/"],
        stdin=body.open("rb"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    text, _, facts = done.stdout.rpartition("\n")
    assert done.returncode == 0, done.stderr
    told = json.loads(facts)
    return Answer(told["http_version"], told["http_code"], text)


@pytest.mark.usefixtures("http2")
@pytest.mark.parametrize(
    "options",
    [("--upload-file", "BODY"), ("--upload-file", "-"), ("--request", "GET", "--upload-file", "-")],
    ids=["with-a-length", "without-a-length", "of-a-get"],
)
def test_an_upload_over_the_limit_is_answered_whole(port: int, tmp_path: Path, options: tuple[str, ...]):
    body = tmp_path / "body"
    body.write_bytes(bytes(50 * BODY_BYTES))
    given = [str(body) if option == "BODY" else option for option in options]
    for _ in range(5):
        answer = curl(port, body, *given)
        assert (answer.http, answer.status) == ("2", 413)
        assert "</html>" in answer.text


@pytest.mark.usefixtures("http2")
def test_an_upload_from_an_address_with_too_many_requests_is_answered_whole(port: int, tmp_path: Path):
    body = tmp_path / "body"
    body.write_bytes(bytes(BODY_BYTES))
    answers = [curl(port, body, "--upload-file", str(body)) for _ in range(45)]
    assert {answer.http for answer in answers} == {"2"}
    assert [answer.status for answer in answers] == [200] * 40 + [429] * 5
    assert json.loads(answers[0].text)["received"] == BODY_BYTES
    assert json.loads(answers[-1].text)["retryAfterMs"] == 10_000
