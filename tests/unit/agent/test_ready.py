"""Why an app is not ready: its answer, where it listens instead, its own last lines without the probes."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hosts.agent import listening, ready, systemd
from hosts.agent.errors import AgentError
from hosts.agent.ready import ask, without_probes
from hosts.agent.state import Slot
from tests.unit.agent.conftest import WEB, World


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b'{"redis": "connection refused",\n "\x1b[31mmore": "' + b"x" * 1000 + b'"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_body_s_first_bytes_are_shown_in_one_line_without_control_characters(port: int):
    status, body, _ = ask(port, "/ready", "app.test")
    assert status == "503"
    assert body.startswith('{"redis": "connection refused", "[31mmore": "xxx')
    assert len(body) <= 300


def test_an_app_on_another_port_is_found_with_what_it_was_given(port: int):
    own = [os.getpid()]
    assert f"127.0.0.1:{port}" in listening.addresses(own)
    hint = listening.hint(own, 1)
    assert f"127.0.0.1:{port}" in hint
    assert "not on $HOST:$PORT, which is 127.0.0.1:1" in hint
    assert listening.hint(own, port) == ""


def test_an_app_on_the_right_port_of_another_address_is_found_too():
    with socket.create_server(("127.0.0.2", 0)) as wrong:
        taken = wrong.getsockname()[1]
        assert f"127.0.0.2:{taken}" in listening.hint([os.getpid()], taken)


def test_ipv6_addresses_are_read_as_they_are_written():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        opened = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with opened:
        assert f"[::1]:{opened.getsockname()[1]}" in listening.addresses([os.getpid()])


def test_a_process_that_has_ended_listens_nowhere():
    assert listening.hint([2**22 + 1], 80) == ""


def test_lines_about_probes_do_not_hide_the_app_s_own():
    lines = [
        "cannot reach redis",
        '127.0.0.1 - "GET /ready HTTP/1.1" 503',
        '{"method":"GET","path":"/ready","status":503}',
        "GET /ready-made 200",
        "ready in 3 s",
    ]
    assert without_probes(lines, "/ready") == [lines[0], lines[3], lines[4]]
    assert without_probes(lines[1:3], "/ready") == lines[1:3]
    assert without_probes(lines, "") == lines


@dataclass
class Started:
    """A real process as systemd shows it, and how often that was asked."""

    process: subprocess.Popen[bytes]
    asked: int = 0

    def show(self, units: list[str]) -> dict[str, systemd.Unit]:
        self.asked += 1
        ended = self.process.poll() is not None
        facts = {
            "ActiveState": "failed" if ended else "active",
            "MainPID": str(0 if ended else self.process.pid),
        }
        return {name: systemd.Unit({"Id": name, **facts}) for name in units}


@pytest.fixture
def started(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """`sleep`, in the place of an app; nobody looks again while it lives."""
    with subprocess.Popen(["sleep", "600"]) as process:
        made = Started(process)
        monkeypatch.setattr(systemd, "show", made.show)
        monkeypatch.setattr(ready, "_LOOK", 1e9)
        yield made
        process.kill()


def web_of(world: World) -> Slot:
    world.put("blue", "staged", 1, web=WEB)
    return world.state.slots["blue"]


def test_systemd_is_not_asked_again_while_the_process_lives(
    world: World, started: Started, monkeypatch: pytest.MonkeyPatch
):
    answers = iter(["Connection refused"] * 20 + ["200"])
    monkeypatch.setattr(ready, "probe", lambda *_: (next(answers), 1.0))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    slot = web_of(world)
    ready.start_ready(world.paths, slot, list(slot.processes.values()))
    assert started.asked == 2, "once it was started, and once it was ready"


def test_a_process_that_dies_is_seen_without_waiting_for_the_next_look(
    world: World, started: Started, monkeypatch: pytest.MonkeyPatch
):
    def probe(*_: object) -> tuple[str, float]:
        started.process.kill()
        return "Connection refused", 1.0

    monkeypatch.setattr(ready, "probe", probe)
    slot = web_of(world)
    with pytest.raises(AgentError, match="ended with"):
        ready.start_ready(world.paths, slot, list(slot.processes.values()))
