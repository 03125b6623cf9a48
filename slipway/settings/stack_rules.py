"""What makes well-formed stack settings mean something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from slipway.settings.aws_rules import broken_aws_rules
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

_SSH = re.compile(r"^[a-z_][a-z0-9_-]*@[^\s@:]+(:\d{1,5})?$")
_HOST_KEY = re.compile(r"^(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$")
_DOMAIN = re.compile(
    r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
)
_PUBLIC = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
_LONGEST_FLEET_ID = 54
"""A bucket's name has 63 characters at most, and `-uploads` is appended."""


def broken_stack_rules(stack: Stack) -> Iterator[Broken]:
    """Everything in `stack` that cannot work: key path, problem, remedy."""
    if len(stack.fleet_id) > _LONGEST_FLEET_ID:
        yield (
            (),
            f"the project's and the stack's name are too long together: {stack.fleet_id}",
            f"{_LONGEST_FLEET_ID - 1} characters at most; buckets are named after them",
        )
    if not _DOMAIN.match(stack.domain):
        yield (
            ("domain",),
            f"must be a domain name, got {shown(stack.domain)}",
            'for example "app.example.com"',
        )
    elif stack.platform != "local" and stack.domain == "localhost":
        yield ("domain",), f"is required on platform {stack.platform}", 'for example "app.example.com"'
    for key, platform in (("machines", "hosts"), ("local", "local"), ("aws", "aws"), ("cloudflare", "aws")):
        if stack.platform != platform and key in stack.model_fields_set:
            yield (key,), f"is for platform {platform}, and this stack's is {stack.platform}", "remove it"
    yield from _ports(stack)
    yield from _machines(stack)
    yield from broken_aws_rules(stack)


def _ports(stack: Stack) -> Iterator[Broken]:
    if stack.platform != "local":
        return
    local = stack.local
    hosts = 1 + local.web + local.worker + 1
    taken = {local.ssh_port + index: "ssh_port" for index in range(hosts)}
    for key in ("https_port", "http_port", "uploads_port"):
        port = int(getattr(local, key))
        if port in taken:
            yield (
                ("local", key),
                f"{port} is taken by {taken[port]} (ssh uses {hosts} ports from {local.ssh_port} on)"
                if taken[port] == "ssh_port"
                else f"{port} is taken by {taken[port]}",
                "choose another",
            )
        taken.setdefault(port, key)


def _machines(stack: Stack) -> Iterator[Broken]:
    if stack.platform != "hosts":
        return
    roles = [machine.role for machine in stack.machines]
    for role, why in (("edge", "it takes requests"), ("web", "it answers them"), ("data", _kept(stack))):
        if role not in roles:
            yield ("machines",), f"there is no machine of role {role}", f"add one: {why}"
    if roles.count("data") > 1:
        yield ("machines",), f"there are {roles.count('data')} machines of role data, one is served", ""
    yield from _twice(stack)
    for index, machine in enumerate(stack.machines):
        if not _is_address(machine.address):
            yield (
                ("machines", index, "address"),
                f"must be an IP address, got {shown(machine.address)}",
                "the one in the fleet's private network: firewalls are made of it",
            )
        if machine.public and (machine.role != "edge" or not _PUBLIC.match(machine.public)):
            yield (
                ("machines", index, "public"),
                "is for edges"
                if machine.role != "edge"
                else f"must be a name or IPv4 address, got {shown(machine.public)}",
                "remove it" if machine.role != "edge" else 'for example "203.0.113.7"',
            )
        if not _SSH.match(machine.ssh):
            yield (
                ("machines", index, "ssh"),
                f"must be user@host or user@host:port, got {shown(machine.ssh)}",
                'for example "root@203.0.113.7"',
            )
        if not _HOST_KEY.match(machine.host_key):
            yield (
                ("machines", index, "host_key"),
                "must be a public host key",
                "take it from the machine's console: cat /etc/ssh/ssh_host_ed25519_key.pub",
            )


def _twice(stack: Stack) -> Iterator[Broken]:
    """A machine serves one role: two entries must not be the same machine."""
    first: dict[tuple[str, str], str] = {}
    for index, machine in enumerate(stack.machines):
        for key, value in (("address", machine.address), ("ssh", f"{machine.ssh_host}:{machine.ssh_port}")):
            other = first.setdefault((key, value), machine.name)
            if other != machine.name:
                yield (
                    ("machines", index, key),
                    f"is {other}'s too, and a machine serves one role",
                    "give it a machine of its own",
                )


def _kept(stack: Stack) -> str:
    """What this stack's data host would keep. Builds are on it whatever else is."""
    services = (
        ("PostgreSQL", stack.database == "postgres"),
        ("Redis", stack.redis),
        ("uploads", stack.uploads),
    )
    asked = [name for name, wanted in services if wanted]
    return f"it keeps the builds{''.join(f', {name}' for name in asked)}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
