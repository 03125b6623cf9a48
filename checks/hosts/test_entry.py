"""Access to hosts: SSH, accounts, firewall, ports (I7, I9)."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from checks.kit.background import Background, begun_early
from checks.kit.check import check
from checks.kit.hosts import Host, Hosts, name_of
from slipway.stack import LiveStack, Role

PUBLIC: dict[Role, set[int]] = {
    "edge": {22, 80, 443, 8444},
    "web": {22, 8080},
    "worker": {22},
    "data": {22, 5432, 6432, 6379, 7070},
}
"""By role, the ports that may listen on more than loopback."""
SESSIONS = 6
"""Commands that run on one host at once; sshd allows ten sessions for each connection."""


@begun_early
def reached_from_a_web_host(hosts: Hosts, live: LiveStack) -> list[str]:
    """What the first web host can connect to on other hosts, and must not. Each refusal takes a second."""
    if not hosts.of("web"):
        return []
    asker, *others = hosts.of("web")
    endpoints = [(name_of(host), port) for host in hosts.of("data") for port in (7071, 9090)]
    endpoints += [(name_of(host), port) for host in others for port in (8080, 8081)]

    def is_reachable(endpoint: tuple[str, int]) -> bool:
        name, port = endpoint
        return asker.addr(live.outputs.host(name).address).port(port).is_reachable

    with ThreadPoolExecutor(SESSIONS) as pool:
        reached = pool.map(is_reachable, endpoints)
        return [f"{name}:{port}" for (name, port), yes in zip(endpoints, reached, strict=True) if yes]


@begun_early
def reached_from_here(live: LiveStack) -> list[str]:
    """Ports of the data hosts and the database that this machine can connect to."""
    endpoints = [
        (address, port)
        for host in live.outputs.by_role("data")
        for address in {host.address, host.ssh_host}
        if not address.startswith("127.") and address != "localhost"
        for port in (5432, 6432, 6379, 7070)
    ]
    cloud = live.outputs.cloud
    if cloud and cloud.database_host:
        endpoints.append((cloud.database_host, 5432))
    with ThreadPoolExecutor(16) as pool:
        reached = pool.map(_answers, endpoints)
        return [f"{host}:{port}" for (host, port), yes in zip(endpoints, reached, strict=True) if yes]


@check(
    "I7",
    severity="critical",
    standard="Lynis SSH-7408",
    why="bots guess SSH passwords all the time",
    remedy="slipway up: it writes sshd's settings; what overrides them in /etc/ssh/sshd_config.d?",
)
def test_ssh_takes_keys_only(host: Host) -> None:
    # sshd -T merges sshd's files, includes and defaults: no single file shows the result.
    lines = host.check_output("sshd -T").splitlines()
    settings = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
    wanted = {
        "passwordauthentication": "no",
        "kbdinteractiveauthentication": "no",
        "permitemptypasswords": "no",
        "x11forwarding": "no",
    }
    wrong = {name: settings.get(name) for name, value in wanted.items() if settings.get(name) != value}
    assert not wrong, f"sshd -T says {wrong}"
    root = settings.get("permitrootlogin")
    assert root in ("no", "without-password", "prohibit-password"), f"permitrootlogin is {root}"


@check(
    "I7",
    severity="high",
    standard="Lynis AUTH-9283",
    why="anyone can log in to an account without a password",
    remedy="passwd --lock NAME",
)
def test_no_account_has_an_empty_password(host: Host) -> None:
    entries = [line.split(":") for line in host.file("/etc/shadow").content_string.splitlines()]
    empty = [name for name, password, *_ in entries if not password]
    assert not empty, f"no password at all: {', '.join(empty)}"


@check(
    "I7",
    severity="high",
    standard="Lynis AUTH-9204",
    why="a second account with user id 0 is an easily overlooked backdoor",
    remedy="give the account its own user id",
)
def test_only_root_is_root(host: Host) -> None:
    accounts = [line.split(":") for line in host.file("/etc/passwd").content_string.splitlines()]
    roots = [name for name, _, user_id, *_ in accounts if user_id == "0"]
    assert roots == ["root"], f"user id 0: {', '.join(roots)}"


@check(
    "I7",
    severity="high",
    standard="CIS Debian 3.5",
    why="without a default drop, one wrong bind address exposes a service to the internet",
    remedy="slipway up loads the firewall: systemctl status slipway-firewall",
)
def test_the_firewall_drops_by_default(host: Host) -> None:
    # testinfra has a module for iptables, none for nftables.
    rules = host.run("nft list chain inet slipway input").stdout
    assert "policy drop" in rules, "there is no input chain with policy drop in table inet slipway"


@check(
    "I7",
    "I4",
    "I5",
    severity="critical",
    asvs="13.2.2",
    why="a rule that looks right may still let connections through: only an attempt shows it",
    remedy="hosts/firewall.py says who may connect to what; slipway up loads it",
    waits_for=(reached_from_a_web_host,),
)
def test_a_web_host_cannot_reach_other_services(background: Background) -> None:
    reached = background.result(reached_from_a_web_host)
    assert not reached, f"the first web host can connect to {', '.join(reached)}"


@check(
    "I4",
    "I5",
    severity="critical",
    why="scanners find an exposed database or Redis within an hour",
    remedy="data hosts have no public address, and their firewall lets only the fleet in",
    waits_for=(reached_from_here,),
)
def test_the_public_cannot_reach_the_data(background: Background) -> None:
    reached = background.result(reached_from_here)
    assert not reached, f"this machine can connect to {', '.join(reached)}"


def _answers(endpoint: tuple[str, int]) -> bool:
    try:
        socket.create_connection(endpoint, timeout=1).close()
    except OSError:
        return False
    return True
