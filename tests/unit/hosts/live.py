"""A real HAProxy with a rendered configuration, on ports of its own, in front of real small servers."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hosts.render import TEMPLATES

MISSING = "/missing"
HANGS = "/hangs"
HANG_SECONDS = 6
SLOW_CHECK = "/slow-ready"
SLOW_SECONDS = 2.5
"""Longer than HAProxy's checks may take by themselves, which is their interval."""


class Server(ThreadingHTTPServer):
    """Takes many connections at once, and does not report clients that hang up."""

    daemon_threads = True
    request_queue_size = 1024
    """The default of 5 overflows on a busy machine; the edge then answers 502."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Echo(BaseHTTPRequestHandler):
    """Answers every request with what it got."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.path == HANGS:
            time.sleep(HANG_SECONDS)
        if self.path == SLOW_CHECK:
            time.sleep(SLOW_SECONDS)
        length = int(self.headers.get("Content-Length") or 0)
        received = len(self.rfile.read(length)) if length else self._chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        received_by_app: dict[str, Any] = {"path": self.path, "headers": headers, "received": received}
        body = json.dumps(received_by_app | {"server": self.connection.getsockname()[1]}).encode()
        self.send_response(404 if self.path == MISSING else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Powered-By", "vanity")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def _chunks(self) -> int:
        received = 0
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            received += len(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                break
        return received

    def log_message(self, format: str, *args: object) -> None:
        pass


class Unready(Echo):
    """Answers requests, and says to its health check that it is not ready."""

    def do_GET(self) -> None:
        if self.path.endswith("/ready"):
            self.send_error(503)
        else:
            self._answer()


@contextmanager
def app_on(port: int, kind: type[Echo] = Echo) -> Generator[None]:
    server = Server(("127.0.0.1", port), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def moved(text: str, folder: Path, ports: dict[str, int]) -> str:
    """The configuration with its files in `folder` and its `bind`s and servers on `ports`."""
    (folder / "body_limit.lua").write_text((TEMPLATES / "haproxy/body_limit.lua").read_text())
    (folder / "503.http").write_text((TEMPLATES / "haproxy/503.http").read_text())
    text = text.replace("/etc/haproxy/errors/", f"{folder}/").replace("/etc/haproxy/", f"{folder}/")
    text = text.replace("/etc/slipway/", f"{folder}/")
    text = text.replace("/run/haproxy/", f"{folder}/").replace("log /dev/log", "log 127.0.0.1:9")
    text = re.sub(r"^    (chroot|user|group) .*\n", "", text, flags=re.MULTILINE)
    for old, port in ports.items():
        text = re.sub(rf"(?<![\d:]){re.escape(old)}(?!\d)", f"127.0.0.1:{port}", text)
    return text


def haproxy_program() -> str:
    """The one that SLIPWAY_TEST_HAPROXY names, or this machine's; skips the test if there is none."""
    places = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
    program = os.environ.get("SLIPWAY_TEST_HAPROXY") or shutil.which("haproxy", path=places)
    if program is None:
        pytest.skip("haproxy is not installed")
    return program


@contextmanager
def haproxy(folder: Path, text: str, wait_for: int) -> Generator[subprocess.Popen[bytes]]:
    """Its master; SIGUSR2 makes it read its configuration again."""
    program = haproxy_program()
    (folder / "haproxy.cfg").write_text(text)
    process = subprocess.Popen(
        [program, "-W", "-f", str(folder / "haproxy.cfg")],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "said").open("w"),
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, (folder / "said").read_text()
            try:
                socket.create_connection(("127.0.0.1", wait_for), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "said").read_text()
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(60)
