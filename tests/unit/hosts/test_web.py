"""A web host's HAProxy: the map decides, per request, without a reload."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from hosts import web
from hosts.agent.observe import waits
from hosts.plan import FleetPlan
from tests.ports import free_port
from tests.unit.hosts.live import (
    HANG_SECONDS,
    HANGS,
    MISSING,
    SLOW_CHECK,
    SLOW_SECONDS,
    app_on,
    haproxy,
    moved,
)
from tests.waiting import until


@dataclass
class WebHost:
    live: httpx.Client
    candidate: httpx.Client
    folder: Path
    blue: int
    green: int

    def runtime(self, commands: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.folder / "admin.sock"))
            admin.sendall(commands.encode() + b"\n")
            return admin.recv(65_536).decode()

    def set_map(self, **entries: str) -> str:
        path = self.folder / "slots.map"
        return self.runtime("; ".join(f"set map {path} {key} {value}" for key, value in entries.items()))


@pytest.fixture
def host(plan: FleetPlan, tmp_path: Path) -> Iterator[WebHost]:
    yield from web_host(plan, tmp_path)


def web_host(plan: FleetPlan, tmp_path: Path, *, apps: bool = True) -> Iterator[WebHost]:
    ports = {name: free_port() for name in (":8080", "127.0.0.1:8081", "127.0.0.1:8404")}
    slots = {f"127.0.0.1:{port}": free_port() for port in (21001, 21002, 22001, 22002)}
    blue, green = slots["127.0.0.1:21001"], slots["127.0.0.1:22001"]
    text = moved(web.configuration(plan), tmp_path, ports | slots)
    (tmp_path / "slots.map").write_text(web.empty_map(plan))
    with ExitStack() as running:
        for port in (blue, green) if apps else ():
            running.enter_context(app_on(port))
        running.enter_context(haproxy(tmp_path, text, ports[":8080"]))
        found = WebHost(
            httpx.Client(base_url=f"http://127.0.0.1:{ports[':8080']}"),
            httpx.Client(base_url=f"http://127.0.0.1:{ports['127.0.0.1:8081']}"),
            tmp_path,
            blue,
            green,
        )
        deadline = time.monotonic() + 60
        while _state(found, "blue-2") != "DOWN" and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        yield found


def test_both_slots_have_a_port_for_every_instance(plan: FleetPlan):
    assert {slot.name: slot.ports for slot in web.slots(plan)} == {
        "blue": (21001, 21002),
        "green": (22001, 22002),
    }


def test_before_the_first_release_the_answer_is_503_and_says_why(host: WebHost):
    answer = host.live.get("/")
    assert (answer.status_code, answer.text) == (503, "No release is live here yet.\n")
    assert host.live.get("/-/slipway/ready").status_code == 503


def test_a_switch_is_one_line_to_the_runtime_api(host: WebHost):
    host.set_map(active="blue", idle="green")
    assert host.live.get("/").json()["server"] == host.blue
    assert host.candidate.get("/").json()["server"] == host.green
    host.set_map(active="green", idle="blue")
    assert host.live.get("/").json()["server"] == host.green
    assert host.candidate.get("/").json()["server"] == host.blue


def test_the_edges_check_asks_the_live_slot_for_its_own_ready_path(host: WebHost):
    host.set_map(active="blue", idle="green")
    host.set_map(**{"ready-blue": "/api/ready"})
    assert host.live.get("/-/slipway/ready").json()["path"] == "/api/ready"
    assert host.live.get("/ready").status_code == 404


def test_the_candidate_looks_to_the_app_as_if_it_came_through_the_edge(host: WebHost):
    host.set_map(active="blue", idle="green")
    seen = host.candidate.get("/ready", headers={"Host": "site.example"}).json()["headers"]
    assert (seen["host"], seen["x-forwarded-host"], seen["x-forwarded-proto"]) == (
        "site.example",
        "site.example",
        "https",
    )


def test_health_checks_of_instances_use_the_path_in_the_map(host: WebHost):
    host.set_map(**{"ready-blue": MISSING})
    deadline = time.monotonic() + 60
    while _state(host, "blue-1") != "DOWN" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (_state(host, "blue-1"), _state(host, "green-1")) == ("DOWN", "UP")


def test_a_slot_that_is_slow_to_answer_its_check_stays_up(host: WebHost):
    host.set_map(active="blue", idle="green", **{"ready-blue": SLOW_CHECK})
    ends = time.monotonic() + 4 * SLOW_SECONDS
    while time.monotonic() < ends:
        assert host.live.get("/").status_code == 200
        assert _state(host, "blue-1") == "UP"
        time.sleep(0.2)


def test_a_slot_whose_checks_all_fail_is_still_asked_since_no_other_is_live(host: WebHost):
    host.set_map(active="blue", idle="green", **{"ready-blue": MISSING})
    deadline = time.monotonic() + 10
    while _state(host, "blue-1") != "DOWN" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _state(host, "blue-1") == "DOWN"
    for _ in range(4):  # of the slot's two ports one has an app
        assert host.live.get("/").json()["server"] == host.blue
    assert host.live.get("/-/slipway/ready").status_code == 404, "the edge's check sees what the app says"


def test_a_slot_whose_app_is_gone_is_503_at_once(plan: FleetPlan, tmp_path: Path):
    """The edge then tries another host."""
    hosts = web_host(plan, tmp_path, apps=False)
    host = next(hosts)
    host.set_map(active="blue", idle="green")
    assert min(seconds_of_503(host) for _ in range(3)) < 1
    next(hosts, None)


def seconds_of_503(host: WebHost) -> float:
    began = time.monotonic()
    assert host.live.get("/").status_code == 503
    return time.monotonic() - began


def hang(host: WebHost, **headers: str) -> Future[httpx.Response]:
    """A request on a kept connection whose answer the app does not give for a while."""
    client = httpx.Client(base_url=host.live.base_url, timeout=30)
    assert client.get("/", headers=headers).status_code == 200
    pool = ThreadPoolExecutor(1)
    return pool.submit(client.get, HANGS, headers=headers)


def waited(host: WebHost, seconds: float) -> list[float]:
    """What the agent reads of the requests that wait in slot blue."""
    return waits(host.runtime("show sess").splitlines(), seconds)["blue"]


def test_the_agent_sees_how_long_requests_wait_for_their_answer(host: WebHost, plan: FleetPlan):
    host.set_map(active="blue", idle="green")
    limit = plan.app.limits.response_seconds
    time.sleep(1)
    answers = [hang(host), hang(host, accept="text/event-stream")]
    until(lambda: [2 <= each <= HANG_SECONDS for each in waited(host, limit)] == [True, True], HANG_SECONDS)
    assert all(answer.result().status_code == 200 for answer in answers)
    assert waited(host, limit) == []


def test_an_answer_that_does_not_begin_in_time_is_504_but_a_stream_may_be_silent(
    plan: FleetPlan, tmp_path: Path
):
    limits = plan.app.limits.model_copy(update={"response_seconds": 1})
    app = plan.app.model_copy(update={"limits": limits})
    hosts = web_host(replace(plan, app=app), tmp_path)
    host = next(hosts)
    host.set_map(active="blue", idle="green")
    plain, stream = hang(host), hang(host, accept="text/event-stream")
    assert plain.result().status_code == 504
    assert stream.result().status_code == 200
    next(hosts, None)


def _state(host: WebHost, server: str) -> str:
    rows = [line.split(",") for line in host.runtime("show stat -1 4 -1").splitlines()]
    return next(row[17].split()[0] for row in rows if len(row) > 17 and row[1] == server)
