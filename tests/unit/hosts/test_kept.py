"""Kept connections: an app, or a host, may close one just as a request is sent on it, and nothing is lost."""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest

from hosts import edge, web
from hosts.plan import FleetPlan
from tests.ports import free_port
from tests.unit.hosts.live import haproxy, moved

ROUNDS = 20


class Closing(socketserver.ThreadingTCPServer):
    """Says that it keeps each connection, and closes it when the second request on it comes in."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Once)
        self.done = Counter[str]()
        """How often each path was served."""
        self.refused = 0
        """Requests that came on a connection which was being closed."""
        self.said_close = 0


class _Once(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("Closing", self.server)
        path, close = self._read()
        if not path:
            return
        if not path.endswith("/ready"):
            server.done[path] += 1
            server.said_close += close
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if not close and self.connection.recv(1):
            server.refused += 1
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _read(self) -> tuple[str, bool]:
        """The path, and whether this is said to be the connection's last request."""
        first = self.rfile.readline().split()
        headers = dict[bytes, bytes]()
        while line := self.rfile.readline().strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        self.rfile.read(int(headers.get(b"content-length", 0)))
        return (first[1].decode() if first else ""), headers.get(b"connection") == b"close"


@contextmanager
def closing(port: int) -> Generator[Closing]:
    with Closing(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def web_tier(plan: FleetPlan, folder: Path, *naive: str) -> Generator[tuple[httpx.Client, Closing]]:
    """A web host before such an app; lines that hold a pattern of `naive` are left out."""
    ports = {name: free_port() for name in (":8080", "127.0.0.1:8081", "127.0.0.1:8404")}
    slots = {f"127.0.0.1:{port}": free_port() for port in (21001, 22001)}
    assert plan.app.web
    process = plan.app.web.model_copy(update={"instances": 1})
    plan = replace(plan, app=plan.app.model_copy(update={"processes": {"web": process}}))
    text = _without(web.configuration(plan), naive)
    (folder / "slots.map").write_text("active blue\nidle green\nready-blue /ready\nready-green /ready\n")
    with ExitStack() as running:
        app = running.enter_context(closing(slots["127.0.0.1:21001"]))
        running.enter_context(haproxy(folder, moved(text, folder, ports | slots), ports[":8080"]))
        yield running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ports[':8080']}")), app


@contextmanager
def edge_tier(plan: FleetPlan, folder: Path, *naive: str) -> Generator[tuple[httpx.Client, Closing]]:
    """An edge before a web host that closes connections so."""
    ports = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
    hosts = {f"10.7.0.{last}:8080": free_port() for last in (12, 13)}
    text = re.sub(r"^    server web2 .*\n", "", _without(edge.configuration(plan), naive), flags=re.MULTILINE)
    with ExitStack() as running:
        host = running.enter_context(closing(hosts["10.7.0.12:8080"]))
        running.enter_context(haproxy(folder, moved(text, folder, ports | hosts), ports[":443"]))
        url = f"https://localhost:{ports[':443']}"
        yield running.enter_context(httpx.Client(base_url=url, verify=False)), host


Tier = Callable[[FleetPlan, Path], AbstractContextManager[tuple[httpx.Client, Closing]]]
TIERS = pytest.mark.parametrize("tier", [web_tier, edge_tier])


@TIERS
def test_requests_in_turn_on_kept_connections_are_served_and_posts_once(
    tier: Tier, plan: FleetPlan, tmp_path: Path
):
    with tier(plan, tmp_path) as (client, app):
        for number in range(ROUNDS):
            assert client.get(f"/read/{number}").status_code == 200
            assert client.post(f"/write/{number}", content=b"x").status_code == 200
            assert client.delete(f"/remove/{number}").status_code == 200
            assert client.request("GET", f"/search/{number}", content=b"{}").status_code == 200
        kinds = ("read", "write", "remove", "search")
        assert app.done == {f"/{kind}/{number}": 1 for number in range(ROUNDS) for kind in kinds}
        assert app.refused >= ROUNDS / 2, "reads were sent on kept connections"
        assert app.said_close == 3 * ROUNDS


def test_without_names_for_connections_posts_are_lost(plan: FleetPlan, tmp_path: Path):
    with web_tier(plan, tmp_path, "txn.pool") as (client, app), pytest.raises(httpx.RemoteProtocolError):
        for number in range(ROUNDS):
            client.post(f"/write/{number}", content=b"x")
    assert app.refused


def test_a_handshake_that_is_refused_leaves_no_connection_for_posts(plan: FleetPlan, tmp_path: Path):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with web_tier(plan, tmp_path) as (client, app):
        for number in range(ROUNDS):
            assert client.get(f"/ws/{number}", headers=upgrade).status_code == 200
            assert client.post(f"/write/{number}", content=b"x", headers=upgrade).status_code == 200
        assert app.done.total() == 2 * ROUNDS


def test_an_app_that_keeps_no_connections_gets_a_new_one_each_time(plan: FleetPlan, tmp_path: Path):
    assert plan.app.web
    process = plan.app.web.model_copy(update={"keep_alive_seconds": 0})
    app = plan.app.model_copy(update={"processes": {"web": process}})
    with web_tier(replace(plan, app=app), tmp_path) as (client, server):
        for number in range(ROUNDS):
            assert client.get(f"/read/{number}").status_code == 200
        assert server.said_close == ROUNDS
        assert not server.refused


def _without(text: str, naive: tuple[str, ...]) -> str:
    for name in naive:
        text = re.sub(rf"^    http-request .*{name}.*\n| sni var\({name}\)", "", text, flags=re.MULTILINE)
    return text
