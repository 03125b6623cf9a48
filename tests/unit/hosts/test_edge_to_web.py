"""From the edge to web hosts by TLS: a host that cannot prove its own name gets no request."""

from __future__ import annotations

import dataclasses
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from hosts import edge, serving
from hosts.firewall import rules
from hosts.inventory.expected import set_ups
from hosts.plan import FleetPlan
from hosts.set_up import _waves  # pyright: ignore[reportPrivateUsage]
from tests.ports import free_port
from tests.unit.hosts.conftest import split
from tests.unit.hosts.live import Echo, Server, haproxy, moved

KEY = {"X-Slipway-Load": "SLIPWAY_LOAD_KEY-value-never-to-be-seen"}


@contextmanager
def tls_app_on(port: int, certificate: trustme.LeafCert | None) -> Generator[None]:
    """An app by TLS with `certificate`; None: a plain one."""
    server = Server(("127.0.0.1", port), Echo)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@contextmanager
def site_of(
    plan: FleetPlan, folder: Path, web1: trustme.LeafCert | None, web2: trustme.LeafCert | None
) -> Generator[tuple[httpx.Client, dict[int, str]]]:
    ports = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
    hosts = {"10.7.0.12:8443": free_port(), "10.7.0.13:8443": free_port()}
    text = moved(edge.configuration(dataclasses.replace(plan, tls_to_web=True)), folder, ports | hosts)
    context = ssl.create_default_context(cafile=plan.ca_file)
    with ExitStack() as open_:
        for port, certificate in zip(hosts.values(), (web1, web2), strict=True):
            open_.enter_context(tls_app_on(port, certificate))
        open_.enter_context(haproxy(folder, text, ports[":443"]))
        base = f"https://localhost:{ports[':443']}"
        client = open_.enter_context(httpx.Client(base_url=base, verify=context, headers=KEY))
        yield client, dict(zip(hosts.values(), ("web1", "web2"), strict=True))


def who_answers(client: httpx.Client, names: dict[int, str]) -> set[str]:
    """Which hosts answer the requests of two seconds; one that is not found out yet gives 503."""
    found: set[str] = set()
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        client.cookies.clear()
        for name in ("web1", "web2"):
            answer = client.get("/", headers={"Cookie": f"SLIPWAY_HOST={name}"})
            if answer.status_code == 200:
                found.add(names[answer.json()["server"]])
    return found


@pytest.mark.parametrize("web2", ["plain", "of another authority", "of another host"])
def test_a_host_that_cannot_prove_its_name_gets_no_request(plan: FleetPlan, tmp_path: Path, web2: str):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "site.pem"))
    wrong = {
        "plain": None,
        "of another authority": trustme.CA().issue_cert("web2"),
        "of another host": ca.issue_cert("web1"),
    }[web2]
    with site_of(plan, tmp_path, ca.issue_cert("web1"), wrong) as (client, names):
        assert who_answers(client, names) == {"web1"}
    with site_of(plan, tmp_path, ca.issue_cert("web1"), ca.issue_cert("web2")) as (client, names):
        assert who_answers(client, names) == {"web1", "web2"}


def test_only_edges_reach_the_port_and_it_is_open_only_where_it_is_used(plan: FleetPlan):
    web1, other = plan.outputs.host("web1"), dataclasses.replace(plan, tls_to_web=True)
    assert not any("8443" in rule for rule in rules(plan, web1))
    (rule,) = (each for each in rules(other, web1) if "8443" in each)
    assert rule.startswith("ip saddr { 10.7.0.11 } tcp")
    assert not any("8443" in each for each in rules(other, plan.outputs.host("data1")))


def test_edges_are_set_up_when_web_hosts_listen_already(plan: FleetPlan):
    hosts = plan.outputs.hosts
    assert _waves(plan, hosts) == [hosts]
    web_first, then = _waves(dataclasses.replace(plan, tls_to_web=True), hosts)
    assert [host.name for host in then] == ["edge"]
    assert [*web_first, *then] != hosts
    assert sorted(each.name for each in [*web_first, *then]) == sorted(each.name for each in hosts)


def test_what_stays_in_one_process_goes_without_tls(plan: FleetPlan):
    two = dataclasses.replace(split(plan, a="edge+web", b="web+data"), tls_to_web=True)
    lines = [line.split() for line in serving.configuration(two, two.outputs.host("a")).splitlines()]
    servers = [line[1:3] for line in lines if line[:2] in (["server", "a"], ["server", "b"])]
    assert servers == [["a", "10.7.0.31:8080"], ["b", "10.7.0.32:8443"]] * 4
    inventory = set_ups(two, {})[1]["b"]
    assert 8443 in inventory.ports
    assert "/etc/haproxy/web.pem" in inventory.files
