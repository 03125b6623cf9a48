"""Checks from outside on an app that declares nothing, behind the edge as it is configured for it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hosts import edge
from hosts.plan import FleetPlan
from slipway.reports import Reports
from slipway.settings import load_app
from tests.fleet.checks.harness import CHECKS, Found
from tests.forked import forked_pytest
from tests.ports import free_port
from tests.unit.checks.standin import PLACE
from tests.unit.hosts.conftest import SECRETS, plan
from tests.unit.hosts.live import haproxy, moved

__all__ = ["plan"]

STANDINS = Path(__file__).parents[2] / "fleet" / "standins"
PORTS = (":80", ":443", ":8444", "127.0.0.1:8404")


@contextmanager
def behind_an_edge(plan: FleetPlan, folder: Path, app: Path) -> Generator[Path]:
    """The stand-in in `app`, served by its own command behind a real edge; the file that says where."""
    ports = {name: free_port() for name in PORTS}
    port = free_port()
    apps = {"10.7.0.12:8080": port, "10.7.0.13:8080": port}
    settings = load_app(app)
    outputs = plan.outputs.model_copy(
        update={
            "url": f"https://localhost:{ports[':443']}", "ca_file": str(plan.ca_file),
            "uploads": None, "database": None, "redis": None,
        }
    )  # fmt: skip
    mine = dataclasses.replace(plan, app=settings, outputs=outputs)
    assert settings.web is not None
    assert settings.web.command is not None
    command = settings.web.command.replace("python3", sys.executable)
    place = {
        "folder": str(app), "outputs": outputs.model_dump(mode="json"), "plain_port": ports[":80"],
        "load_key": SECRETS["SLIPWAY_LOAD_KEY"],
    }  # fmt: skip
    (folder / "place.json").write_text(json.dumps(place))
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"], cwd=app, env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            with haproxy(folder, moved(edge.configuration(mine), folder, ports | apps), ports[":443"]):
                yield folder / "place.json"
        finally:
            process.terminate()


def checks_from_outside(place: Path, *options: str) -> Found:
    """What `pytest checks/exposed checks/project/test_roots.py` finds there."""
    folder = place.parent / "reports"
    folder.mkdir(exist_ok=True)
    Reports(folder).forget()
    argv = [
        str(CHECKS / "exposed"),
        str(CHECKS / "project" / "test_roots.py"),
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    argv += ["-p", "tests.unit.checks.standin", "--report-dir", str(folder), *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(place))
        code = forked_pytest(argv, CHECKS.parent, folder / "said", 300)
    return Found(code, tuple(Reports(folder).document.get("results", [])), (folder / "said").read_text())


def test_nothing_is_red_for_no_fault_of_the_app(plan: FleetPlan, tmp_path: Path) -> None:
    with behind_an_edge(plan, tmp_path, STANDINS / "plain") as place:
        found = checks_from_outside(place)
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    # No host of this stack can be reached by ssh; and how quick a busy machine answers says nothing.
    assert set(wrong) - {"X11/health-is-cheap"} == {"I3/every-host-can-be-reached"}, found.said
    assert len(found.ids("pass")) >= 20, found.said
    unsaid = {each["id"] for each in found.results if each["verdict"] != "pass" and not each["reason"]}
    assert unsaid == set()


MEMBERS = """
import http.server, json, os

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        by_header = self.headers.get("Authorization") == "Bearer t0ken"
        known = by_header or "session=t0ken" in self.headers.get("Cookie", "")
        if self.path == "/me":
            stored = {"Cache-Control": KEPT} if KEPT else {}
            return self.answer(200 if known else 401, {"name": "smoke"}, stored if known else {})
        # Its router runs in the browser: every path that it does not know is its page.
        self.answer(200, {"page": "here"})

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        right = isinstance(sent, dict) and sent.get("password") == os.environ["PASSWORD"]
        cookie = {"Set-Cookie": "session=t0ken; HttpOnly; Secure; SameSite=Lax; Path=/"} if right else {}
        self.answer(200 if right else 401, {"token": "t0ken"} if right else {}, cookie)

    def answer(self, status, document, headers={}):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()
"""
"""A sign-in that answers with a token and sets a cookie; either will do. No sockets."""
BY_COOKIE = """
name = "members"
runtime = { name = "none" }
[processes.web]
command = "env PASSWORD=correct-horse-battery python3 web.py"
health = "/up"
ready = "/up"
[env.SMOKE_PASSWORD]
value = "correct-horse-battery"
scope = ["smoke"]
[checks]
signed_in = "GET /me"
[[smoke.steps]]
name = "sign in"
request = "POST /sign-in"
json = { password = "${SMOKE_PASSWORD}" }
"""
BY_HEADER = (
    BY_COOKIE
    + """
