"""Who may come in, and by which door (I7, I9)."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

from checks.kit.check import check
from checks.kit.hosts import Hosts, LiveHost
from slipway.stack import LiveStack

PUBLIC = {
    "edge": {22, 80, 443, 8444},
    "web": {22, 8080},
    "worker": {22},
    "data": {22, 5432, 6432, 6379, 7070},
}
"""By role, the ports that may listen on more than loopback."""


@check(
    "I7",
    severity="critical",
    standard="Lynis SSH-7408",
    why="passwords are guessed all day long",
    remedy="slipway up: it writes sshd's settings; what overrides them in /etc/ssh/sshd_config.d?",
)
def test_ssh_takes_keys_only(host: LiveHost) -> None:
    lines = host.run("sshd -T 2>/dev/null").splitlines()
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
    why="an account without a password is an open door",
    remedy="passwd --lock NAME",
)
def test_no_account_has_an_empty_password(host: LiveHost) -> None:
    empty = host.run("awk -F: '$2 == \"\" {print $1}' /etc/shadow").split()
    assert not empty, f"no password at all: {', '.join(empty)}"


@check(
    "I7",
    severity="high",
    standard="Lynis AUTH-9204",
    why="a second root is one that nobody looks for",
    remedy="give the account an id of its own",
)
def test_only_root_is_root(host: LiveHost) -> None:
    roots = host.run("awk -F: '$3 == 0 {print $1}' /etc/passwd").split()
    assert roots == ["root"], f"user id 0: {', '.join(roots)}"


@check(
    "I7",
    severity="high",
    standard="CIS Debian 3.5",
    why="a service that was meant for loopback is on the internet after one wrong line",
    remedy="slipway up loads the firewall: systemctl status slipway-firewall",
)
def test_the_firewall_drops_what_it_does_not_know(host: LiveHost) -> None:
    rules = host.run("nft list chain inet slipway input 2>/dev/null || true")
    assert "policy drop" in rules, "there is no input chain with policy drop in table inet slipway"


@check(
    "I7",
    severity="high",
    standard="Lynis NETW-3012",
    why="what listens is what can be attacked",
    remedy="stop what is not needed, or bind it to loopback",
)
def test_nothing_unexpected_listens(host: LiveHost) -> None:
    lines = host.run("ss -H -lnt").splitlines()
    ports = {int(end.rpartition(":")[2]) for end in (line.split()[3] for line in lines) if not _loopback(end)}
    unknown = ports - PUBLIC[host.role] - {host.facts.ssh_port}
    assert not unknown, f"ports {', '.join(map(str, sorted(unknown)))} listen on more than loopback"


@check(
    "I7",
    "I4",
    "I5",
    severity="critical",
    asvs="13.2.2",
    why="rules that look right may be bypassed: only trying tells",
    remedy="hosts/firewall.py names who may connect to what; slipway up loads it",
)
def test_a_web_host_cannot_reach_what_is_not_for_it(hosts: Hosts) -> None:
    doors = [(other, port) for other in hosts.of("data") for port in (7071, 9090)]
    doors += [(other, 8080) for other in hosts.of("web")[1:]]
    doors += [(other, 8081) for other in hosts.of("web")[1:]]
    if not hosts.of("web") or not doors:
        return
    asker = hosts.of("web")[0]
    addresses = json.dumps([(other.facts.address, port) for other, port in doors])
    program = (
        "import json,socket,sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def ask(door):\n"
        "    try:\n"
        "        socket.create_connection(tuple(door),timeout=1).close(); return door\n"
        "    except OSError: return None\n"
        "with ThreadPoolExecutor(16) as pool:\n"
        f"    print(json.dumps([d for d in pool.map(ask, json.loads('{addresses}')) if d]))\n"
    )
    opened = json.loads(asker.python(program))
    assert not opened, f"{asker.name} can connect to {opened}"


@check(
    "I4",
    "I5",
    severity="critical",
    why="database and Redis on the internet are found within the hour",
    remedy="data hosts have no public address, and their firewall lets only the fleet in",
)
def test_the_public_cannot_reach_the_data(live: LiveStack) -> None:
    doors = [
        (address, port)
        for host in live.outputs.by_role("data")
        for address in {host.address, host.ssh_host}
        if not address.startswith("127.") and address != "localhost"
        for port in (5432, 6432, 6379, 7070)
    ]
    cloud = live.outputs.cloud
    if cloud and cloud.database_host:
        doors.append((cloud.database_host, 5432))
    with ThreadPoolExecutor(16) as pool:
        reached = [door for door, open_ in zip(doors, pool.map(_answers, doors), strict=True) if open_]
    assert not reached, f"reached from here: {reached}"


def _loopback(end: str) -> bool:
    address = end.rpartition(":")[0].strip("[]")
    return bool(re.match(r"^(127\.|::1$|::ffff:127\.)", address.partition("%")[0]))


def _answers(door: tuple[str, int]) -> bool:
    try:
        socket.create_connection(door, timeout=1).close()
    except OSError:
        return False
    return True
