"""Behind AWS's load balancer a web host's HAProxy does what elsewhere the edge does, with a real HAProxy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hosts import web
from hosts.agent import haproxy as agent
from hosts.agent.host import Paths
from hosts.agent.state import State
from hosts.plan import FleetPlan, LoadBalancer
from tests.ports import free_port
from tests.unit.hosts.aws import CIDR, on_aws
from tests.unit.hosts.conftest import SECRETS
from tests.unit.hosts.live import app_on, haproxy, moved

SITE = "board.example.com"
Serve = Callable[..., Any]


@pytest.fixture
def serve(plan: FleetPlan, tmp_path: Path) -> Serve:
    """Starts the HAProxy of a web host on AWS; the client speaks as the load balancer does."""

    @contextmanager
    def started(*, cloudflare: bool = False, slots_map: str = "", **limits: int) -> Generator[httpx.Client]:
        aws = on_aws(plan, cloudflare=cloudflare)
        app = plan.app.model_copy(
            update={
                "limits": plan.app.limits.model_copy(update=limits),
                "processes": {"web": plan.app.processes["web"].model_copy(update={"instances": 1})},
            }
        )
        ports = {name: free_port() for name in (":8080", "127.0.0.1:8081", "127.0.0.1:8404")}
        slots = {f"127.0.0.1:{port}": free_port() for port in (21001, 22001)}
        text = moved(web.configuration(replace(aws, app=app)), tmp_path, ports | slots)
        live = web.empty_map(aws).replace("active none", "active blue").replace("idle blue", "idle green")
        (tmp_path / "slots.map").write_text(slots_map or live)
        with (
            app_on(slots["127.0.0.1:21001"]),
            haproxy(tmp_path, text, ports[":8080"]),
            httpx.Client(base_url=f"http://127.0.0.1:{ports[':8080']}", headers={"Host": SITE}) as client,
        ):
            yield client

    return started


def test_a_previews_host_name_leads_to_its_port_and_its_clients_have_the_same_limits(
    plan: FleetPlan, tmp_path: Path
):
    aws = on_aws(plan)
    aws = replace(aws, stack=aws.stack.model_copy(update={"previews": True}))
    ports = {name: free_port() for name in (":8080", "127.0.0.1:8081", "127.0.0.1:8404")}
    of_preview = free_port()
    text = moved(web.configuration(aws), tmp_path, ports)
    (tmp_path / "slots.map").write_text(web.empty_map(aws) + "unreleased yes\n")
    (tmp_path / "previews.map").write_text(f"pr-1.{SITE} {of_preview}\n")
    headers = {"Host": f"pr-1.{SITE}", **via("203.0.113.7")}
    with (
        app_on(of_preview),
        haproxy(tmp_path, text, ports[":8080"]),
        httpx.Client(base_url=f"http://127.0.0.1:{ports[':8080']}") as client,
    ):
        seen = client.get("/", headers=headers).json()["headers"]
        assert (seen["x-forwarded-for"], seen["x-forwarded-host"]) == ("203.0.113.7", f"pr-1.{SITE}")
        assert client.get("/", headers={**headers, "Host": f"pr-2.{SITE}"}).status_code == 421
        ready = client.get("/-/slipway/ready", headers={"Host": "10.20.0.9:8080"})
        assert (ready.status_code, ready.text) == (200, "Ready for the first release.\n")
        answers = [
            client.get("/", headers=headers).status_code
            for _ in range(plan.app.limits.requests_per_minute + 5)
        ]
        assert answers[-1] == 429


def via(*chain: str, **more: str) -> dict[str, str]:
    """Headers as the load balancer sends them on: what the client said, and its own entry last."""
    return {
        "X-Forwarded-For": ", ".join(chain),
        **{name.replace("_", "-"): text for name, text in more.items()},
    }


def test_only_what_the_load_balancer_appended_is_believed_request_by_request(serve: Serve):
    with serve() as client:
        for address in (
            "203.0.113.7",
            "2001:db8::7",
            "198.51.100.1",
        ):  # one kept connection, as it keeps them
            answer = client.get(
                "/", headers=via("6.6.6.6", address, CF_Connecting_IP="7.7.7.7", X_Real_IP="8.8.8.8")
            )
            seen = answer.json()["headers"]
            assert (seen["x-forwarded-for"], seen["x-real-ip"]) == (address, address)
            assert (seen["x-forwarded-proto"], seen["x-forwarded-host"]) == ("https", SITE)
            assert "cf-connecting-ip" not in seen


def test_behind_cloudflare_the_client_is_whom_cloudflare_names(serve: Serve):
    with serve(cloudflare=True) as client:
        seen = client.get(
            "/", headers=via("203.0.113.7", "172.64.0.1", CF_Connecting_IP="203.0.113.7")
        ).json()
        assert seen["headers"]["x-real-ip"] == "203.0.113.7"
        alone = client.get("/", headers=via("9.9.9.9", "172.64.0.1")).json()
        assert alone["headers"]["x-real-ip"] == "172.64.0.1"


def test_the_health_check_is_answered_and_the_public_cannot_ask(serve: Serve):
    with serve() as client:
        checked = client.get("/-/slipway/ready", headers={"Host": "10.20.1.7:8080"})
        assert (checked.status_code, checked.json()["path"]) == (200, "/ready")
        assert checked.json()["headers"]["host"] == SITE
        assert client.get("/-/slipway/ready", headers=via("203.0.113.7")).status_code == 404
        assert client.get("/ready", headers=via("203.0.113.7")).status_code == 404
        assert client.get("/%72eady", headers=via("203.0.113.7")).status_code == 404


READY = "/-/slipway/ready"
NOTHING_LIVE = "active none\nidle blue\nready-blue /ready\nready-green /ready\n"


def test_before_the_first_release_the_health_check_passes_and_nothing_else_does(serve: Serve):
    with serve(slots_map=NOTHING_LIVE + "unreleased yes\n") as client:
        assert client.get(READY).status_code == 200
        assert client.get("/", headers=via("203.0.113.7")).status_code == 503
        assert client.get(READY, headers=via("203.0.113.7")).status_code == 404


@pytest.mark.parametrize("more", ["", "unreleased no\n"])
def test_a_host_that_does_not_know_yet_what_is_released_is_unready(serve: Serve, more: str):
    with serve(slots_map=NOTHING_LIVE + more) as client:
        assert client.get(READY).status_code == 503


def test_a_live_release_alone_says_whether_it_is_ready(serve: Serve):
    live = NOTHING_LIVE.replace("active none", "active blue").replace(
        "ready-blue /ready", "ready-blue /missing"
    )
    with serve(slots_map=live + "unreleased yes\n") as client:
        assert client.get(READY).status_code in (404, 503)


def test_the_agent_opens_and_shuts_it_while_haproxy_runs(serve: Serve, tmp_path: Path):
    paths = Paths(str(tmp_path))
    paths.haproxy, paths.map = str(tmp_path / "admin.sock"), str(tmp_path / "slots.map")
    state, answers = State.load(paths), list[int]()
    with serve(slots_map=NOTHING_LIVE) as client:
        for state.unreleased in (True, False, True):
            agent.apply(paths, state)
            answers.append(client.get(READY).status_code)
    assert answers == [200, 503, 200]


@pytest.mark.parametrize(
    ("load_balancer", "own", "kept"), [(120, 60, 135), (120, 600, 600), (3600, 60, 3615)]
)
def test_it_is_the_load_balancer_that_closes_silent_connections(
    plan: FleetPlan, load_balancer: int, own: int, kept: int
):
    aws = on_aws(plan)
    limits = plan.app.limits.model_copy(update={"idle_seconds": own})
    behind = replace(
        aws,
        load_balancer=LoadBalancer(CIDR, load_balancer),
        app=plan.app.model_copy(update={"limits": limits}),
    )
    assert f"timeout http-keep-alive {kept}s\n" in web.configuration(behind)
    alone = replace(plan, app=plan.app.model_copy(update={"limits": limits}))
    assert f"timeout http-keep-alive {own}s\n" in web.configuration(alone)


def test_a_name_that_is_not_ours_is_refused(serve: Serve):
    with serve() as client:
        assert client.get("/", headers=via("203.0.113.7", Host="evil.example")).status_code == 421


def test_bodies_beyond_the_limit_get_413_with_a_length_and_without(serve: Serve):
    with serve(body_bytes=2048) as client:
        assert client.post("/", content=b"x" * 2048, headers=via("203.0.113.7")).status_code == 200
        assert client.post("/", content=b"x" * 2049, headers=via("203.0.113.7")).status_code == 413
        for method in ("POST", "GET"):
            chunks = (b"x" * 1500 for _ in range(4))
            answer = client.request(method, "/", content=chunks, headers=via("203.0.113.7"))
            assert answer.status_code == 413, method
        few = (b"x" * 500 for _ in range(4))
        assert client.post("/", content=few, headers=via("203.0.113.7")).status_code == 200


def test_a_body_that_comes_whole_with_its_headers_is_measured_too(serve: Serve):
    """It needs no counting as it passes: HAProxy has all of it when it chooses a backend."""
    with serve(body_bytes=2048) as client:
        head = f"POST / HTTP/1.1\r\nHost: {client.headers['host']}\r\nX-Forwarded-For: 203.0.113.7"
        head += "\r\nTransfer-Encoding: chunked"
        for size, status in ((2048, b"200"), (2049, b"413")):
            with socket.create_connection((client.base_url.host, client.base_url.port or 80), 10) as raw:
                raw.sendall(f"{head}\r\n\r\n{size:x}\r\n{'x' * size}\r\n0\r\n\r\n".encode())
                assert raw.recv(100).split()[1] == status, size


def test_limits_count_clients_not_the_load_balancer_and_the_load_test_is_let_past(serve: Serve):
    with serve(requests_per_minute=5) as client:
        rotating = [client.get("/", headers=via(f"6.6.6.{i}", "203.0.113.7")).status_code for i in range(8)]
        assert rotating == [200] * 5 + [429] * 3
        assert client.get("/", headers=via("203.0.113.8")).status_code == 200
        past = client.get("/", headers=via("203.0.113.7", X_Slipway_Load=SECRETS["SLIPWAY_LOAD_KEY"]))
        assert past.status_code == 200
        assert past.json()["headers"]["x-load-test"] == "verified"
        assert "x-slipway-load" not in past.json()["headers"]


def test_an_ipv6_client_is_counted_by_its_64_bit_network(serve: Serve):
    """A client has a whole /64, so an address of its own for each request."""
    with serve(requests_per_minute=10) as client:
        statuses = [
            client.get("/", headers=via(f"2001:db8:0:7::{number:x}")).status_code for number in range(12)
        ]
        assert statuses == [200] * 10 + [429] * 2
        assert client.get("/", headers=via("2001:db8:0:8::1")).status_code == 200
