"""Redis between hosts: who is let in, tried with stunnel itself and certificates of the fleet's authority."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hosts import redis_tls
from hosts.base import CA
from hosts.deploy import packages
from hosts.firewall import rules
from hosts.inventory.expected import set_ups
from hosts.plan import FleetPlan
from slipway.platforms.authority import Authority, ensure_leaf_pem, make_authority
from slipway.settings.outputs import Redis
from tests.ports import free_port
from tests.s3 import wait_for_port
from tests.unit.hosts.conftest import split

SERVERS = {"web1": "web", "web2": "web", "worker1": "worker"}


@pytest.fixture
def authority() -> Authority:
    return make_authority("board-prod")


@pytest.fixture
def by_tls(plan: FleetPlan, authority: Authority, tmp_path: Path) -> FleetPlan:
    """A fleet whose app finds Redis on its own host."""
    redis = Redis(url="redis://:${secret:PLATFORM_REDIS_PASSWORD}@127.0.0.1:6379/0", namespace="board")
    pems = {name: pem_of(tmp_path, authority, name, client=True) for name in SERVERS}
    return dataclasses.replace(
        plan,
        outputs=plan.outputs.model_copy(update={"redis": redis}),
        stack=plan.stack.model_copy(update={"redis": True}),
        host_pems={"data1": pem_of(tmp_path, authority, "data1", client=False)},
        redis_pems=pems,
        redis_in_plain=False,
    )


def pem_of(folder: Path, authority: Authority, name: str, *, client: bool) -> Path:
    made = folder / f"{authority.certificate[-40:-30].hex()}-{name}-{client}.pem"
    made.write_bytes(ensure_leaf_pem(None, authority, [name], client=client))
    return made


@contextmanager
def stunnel(folder: Path, text: str, port: int) -> Generator[None]:
    program = shutil.which("stunnel4")
    if program is None:
        pytest.skip("stunnel4 is not installed")
    config = folder / f"{port}.conf"
    config.write_text(text)
    with subprocess.Popen([program, str(config)], stderr=subprocess.PIPE) as run:
        try:
            wait_for_port(port, run)
            yield
        finally:
            run.terminate()


class Fleet:
    """Redis' host, and what can be connected to: `plain` is Redis, `tls` its proxy."""

    def __init__(self, plan: FleetPlan, authority: Authority, folder: Path) -> None:
        self.plan, self.folder, self.running = plan, folder, ExitStack()
        self.ca = folder / "authority.pem"
        self.ca.write_bytes(authority.certificate)
        self.plain, self.tls = free_port(), free_port()
        self._serve_redis()
        data = self.text("data1", plan.host_pems["data1"])
        data = data.replace("10.7.0.15:6380", f"127.0.0.1:{self.tls}").replace(":6379", f":{self.plain}")
        self.running.enter_context(stunnel(folder, data, self.tls))

    def text(self, host: str, pem: Path) -> str:
        made = redis_tls.configuration(self.plan, self.plan.outputs.host(host))
        return made.replace(redis_tls.PEM, str(pem)).replace(CA, str(self.ca))

    def ask(self, host: str, pem: Path, to: int = 0) -> bytes:
        """What the app on `host`, whose proxy has the certificate `pem`, hears from its 127.0.0.1."""
        own = free_port()
        text = self.text(host, pem).replace("10.7.0.15:6380", f"127.0.0.1:{to or self.tls}")
        with stunnel(self.folder, text.replace("127.0.0.1:6379", f"127.0.0.1:{own}"), own):
            return heard(own)

    def _serve_redis(self) -> None:
        server = self.running.enter_context(socket.create_server(("127.0.0.1", self.plain)))

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"+PONG\r\n" if connection.recv(100) else b"")

        threading.Thread(target=serve, daemon=True).start()


