"""The inventory of a host: what its set-up makes, read from the commands of a dry run."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pyinfra.api.command import FileUploadCommand, PyinfraCommand

from hosts import access, acme, redis_tls
from hosts.base import AGENT, JOURNALD, LIB, SYSCTL
from hosts.data import redis
from hosts.data.redis import IN_CONTAINER, MEMORY
from hosts.data.s3 import BINARY
from hosts.deploy import DIGESTS, packages
from hosts.digest import setup_digest
from hosts.firewall import openings
from hosts.haproxy import CONFIG
from hosts.inventory.hardening import settings_of
from hosts.inventory.parts import Inventory, Placed, UnitState
from hosts.plan import APPLIED, REDIS_PORT, FleetPlan
from hosts.previews import SITES, UPLOADS
from hosts.run import dry_run, uploaded
from hosts.units import UNITS
from hosts.web import SLOTS_MAP, slots
from slipway.settings import Host
from slipway.settings.access import grants

_INSTALLED = re.compile(r"chown ([\w-]+):([\w-]+) (\S+)\.slipway-new && chmod (\d+) ")
_MODE = re.compile(r"chmod (\d+) (\S+)")
_OWNER = re.compile(r"chown ([\w-]+):([\w-]+) (\S+)")
_UNIT = re.compile(r"systemctl (start|enable|disable) (\S+)")
_HANDLER = re.compile(rf"sha256sum ([^;]+); \}}\) .* > {APPLIED}/(\S+)$", re.DOTALL)


def set_ups(
    plan: FleetPlan, more: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, str], dict[str, Inventory]]:
    """By host, the digest of its set-up and its inventory, from one dry run each.

    `more`: by host, what only the platform knows of it: `files` (path to content, None: any),
    `operator_keys`, `mounts`, `resolvers`, `image_is_known`.
    """
    digests: dict[str, str] = {}
    found: dict[str, Inventory] = {}
    for host in plan.outputs.hosts:
        commands = list(dry_run(plan, host))
        digests[host.name] = setup_digest(plan, host, commands)
        found[host.name] = inventory_of(plan, host, commands, more.get(host.name, {}))
    return digests, found


def inventory_of(
    plan: FleetPlan, host: Host, commands: Iterable[tuple[str, PyinfraCommand]], more: Mapping[str, Any]
) -> Inventory:
    """The inventory of `host`, from what a dry run would do; `more`: what only the platform knows."""
    also: Mapping[str, bytes | None] = more.get("files", {})
    granted = () if plan.hosts_come_and_go else grants(plan.secrets)
    # Once people have keys of their own, the one that came with the server is a stranger's as well.
    by_now: list[str] | None = [] if any(each.kind == "person" for each in granted) else None
    found = Inventory(
        host=host.name,
        role=host.role,
        ssh_user=host.ssh_user,
        ssh_ports=sorted({22, host.ssh_port} if plan.ssh_access == "direct" else {22}),
        packages=packages(plan, host),
        ports=[opening.port for opening in openings(plan, host)],
        app_ports=[port for slot in slots(plan) for port in slot.ports] if host.is_any("web") else [],
        operator_keys=more.get("operator_keys", by_now),
        granted={access.file_of(host): [each.fingerprint for each in granted]},
        authorities=[each for path in also for each in _authorities(path, also[path] or b"")],
        mounts=list(more.get("mounts", ())),
        resolvers=more.get("resolvers"),
        image_is_known=more.get("image_is_known", False),
    )
    for name, command in commands:
        _take(found, name, command)
    _agent(found)
    if host in redis_tls.clients(plan):
        found.loopback_ports.append(REDIS_PORT)
    for path in (*DIGESTS, SLOTS_MAP, SITES, UPLOADS, acme.PEM):
        if known := found.files.get(path):
            # Their content is not the set-up's: a digest, the agent's maps and certificate.
            found.files[path] = Placed("", known.mode, known.user, known.group)
    if host.is_any("data"):
        found.files[BINARY] = Placed("", "755", "root", "root")
        if redis.wanted(plan):
            # It listens there although the firewall may shut it to other hosts.
            found.ports += [REDIS_PORT] * (REDIS_PORT not in found.ports)
            found.files |= {MEMORY: Placed("", "640", "root", "redis"), IN_CONTAINER: Placed()}
    for path, content in also.items():
        found.files[path] = Placed(hashlib.sha256(content).hexdigest() if content else "", "", "", "")
    return found


def _take(found: Inventory, name: str, command: PyinfraCommand) -> None:
    if isinstance(command, FileUploadCommand):
        found.files[command.dest] = _placed(found, command.dest, uploaded(command))
        return
    text = str(command)
    if installed := _INSTALLED.search(text):
        user, group, path, mode = installed.groups()
        arguments: Mapping[str, object] = getattr(command, "connector_arguments", {})
        content = base64.b64decode(str(arguments["_stdin"]))
        found.files[path] = _placed(found, path, content, mode, user, group)
    elif handler := _HANDLER.search(text):
        found.handlers[handler[2]] = handler[1].split()
    elif made := re.fullmatch(r"mkdir -p (\S+)", text):
        if made[1] == name:
            found.folders[made[1]] = Placed("", "", "", "")
    elif changed := _MODE.fullmatch(text):
        _amend(found, changed[2], mode=changed[1])
    elif changed := _OWNER.fullmatch(text):
        _amend(found, changed[3], user=changed[1], group=changed[2])
    elif unit := _UNIT.fullmatch(text):
        word, unit_name = unit.groups()
        was = found.units.get(unit_name, UnitState())
        found.units[unit_name] = UnitState(
            active=True if word == "start" else was.active,
            enabled={"enable": True, "disable": False}.get(word, was.enabled),
        )
    elif text.startswith("useradd "):
        found.users.append(text.rsplit(maxsplit=1)[-1])


def _placed(
    found: Inventory, path: str, content: bytes, mode: str = "", user: str = "root", group: str = "root"
) -> Placed:
    if path == SYSCTL:
        found.kernel.update(
            {key.strip(): " ".join(value.split()) for key, value in settings_of(content.decode()).items()}
        )
    if path == JOURNALD:
        found.journal.update(settings_of(content.decode()))
    if path == CONFIG:
        note_haproxy(found, content.decode())
    if unit := re.fullmatch(rf"{UNITS}/(\S+\.service)(?:\.d/slipway\.conf)?", path):
        found.settings.setdefault(unit[1], {}).update(settings_of(content.decode().partition("[Service]")[2]))
    return Placed(hashlib.sha256(content).hexdigest(), mode, user, group)


def note_haproxy(found: Inventory, configuration: str) -> None:
    """Limits and servers that HAProxy's socket can change until the next reload."""
    section = name = by_default = ""
    for line in configuration.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not line[0].isspace():
            section, name = words[0], words[1] if len(words) > 1 else ""
            if section == "frontend":
                found.haproxy_frontends[name] = by_default or found.haproxy_connections
            elif section == "defaults":
                by_default = ""
            continue
        match section, *words:
            case "global", "maxconn", most:
                found.haproxy_connections = most
            case "defaults", "maxconn", most:
                by_default = most
            case "frontend", "maxconn", most:
                found.haproxy_frontends[name] = most
            case _, "bind", place, *_ if place.startswith("127."):
                found.loopback_ports.append(int(place.rpartition(":")[2]))
            case "backend", "server", server, address, *_:
                found.haproxy_servers[f"{name}/{server}"] = address if ":" in address else f"{address}:0"
            case _:
                pass


def _amend(found: Inventory, path: str, **changes: str) -> None:
    for kind in (found.files, found.folders):
        if path in kind:
            kind[path] = Placed(**{**asdict(kind[path]), **changes})


def _agent(found: Inventory) -> None:
    """The agent's modules, which a handler unpacks."""
    for path in AGENT.glob("*.py"):
        placed = f"{LIB}/agent/{path.name}"
        found.files[placed] = Placed(hashlib.sha256(path.read_bytes()).hexdigest(), "644", "root", "root")
        found.handlers.get("unpack-the-agent", []).append(placed)


def _authorities(path: str, content: bytes) -> list[str]:
    if not path.startswith("/usr/local/share/ca-certificates/"):
        return []
    bodies = re.findall(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END", content)
    return [hashlib.sha256(b"".join(body.split())).hexdigest() for body in bodies]
