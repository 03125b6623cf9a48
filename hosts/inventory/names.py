"""How a host looks names up, and which way its packets take, against what the platform gives it. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hosts.inventory.parts import FOREIGN, Deviation, Inventory

SERVICES = {
    *("files", "systemd", "compat", "db", "nis", "dns", "myhostname", "mymachines", "resolve"),
    *("mdns4_minimal", "mdns_minimal"),
}
"""Name services that Debian and Ubuntu set up by themselves."""
OWN_NAMES = re.compile(
    r"(ip6-)?localhost(\.localdomain|[46](\.localdomain[46])?)?|ip6-(loopback|localnet|mcastprefix|all\w+)"
)
UTC = ("UTC", "localtime")
"""Names of the zone in which cron's schedules are meant; without the link it is UTC too."""
DROPPING = ("blackhole", "unreachable", "prohibit", "throw")
RULES = {0, 32766, 32767}
"""Priorities of the kernel's own routing rules."""
QUEUES = {"noqueue", "fq", "fq_codel", "pfifo_fast", "pfifo", "mq", "cake"}
"""Queueing that only shares a line."""


def lookups(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    """Resolvers, entries and name services that do not belong."""
    here, texts = inventory.host, facts["lookups"]
    for server in _values(texts["/etc/resolv.conf"], "nameserver"):
        if inventory.resolvers is not None and server not in inventory.resolvers:
            yield Deviation(here, "name", "/etc/resolv.conf", FOREIGN, f"asks {server}")
    own = {facts["hostname"], facts["hostname"].partition(".")[0], here}
    for address, *names in _lines(texts["/etc/hosts"]):
        strange = [name for name in names if not _is_own(name, own)]
        if strange:
            yield Deviation(here, "name", "/etc/hosts", FOREIGN, f"says that {strange[0]} is at {address}")
    asked = {words[0]: words[1:] for words in _lines(texts["/etc/nsswitch.conf"])}
    for database in ("passwd:", "hosts:"):
        if "files" not in asked.get(database, ()):
            yield Deviation(
                here, "name", "/etc/nsswitch.conf", f"{database} files …", f"{database} asks no files"
            )
    for database, services in asked.items():
        strange = [each for each in services if not each.startswith("[") and each not in SERVICES]
        if strange:
            found = f"{database} asks {', '.join(strange)}"
            yield Deviation(here, "name", "/etc/nsswitch.conf", FOREIGN, found)
    if not facts["profile"]:
        yield Deviation(here, "startup", "/etc/profile", "as its Debian package brought it", "other content")
    if inventory.image_is_known:
        yield from _own_name_and_time(here, facts)


def _own_name_and_time(here: str, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    if facts["hostname"] != here:
        yield Deviation(here, "name", "the host's name", here, facts["hostname"])
    if facts["time_zone"] not in UTC:
        yield Deviation(here, "name", "the host's time zone", "UTC", facts["time_zone"])
    for device, at, *_ in _lines(facts["lookups"]["/etc/fstab"]):
        yield Deviation(here, "mount", "/etc/fstab", FOREIGN, f"mounts {device} at {at}")


def routes(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    """Routes, rules, neighbours, links and queues that do not belong.

    A rented machine may have private networks and tunnels of its owner's.
    """
    here = inventory.host
    for each in _own_routes(facts):
        if each.get("type") in DROPPING:
            what = f"{each['type']} {each.get('dst')}"
            yield Deviation(here, "route", what, FOREIGN, "packets to it are dropped")
    for each in facts["queues"]:
        if each["kind"] not in QUEUES:
            what = f"queue {each['kind']} of {each.get('dev', '')}"
            yield Deviation(here, "route", what, FOREIGN, "drops, delays or redirects packets")
    for each in facts["links"]:
        if each.get("xdp") or each.get("prog"):
            what = f"link {each['ifname']}"
            yield Deviation(here, "route", what, FOREIGN, "a BPF program sees its packets")
    if inventory.image_is_known:
        yield from _of_a_known_image(here, facts)


def _of_a_known_image(here: str, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    found: list[tuple[str, str]] = []
    default = 0
    for each in _own_routes(facts):
        to = each.get("dst", "")
        default += to == "default"
        if each.get("type") not in DROPPING and (to != "default" or default > 1):
            found.append((f"route to {to}", f"by {each.get('gateway') or each.get('dev')}"))
    for each in facts["rules"]:
        if each.get("priority") not in RULES:
            found.append(
                (f"rule {each.get('priority')}", f"packets from {each.get('src')} take other routes")
            )
    for each in facts["neighbours"]:
        if not _is_multicast(each["dst"]):
            found.append((f"neighbour {each['dst']}", f"fixed to {each.get('lladdr')}"))
    for each in facts["links"]:
        kind = each.get("linkinfo", {}).get("info_kind", "veth")
        if kind != "veth":
            found.append((f"link {each['ifname']}", kind))
    for what, seen in found:
        yield Deviation(here, "route", what, FOREIGN, seen)


def _own_routes(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Routes that the kernel did not make by itself."""
    return [
        each
        for each in facts["routes"]
        if each.get("protocol") != "kernel" and not each.get("dst", "").startswith(("ff00::", "fe80::"))
    ]


def _lines(text: str) -> Iterator[list[str]]:
    """The words of every line that is more than a comment."""
    for line in text.splitlines():
        if words := line.partition("#")[0].split():
            yield words


def _values(text: str, key: str) -> list[str]:
    return [words[1] for words in _lines(text) if words[0] == key and len(words) > 1]


def _is_own(name: str, own: set[str]) -> bool:
    return bool(OWN_NAMES.fullmatch(name)) or name in own or name.partition(".")[0] in own


def _is_multicast(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_multicast
    except ValueError:
        return False