def heard(port: int) -> bytes:
    """What a client of Redis hears to its PING; nothing if it is cut off."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.settimeout(10)
        try:
            client.sendall(b"PING\r\n")
            return client.recv(100)
        except (ConnectionError, TimeoutError):
            return b""


@pytest.fixture
def fleet(by_tls: FleetPlan, authority: Authority, tmp_path: Path) -> Generator[Fleet]:
    made = Fleet(by_tls, authority, tmp_path)
    with made.running:
        yield made


def test_the_app_reaches_redis_in_plain_on_its_own_host_and_by_tls_on_the_other(fleet: Fleet):
    for host in SERVERS:
        assert fleet.ask(host, fleet.plan.redis_pems[host]) == b"+PONG\r\n"


@pytest.mark.parametrize("shown", ["of another authority", "of another host", "of a server"])
def test_who_cannot_prove_to_be_a_host_of_the_app_reaches_no_redis(
    fleet: Fleet, authority: Authority, tmp_path: Path, shown: str
):
    pem = {
        "of another authority": lambda: pem_of(tmp_path, make_authority("thief"), "web1", client=True),
        "of another host": lambda: pem_of(tmp_path, authority, "edge", client=True),
        "of a server": lambda: pem_of(tmp_path, authority, "web1", client=False),
    }[shown]()
    assert fleet.ask("web1", pem) == b""


def test_plain_text_and_a_client_without_a_certificate_are_refused(fleet: Fleet):
    assert not heard(fleet.tls).startswith(b"+")
    context = ssl.create_default_context(cafile=str(fleet.ca))
    with (
        socket.create_connection(("127.0.0.1", fleet.tls), 5) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
        context.wrap_socket(plain, server_hostname="data1") as client,
    ):
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"", "it answers"
        raise ConnectionError


@pytest.mark.parametrize("shown", ["of another authority", "of another host"])
def test_an_app_says_nothing_to_a_host_that_cannot_prove_to_be_redis(
    fleet: Fleet, authority: Authority, tmp_path: Path, shown: str
):
    other = make_authority("thief") if shown == "of another authority" else authority
    pem = pem_of(tmp_path, other, "data1" if shown == "of another authority" else "web2", client=False)
    port = free_port()
    text = fleet.text("data1", pem).replace(":6379", f":{fleet.plain}").replace("verifyChain = yes", "")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("checkHost", "CAfile")))
    with stunnel(tmp_path, text.replace("10.7.0.15:6380", f"127.0.0.1:{port}"), port):
        assert fleet.ask("web1", fleet.plan.redis_pems["web1"], to=port) == b""


def test_only_the_apps_hosts_pass_the_firewall_and_in_plain_no_host(by_tls: FleetPlan):
    data = by_tls.outputs.host("data1")
    (rule,) = (each for each in rules(by_tls, data) if "6380" in each)
    assert rule.startswith("ip saddr { 10.7.0.12, 10.7.0.13, 10.7.0.14 } tcp")
    assert not any("6379" in each for each in rules(by_tls, data))
    before = dataclasses.replace(by_tls, redis_in_plain=True)
    assert any("6379" in each for each in rules(before, data))


def test_proxies_belong_to_the_inventory_of_hosts_that_need_one(by_tls: FleetPlan, plan: FleetPlan):
    found = set_ups(by_tls, {})[1]
    for name in (*SERVERS, "data1"):
        assert found[name].units[redis_tls.SERVICE].active
        assert {redis_tls.CONFIG, redis_tls.PEM} <= {*found[name].files}
    assert {6379, 6380} <= {*found["data1"].ports}
    assert 6379 in found["web1"].loopback_ports
    assert "stunnel4" not in packages(by_tls, by_tls.outputs.host("edge"))
    assert "stunnel4" not in packages(plan, plan.outputs.host("web1")), "a local fleet has none"


def test_on_one_server_nothing_is_between_the_app_and_redis(by_tls: FleetPlan):
    alone = dataclasses.replace(split(by_tls, one="edge+web+worker+data"), redis_in_plain=True)
    one = alone.outputs.host("one")
    assert "stunnel4" not in packages(alone, one)
    assert not any(port in rule for rule in rules(alone, one) for port in ("6379", "6380"))
