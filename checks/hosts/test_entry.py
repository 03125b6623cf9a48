"""Access to hosts: SSH, accounts, firewall, ports (I7, I9)."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts
from checks.kit.on_host import read_by
from slipway.stack import HostOutput, LiveStack, Role

ANYONE = "anyone"
REDIS_IN_PLAIN = 6379
REACHABLE: dict[Role, dict[int, tuple[str, ...]]] = {
    "edge": {80: (ANYONE,), 443: (ANYONE,), 8444: (ANYONE,)},
    "web": {8080: ("edge",)},
    "worker": {},
    "data": {
        5432: ("web", "worker"),
        6432: ("web", "worker"),
        REDIS_IN_PLAIN: ("web", "worker"),
        6380: ("web", "worker"),
        7070: ("edge", "web", "worker"),
    },
}
"""By role, who may connect to which port, besides ssh. Stated here once more: a check does not take the
firewall's word for it."""
TRIED = (
    *(80, 443, 2375, 5432, 6379, 6380, 6432, 7070, 7071, 8080, 8081, 8404, 8444, 9090, 9100, 9999),
    *(21_001, 22_001),
)
TRIED_BY_UDP = (53, 111, 123, 161, 514, 1900, 6379, 9998)
"""Ports that services and exporters use. One that is refused, and not silently dropped, is open too: the
firewall let the packet through."""
_REACH = """
import errno, json, select, socket, time
waiting = {}
for kind, name, address, port in wanted:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    tried = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    tried.setblocking(False)
    tried.connect_ex((address, port))
    if kind == "udp":
        try:
            tried.send(b"x")
        except OSError:
            pass
    waiting[tried] = (kind, name, port)
reached, ends = [], time.monotonic() + 1.5
while waiting and time.monotonic() < ends:
    streams = [each for each in waiting if waiting[each][0] == "tcp"]
    answered, connected, _ = select.select(list(waiting), streams, [], 0.1)
    for each in {*answered, *connected}:
        error = each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        kind, name, port = waiting.pop(each)
        if error in (0, errno.ECONNREFUSED):
            said = " (refused: the firewall let it through)" if error else ""
            reached.append(f"{name} by {kind} {port}{said}")
print(json.dumps(sorted(reached)))
"""


@begun_early
def reached_from_hosts(hosts: Hosts, live: LiveStack) -> dict[str, list[str]]:
    """By its roles, what the first host of each role can connect to on two hosts of each, and must not."""
    if len(live.outputs.hosts) == 1:
        not_evaluated("the stack has no second host that could connect to the first")
    by_role = [live.outputs.by_role(role) for role in REACHABLE]
    asking = {each[0].name: each[0] for each in by_role if each}
    everyone = {host.name: host for each in by_role for host in each[:2]}

    def reached(asker: HostOutput) -> list[str]:
        wanted = [
            (kind, host.name, host.address, port)
            for host in everyone.values()
            if host.name != asker.name
            for kind, ports in (("tcp", TRIED), ("udp", TRIED_BY_UDP))
            for port in ports
            if kind == "udp" or not {ANYONE, *asker.roles} & _who_may(live, host, port)
            if port != host.ssh_port
        ]
        return read_by(hosts[asker.name], _REACH, wanted=wanted)

    with ThreadPoolExecutor(max(1, len(asking))) as pool:
        found = pool.map(reached, asking.values())
        return {host.role: each for host, each in zip(asking.values(), found, strict=True)}


def _who_may(live: LiveStack, host: HostOutput, port: int) -> set[str]:
    """Who may connect to `port` of `host`, for any of its roles."""
    # Where hosts reach Redis by TLS, none may reach it in plain.
    if port == REDIS_IN_PLAIN and live.outputs.redis_clients:
        return set()
    return {each for role in host.roles for each in REACHABLE[role].get(port, ())}


@begun_early
def reached_from_here(live: LiveStack) -> list[str]:
    """Ports of hosts, and of the database, that this machine can connect to and must not."""
    endpoints = [
        (address, port)
        for host in live.outputs.hosts
        for address in {host.address, host.ssh_host}
        if not address.startswith("127.") and address != "localhost"
        for port in TRIED
        if ANYONE not in _who_may(live, host, port) and port != host.ssh_port
    ]
    cloud = live.outputs.cloud
    if cloud and cloud.database_host:
        endpoints.append((cloud.database_host, 5432))
    with ThreadPoolExecutor(64) as pool:
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
    waits_for=(reached_from_hosts,),
)
def test_a_web_host_cannot_reach_other_services(background: Background) -> None:
    found = background.result(reached_from_hosts)
    reached = [each for role, its in found.items() if "web" in role.split("+") for each in its]
    assert not reached, f"a web host can connect to {', '.join(reached)}"


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="whoever takes one host over goes on to whatever that host can reach",
    remedy="hosts/firewall.py says who may connect to what; slipway up loads it",
    waits_for=(reached_from_hosts,),
)
def test_hosts_reach_only_what_they_need(background: Background) -> None:
    found = background.result(reached_from_hosts)
    reached = [
        f"from {role}: {', '.join(each)}"
        for role, each in found.items()
        if "web" not in role.split("+") and each
    ]
    assert not reached, "; ".join(reached)


@check(
    "I4",
    "I5",
    "I7",
    severity="critical",
    why="scanners find an exposed database, Redis or exporter within an hour",
    remedy="only the edge answers the internet: hosts/firewall.py, and the network's own rules",
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
