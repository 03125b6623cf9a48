"""Private paths through the real edge and web host, to apps that read paths as URL parsers do.

`test_no_spelling…` found, before the proxies refused them: `/.\\metrics`, `/x\\..\\metrics` and their encoded
forms, which URL parsers resolve, and `/metrics/%zz`, which HAProxy cannot decode and so compared as an empty
path.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hosts import edge, web
from hosts.plan import FleetPlan
from slipway.build.runtime import install
from slipway.settings import BadInput, Runtime, SlipwayError
from tests.ports import free_port
from tests.unit.hosts.aws import on_aws
from tests.unit.hosts.live import haproxy, moved

PRIVATE = ["/ready", "/metrics"]
BUN = """
const isPrivate = (path) => /^\\/(ready|metrics)([\\/;]|$)/i.test(path);
const decoded = (path) => { try { return decodeURIComponent(path); } catch { return path; } };
const resolved = (path) => new URL(decoded(path).replace(/^\\/+/, "/"), "http://x").pathname;
Bun.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), fetch(request) {
  const path = new URL(request.url).pathname;
  const reached = [path, path.replace(/\\/+/g, "/"), decoded(path), resolved(path)].some(isPrivate);
  return new Response(reached ? "PRIVATE" : "public");
} });
"""
"""How strict and lenient routers read a path: as it is, without empty parts, decoded, resolved."""
PYTHON = """
import re, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from posixpath import normpath
from urllib.parse import unquote
class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = re.sub(r"[?#].*", "", self.path).replace("\\\\", "/")
        readings = [path, normpath(path), unquote(path), normpath(unquote(path).replace("\\\\", "/"))]
        readings = [re.sub("/+", "/", reading) for reading in readings]
        reached = any(re.match(r"/(ready|metrics)([/;]|$)", reading, re.I) for reading in readings)
        body = b"PRIVATE" if reached else b"public"
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


@pytest.fixture(params=["bun", "python"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The port of an app; its runtime is Bun, which resolves paths as browsers do, or Python."""
    port = free_port()
    if request.param == "bun":
        argv = [_bun(), str(tmp_path / "app.js"), str(port)]
        (tmp_path / "app.js").write_text(BUN)
    else:
        argv = [sys.executable, "-c", PYTHON, str(port)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _bun() -> str:
    try:
        found = install(Runtime(name="bun", version="1.4.5"))
    except (BadInput, SlipwayError, OSError) as error:
        pytest.skip(f"no Bun: {error}")
    return str(found.bin / "bun") if found else shutil.which("bun") or pytest.skip("no Bun")


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@dataclasses.dataclass
class Front:
    """What a client reaches; behind the load balancer of AWS it is a web host itself."""

    port: int
    tls: bool

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; by hand, because clients tidy a path up before they send it."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as raw, ExitStack() as opened:
            connection = raw
            if self.tls:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = opened.enter_context(context.wrap_socket(raw))
            host = "localhost" if self.tls else "board.example.com"
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 203.0.113.9\r\n"
            connection.sendall(f"{head}X-Slipway-Load: {KEY}\r\nConnection: close\r\n\r\n".encode("latin-1"))
            answer = b""
            while part := connection.recv(65_536):
                answer += part
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2].decode()


KEY = "SLIPWAY_LOAD_KEY-value-never-to-be-seen"


@contextmanager
def fleet(plan: FleetPlan, folder: Path, app: int, *, aws: bool) -> Generator[Front]:
    """An edge before a web host, or a web host that is the edge; the app in its slot blue."""
    given = plan.app.model_copy(update={"private_paths": PRIVATE})
    plan = dataclasses.replace(on_aws(plan) if aws else plan, app=given)
    ports = {name: free_port() for name in (":8080", "127.0.0.1:8081", "127.0.0.1:8404")}
    (folder / "web").mkdir()
    slots = {f"127.0.0.1:{port}": app for port in (21001, 21002, 22001, 22002)}
    with ExitStack() as running:
        (folder / "web/slots.map").write_text(
            web.empty_map(plan).replace("active none", "active blue").replace("idle blue", "idle green")
        )
        text = moved(web.configuration(plan), folder / "web", ports | slots)
        running.enter_context(haproxy(folder / "web", text, ports[":8080"]))
        if aws:
            yield Front(ports[":8080"], tls=False)
            return
        own = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
        web_hosts = {f"10.7.0.{last}:8080": ports[":8080"] for last in (12, 13)}
        text = moved(edge.configuration(plan), folder, own | web_hosts)
        running.enter_context(haproxy(folder, text, own[":443"]))
        yield Front(own[":443"], tls=True)


def spellings(name: str) -> list[str]:
    """Ways to write a private path that some reader takes for it."""
    slashes = [
        "/",
        "\\",
        "//",
        "/\\",
        "%2f",
        "%2F",
        "%5c",
        "/./",
        "/.\\",
        "\\.\\",
        "/%2e/",
        "/x/../",
        "/x\\..\\",
    ]
    slashes += [
        "/x/%2e%2e/",
        "/x/..%2f",
        "/x/..%5c",
        "/x%5c..%5c",
        "/;/",
        "/x/..;/",
        "/.;/",
        "/%c0%af",
        "/%2e%5c",
    ]
    names = [name, name.upper(), f"%{ord(name[0]):02x}{name[1:]}", "".join(f"%{ord(c):02X}" for c in name)]
    ends = [
        "",
        "/",
        "\\",
        "/x",
        "/%zz",
        "/%",
        "%2f",
        "%5c",
        ";x=1",
        "?a",
        "/.",
        "/..%2fready",
        "%00",
        "%0a",
        "%20",
    ]
    front = [f"/{start.lstrip('/')}{name}" for start in slashes]
    made = [
        *front,
        *(start + each for start, each in itertools.product(["/", "/.\\", "//"], names)),
        *("/" + each + end for each, end in itertools.product(names[:3], ends)),
        *(f"{start}{name}{end}" for start, end in itertools.product(slashes[:12], ["/%zz", ";x", "\\"])),
        f"http://localhost/{name}", f"http://localhost/.\\{name}", f"http://localhost//{name}",
    ]  # fmt: skip
    return sorted({each for each in made if each.startswith(("/", "http"))})


@pytest.mark.parametrize("aws", [False, True], ids=["edge", "aws"])
def test_no_spelling_of_a_private_path_reaches_the_app(plan: FleetPlan, tmp_path: Path, app: int, aws: bool):
    with fleet(plan, tmp_path, app, aws=aws) as front:
        for public in ("/", "/readyness", "/a.b/c%20d?x=%5c..//", "/metrics-of-the-day", "/.well-known/x"):
            assert front.get(public) == (200, "public"), public
        reached = [path for name in ("ready", "metrics") for path in spellings(name)
                   if front.get(path)[1] == "PRIVATE"]  # fmt: skip
        assert reached == []


def test_exploit_a_backslash_walks_around_private_paths(plan: FleetPlan, tmp_path: Path, app: int):
    with fleet(plan, tmp_path, app, aws=False) as front:
        for path in ("/.\\metrics", "/x\\..\\metrics", "/.\\ready"):
            assert front.get(path)[0] == 400, path


def test_exploit_a_path_that_cannot_be_decoded_passes_the_rules(plan: FleetPlan, tmp_path: Path, app: int):
    with fleet(plan, tmp_path, app, aws=False) as front:
        for path in ("/metrics/%zz", "/ready/%", "/metrics/%2"):
            assert front.get(path)[0] == 400, path
