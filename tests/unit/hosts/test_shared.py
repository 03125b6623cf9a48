"""Roles that share a host: all that each one needs is there, once, and nothing clashes."""

from __future__ import annotations

import dataclasses
import re
import shutil
import ssl
from collections import Counter
from pathlib import Path

import httpx
import pytest
from pyinfra.api.command import FileUploadCommand

from hosts import serving, web
from hosts.base import host_json
from hosts.firewall import rules
from hosts.haproxy import MAX_CONNECTIONS
from hosts.inventory.expected import set_ups
from hosts.plan import FleetPlan
from hosts.run import dry_run
from tests.ports import free_port
from tests.unit.hosts.conftest import haproxy_refuses, split
from tests.unit.hosts.dry import operations, placed
from tests.unit.hosts.live import Echo, app_on, haproxy, moved

SPLITS = {
    "one": {"one": "edge+web+worker+data"},
    "data apart": {"a": "edge+web+worker", "b": "data"},
    "edge apart": {"a": "edge", "b": "web+worker+data"},
    "two that serve": {"a": "edge+web", "b": "web+worker", "c": "data"},
    "edge with data": {"a": "edge+data", "b": "web", "c": "worker"},
}


@pytest.fixture(params=SPLITS)
def fleet(plan: FleetPlan, request: pytest.FixtureRequest) -> FleetPlan:
    return split(plan, **SPLITS[request.param])


@pytest.fixture
def one(plan: FleetPlan) -> FleetPlan:
    return split(plan, **SPLITS["one"])


@pytest.mark.parametrize("tls", [False, True])
def test_haproxy_takes_the_configuration_of_every_host_that_serves(
    fleet: FleetPlan, tmp_path: Path, tls: bool
):
    fleet = dataclasses.replace(fleet, tls_to_web=tls)
    shutil.copy(tmp_path / "data1.pem", tmp_path / "web.pem")
    for host in fleet.outputs.hosts:
        if not host.is_any("edge", "web"):
            continue
        (tmp_path / "slots.map").write_text(web.empty_map(fleet))
        text = moved(serving.configuration(fleet, host), tmp_path, {})
        assert haproxy_refuses(tmp_path, text) == ""
        names = Counter(re.findall(r"^((?:frontend|backend) \S+)$", text, re.MULTILINE))
        assert names.most_common(1)[0][1] == 1
        binds = Counter(re.findall(r"^    bind (?:\S*:)(\d+)", text, re.MULTILINE))
        assert binds.most_common(1)[0][1] == 1


def test_every_host_gets_what_its_roles_get_apart_and_each_thing_once(fleet: FleetPlan):
    for host in fleet.outputs.hosts:
        paths = placed(fleet, host)
        wanted = {
            "/etc/haproxy/site.pem": host.is_any("edge"),
            "/etc/haproxy/slots.map": host.is_any("web"),
            "/etc/haproxy/haproxy.cfg": host.is_any("edge", "web"),
            "/etc/redis/redis.conf": host.is_any("data"),
            "/etc/slipway/s3/root.env": host.is_any("data"),
        }
        assert {path: path in paths for path in wanted} == wanted
        commands = list(dry_run(fleet, host))
        writes = [
            1 for _, each in commands if isinstance(each, FileUploadCommand) or ".slipway-new" in str(each)
        ]
        assert len(writes) == len(paths)
        handlers = Counter(name for name, each in commands if "/applied/" in str(each))
        assert handlers.most_common(1)[0][1] == 1


def test_data_is_there_before_requests_are_and_the_app_comes_last(one: FleetPlan):
    order = operations(one, one.outputs.host("one"))
    assert order.index("s3 buckets") < order.index("haproxy reload") < order.index("live release")


def test_the_firewall_opens_what_the_roles_need_to_those_who_are_elsewhere(plan: FleetPlan):
    alone = split(plan, one="edge+web+worker+data")
    assert [line.split(" accept")[0] for line in rules(alone, alone.outputs.host("one"))] == [
        "tcp dport 80",
        "tcp dport 443",
        "tcp dport 8444",
    ]
    grown = split(plan, one="edge+web+worker+data", two="web")
    opened = [line.split(" accept")[0] for line in rules(grown, grown.outputs.host("one"))]
    assert opened[3:] == [f"ip saddr {{ 10.7.0.32 }} tcp dport {port}" for port in (5432, 6432, 6379, 7070)]
    assert [line.split(" accept")[0] for line in rules(grown, grown.outputs.host("two"))] == [
        "ip saddr { 10.7.0.31 } tcp dport 8080"
    ]


def test_a_second_host_changes_no_port_address_or_certificate_of_the_first(plan: FleetPlan):
    before = placed(alone := split(plan, one="edge+web+worker+data"), alone.outputs.host("one"))
    after = placed(grown := split(plan, one="edge+web+worker+data", two="web"), grown.outputs.host("one"))
    changed = {path for path in before if before[path] != after.get(path)}
    assert changed == {
        "/etc/haproxy/haproxy.cfg",
        "/etc/slipway/firewall.nft",
        "/etc/slipway/postgresql/pg_hba.conf",
    }


def test_the_inventory_of_a_shared_host_is_that_of_all_its_roles(one: FleetPlan):
    inventory = set_ups(one, {})[1]["one"]
    assert inventory.ports == [80, 443, 8444, 8080, 5432, 6432, 6379, 7070]
    assert inventory.files["/etc/redis/memory.conf"].group == "redis"
    assert inventory.haproxy_connections == str(MAX_CONNECTIONS)
    assert inventory.units["haproxy.service"].active
    assert inventory.units["postgresql.service"].active


def test_the_agent_knows_all_roles_of_its_host(one: FleetPlan):
    assert '"role": "edge+web+worker+data"' in host_json(one, one.outputs.host("one"))


def test_a_request_goes_through_both_parts_of_one_process(one: FleetPlan, tmp_path: Path):
    limits = one.app.limits.model_copy(update={"requests_per_minute": 40})
    one = dataclasses.replace(one, app=one.app.model_copy(update={"limits": limits}))
    loopback = (f"127.0.0.1:{port}" for port in (8081, 8404, 21001))
    ports = {name: free_port() for name in (*loopback, ":80", ":443", ":8444", ":8080")}
    app = ports["127.0.0.1:21001"]
    text = moved(
        serving.configuration(one, one.outputs.host("one")),
        tmp_path,
        {"10.7.0.31:8080": ports[":8080"], **ports},
    )
    (tmp_path / "slots.map").write_text(web.empty_map(one).replace("active none", "active blue"))
    context = ssl.create_default_context(cafile=one.ca_file)
    with (
        app_on(app, Echo),
        haproxy(tmp_path, text, ports[":443"]),
        httpx.Client(base_url=f"https://localhost:{ports[':443']}", verify=context) as client,
    ):
        answer = client.get("/echo", headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.status_code == 200
        seen = answer.json()
        assert seen["server"] == app
        assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert seen["headers"]["x-forwarded-proto"] == "https"
        assert "SLIPWAY_HOST=one" in answer.headers["set-cookie"]
        assert client.get("/-/slipway/ready").status_code == 404
        statuses = [client.get("/").status_code for _ in range(40)]
        assert statuses.count(429) == 2, "each request counts once, though it passes two parts"
