"""Floods of one address on the real edge: connections that ask nothing, and requests that never end.

`test_idle_connections…` found, before connections were counted where they are accepted, that silent ones were
not counted: 450 of one address passed a limit of 200.
"""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from hosts import edge
from hosts.haproxy import SPARE_CONNECTIONS
from hosts.plan import FleetPlan
from tests.ports import free_port
from tests.unit.hosts.live import app_on, haproxy, moved

LIMIT = 8
KEY = "SLIPWAY_LOAD_KEY-value-never-to-be-seen"
GET = "GET / HTTP/1.1\r\nHost: localhost\r\n"


@contextmanager
def site(plan: FleetPlan, folder: Path, **changed: str) -> Generator[int]:
    """The edge's port; `changed` are lines of its configuration with other numbers."""
    ports = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
    apps = {f"10.7.0.{last}:8080": free_port() for last in (12, 13)}
    limits = plan.app.limits.model_copy(update={"connections_per_ip": LIMIT})
    app = plan.app.model_copy(update={"limits": limits})
    text = edge.configuration(dataclasses.replace(plan, app=app))
    for old, new in changed.items():
        text = text.replace(f"timeout {old.replace('_', '-')} 15s", f"timeout {old.replace('_', '-')} {new}")
    with ExitStack() as running:
        for port in apps.values():
            running.enter_context(app_on(port))
        running.enter_context(haproxy(folder, moved(text, folder, ports | apps), ports[":443"]))
        yield ports[":443"]


def connect(port: int, source: str = "127.0.0.1") -> ssl.SSLSocket | None:
    """A connection after its TLS handshake; None if the edge closes it before."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        raw = socket.create_connection(("127.0.0.1", port), 30, source_address=(source, 0))
    except ConnectionResetError:
        return None
    try:
        return context.wrap_socket(raw)
    except OSError:
        raw.close()
        return None


def status(connection: ssl.SSLSocket | None, headers: str = "") -> int:
    """Of a request on it; 0 if it was closed."""
    if connection is None:
        return 0
    with suppress(OSError):
        connection.sendall(f"{GET}{headers}\r\n".encode())
        answer = connection.recv(4096)
        return int(answer.split(b" ", 2)[1]) if answer else 0
    return 0


def test_idle_connections_count_against_connections_per_ip(plan: FleetPlan, tmp_path: Path):
    """None of them is idle for too long meanwhile, however slow the machine is."""
    with site(plan, tmp_path, http_request="90s") as port:
        held = [connect(port) for _ in range(LIMIT * 5)]
        let_in = [each for each in held if each is not None]
        assert LIMIT <= len(let_in) <= LIMIT + SPARE_CONNECTIONS
        assert connect(port) is None
        assert status(let_in[-1]) == 429, "one above the limit is told so"
        assert status(connect(port, "127.0.0.9")) == 200, "others are not hindered"
        for each in let_in:
            each.close()
        assert _soon_served(port)


def _soon_served(port: int) -> bool:
    return any(status(connect(port)) == 200 for _ in range(200))


def test_the_load_key_lifts_the_limit_for_its_address(plan: FleetPlan, tmp_path: Path):
    with site(plan, tmp_path, http_request="90s") as port:
        first = connect(port, "127.0.0.7")
        assert status(first, f"X-Slipway-Load: {KEY}\r\n") == 200
        held = [connect(port, "127.0.0.7") for _ in range(LIMIT * 5)]
        assert None not in held
        assert [status(each, f"X-Slipway-Load: {KEY}\r\n") for each in held] == [200] * len(held)


def test_a_request_whose_headers_never_end_is_ended(plan: FleetPlan, tmp_path: Path):
    """One header after the other, each in time: the time-out is for all of them together."""
    with site(plan, tmp_path, http_request="1s") as port:
        connection = connect(port)
        assert connection is not None
        connection.sendall(GET.encode())
        connection.settimeout(0.2)
        for number in range(300):
            with suppress(TimeoutError):
                answer = connection.recv(4096)
                break
            with suppress(OSError):
                connection.sendall(f"X-{number}: a\r\n".encode())
        else:
            pytest.fail("the edge waits for ever")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