capture = { token = "token" }
[[smoke.steps]]
name = "who am I"
request = "GET /me"
headers = { Authorization = "Bearer ${token}" }
"""
)


def members(folder: Path, settings: str, kept: str = "no-store") -> Path:
    """The app MEMBERS with `settings`, whose answers to a signed-in user have `kept` as Cache-Control."""
    folder.mkdir()
    (folder / "web.py").write_text(f"KEPT = {kept!r}\n{MEMBERS}")
    (folder / "slipway.toml").write_text(settings)
    return folder


@pytest.mark.parametrize("settings", [BY_HEADER, BY_COOKIE], ids=["by header", "by cookie"])
def test_an_app_without_sockets_signs_its_user_in(plan: FleetPlan, tmp_path: Path, settings: str) -> None:
    with behind_an_edge(plan, tmp_path, members(tmp_path / "app", settings)) as place:
        found = checks_from_outside(place, "--only", "X2/answers,X4/session,X6,P10/errors")
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    assert wrong == {}, found.said
    assert {
        "P10/errors-for-unknown-pages-expose-no-internals", "X2/answers-of-the-api-are-not-cached",
        "X4/session-cookies-are-hidden-from-scripts", "X6/signed-in-users-are-accepted",
        "X6/the-smoke-user-signs-in",
    } <= found.ids("pass"), found.said  # fmt: skip


def test_what_a_user_is_answered_is_what_may_not_be_cached(plan: FleetPlan, tmp_path: Path) -> None:
    with behind_an_edge(plan, tmp_path, members(tmp_path / "app", BY_HEADER, "max-age=600")) as place:
        found = checks_from_outside(place, "--only", "X2/answers")
    assert "max-age=600" in found.reason("X2/answers-of-the-api-are-not-cached"), found.said


def test_steps_that_sign_no_one_in_are_no_sign_in(plan: FleetPlan, tmp_path: Path) -> None:
    steps = '[[smoke.steps]]\nname = "is up"\nrequest = "GET /up"\n'
    settings = BY_COOKIE[: BY_COOKIE.index("[[smoke.steps]]")] + steps
    with behind_an_edge(plan, tmp_path, members(tmp_path / "app", settings)) as place:
        found = checks_from_outside(place, "--only", "X6,X7/known,P10/no-declared")
    assert found.ids("fail") == set(), found.said
    unjudged = {"X6/the-smoke-user-signs-in", "X6/signed-in-users-are-accepted"}
    assert unjudged <= found.ids("not evaluated"), found.said
    assert "P10/no-declared-route-breaks" in found.ids("pass"), found.said


def test_a_site_that_is_down_is_one_failure(plan: FleetPlan, tmp_path: Path) -> None:
    with behind_an_edge(plan, tmp_path, STANDINS / "plain") as place:
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(json.loads(place.read_text())["outputs"]["url"])
    found = checks_from_outside(place, "--patience", "1", "--only", "S2,X1,X2,X5,X8,X13")
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    assert "S2/the-site-answers" in wrong, found.said
    assert "it accepts no connection" in wrong["S2/the-site-answers"]
    others = found.ids("could not be tried")
    assert {"X2/types-are-not-guessed", "X5/docs-and-debugging-are-not-there"} <= others, found.said
    assert set(wrong) == {"S2/the-site-answers"}, found.said
    assert found.code == 1


def test_the_seed_that_a_failure_names_sends_the_same_requests_again(plan: FleetPlan, tmp_path: Path) -> None:
    app, log = tmp_path / "app", tmp_path / "asked"
    shutil.copytree(STANDINS / "plain", app)
    source = (app / "web.py").read_text()
    head = "    def do_GET(self) -> None:\n"
    asks = f"        open({str(log)!r}, 'a').write(self.path + chr(10))\n"
    breaks = "        return self.answer(500 if ';' in self.path else 200, '')\n"
    assert head in source
    (app / "web.py").write_text(source.replace(head, head + asks + breaks, 1))

    def asked(place: Path, *options: str) -> tuple[str, set[str]]:
        log.write_text("")
        found = checks_from_outside(place, "--deep", "--only", "P10/random", *options)
        reason = found.reason("P10/random-requests-break-nothing")
        assert reason.startswith("seed "), found.said
        return reason.split()[1].rstrip(":"), set(log.read_text().splitlines()) - {"/up"}

    with behind_an_edge(plan, tmp_path, app) as place:
        seed, first = asked(place)
        named, again = asked(place, "--seed", seed)
        _, others = asked(place, "--seed", str(int(seed) + 1))
    assert named == seed
    # How many are under way when the first one breaks the app depends on the machine.
    assert first <= again or again <= first
    assert not (others <= first or first <= others)
