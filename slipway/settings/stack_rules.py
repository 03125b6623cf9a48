"""Rules across the settings of a stack: names, ports, servers; those of AWS are in `aws_rules`."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from slipway.settings.platform_facts import section_owners
from slipway.settings.stack import ACME_DIRECTORIES, Stack
from slipway.settings.violations import Broken, shown

_SSH = re.compile(r"^[a-z_][a-z0-9_-]*@[A-Za-z0-9_][A-Za-z0-9._-]*(:[0-9]{1,5})?$")
_HOST_KEY = re.compile(r"^(ssh-ed25519|ecdsa-sha2-nistp[0-9]+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$")
_DOMAIN = re.compile(
    r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
)
_PUBLIC = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
_ACME_URL = re.compile(r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/-]*$")
MOST_ACME_EDGES = 4
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
    elif stack.facts.needs_domain and stack.domain == "localhost":
        yield ("domain",), f"is required on platform {stack.platform}", 'for example "app.example.com"'
    for section, platform in section_owners().items():
        if section in stack.model_fields_set and section not in stack.facts.sections:
            yield (section,), f"is for platform {platform}, and this stack's is {stack.platform}", "remove it"
    if stack.previews:
        yield from _previews(stack)
    if "local" in stack.facts.sections:
        yield from _ports(stack)
    if "servers" in stack.facts.sections:
        yield from _servers(stack)
        yield from _acme(stack)
    if "aws" in stack.facts.sections and stack.aws is None:
        yield ("aws",), f"is required on platform {stack.platform}", 'at least `account: "123456789012"`'
    if stack.aws is not None:
        from slipway.settings.aws_rules import broken_aws_rules  # noqa: PLC0415 - slow, and for AWS only

        yield from broken_aws_rules(stack)


def _previews(stack: Stack) -> Iterator[Broken]:
    """Previews share one host, and each gets a name below the stack's."""
    key = ("previews",)
    if stack.purpose == "production":
        yield key, "is not for a stack in production: previews run code that is not reviewed yet", "remove it"
    elif "aws" not in stack.facts.sections and not (stack.local.one_host or len(stack.servers) == 1):
        here = "local" in stack.facts.sections
        remedy = "local: {one_host: true}" if here else "servers: list one, with all roles"
        yield key, "needs a stack of one host, which carries them all", f"slipway:{remedy}"
    if "." not in stack.domain:
        yield (
            ("domain",),
            f"must have two parts or more, got {shown(stack.domain)}: clients refuse a certificate "
            f"for *.{stack.domain}",
            'for example "previews.localhost"',
        )
    if stack.database == "external":
        yield key, "cannot make databases on an external server", "slipway:database: postgres or none"


def _ports(stack: Stack) -> Iterator[Broken]:
    local = stack.local
    if local.one_host:
        for key in ("web", "worker"):
            if key in local.model_fields_set:
                yield ("local", key), "counts hosts, and one_host says that there is one", "remove it"
    hosts = 1 if local.one_host else 1 + local.web + local.worker + 1
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


def _servers(stack: Stack) -> Iterator[Broken]:
    roles = [role for server in stack.servers for role in server.roles]
    for role, why in (("edge", "it takes requests"), ("web", "it answers them"), ("data", _kept(stack))):
        if role not in roles:
            yield ("servers",), f"there is no server of role {role}", f"add one: {why}"
    if roles.count("data") > 1:
        yield (
            ("servers",),
            f"there are {roles.count('data')} servers of role data, one is served",
            "keep the role where the data is",
        )
    yield from _twice(stack)
    for index, server in enumerate(stack.servers):
        if not _is_address(server.address):
            yield (
                ("servers", index, "address"),
                f"must be an IP address, got {shown(server.address)}",
                "the one in the fleet's private network: firewalls are made of it",
            )
        if server.public and ("edge" not in server.roles or not _PUBLIC.match(server.public)):
            yield (
                ("servers", index, "public"),
                "is for edges"
                if "edge" not in server.roles
                else f"must be a name or IPv4 address, got {shown(server.public)}",
                "remove it" if "edge" not in server.roles else 'for example "203.0.113.7"',
            )
        if not _SSH.match(server.ssh):
            yield (
                ("servers", index, "ssh"),
                f"must be user@host or user@host:port, got {shown(server.ssh)}",
                'for example "root@203.0.113.7"',
            )
        if not _HOST_KEY.match(server.host_key):
            yield (
                ("servers", index, "host_key"),
                "must be a public host key",
                "take it from the server's console: cat /etc/ssh/ssh_host_ed25519_key.pub",
            )


def _acme(stack: Stack) -> Iterator[Broken]:
    """HTTP-01 proves no name with a star, and one account has few attempts."""
    if (acme := stack.acme) is None:
        return
    if acme.server not in ACME_DIRECTORIES and not _ACME_URL.match(acme.server):
        yield (
            ("acme", "server"),
            f"must be {', '.join(ACME_DIRECTORIES)} or an https URL, got {shown(acme.server)}",
            'for example "https://ca.example.com/acme/acme/directory"',
        )
    if acme.ca_certificates and acme.server in ACME_DIRECTORIES:
        yield (
            ("acme", "ca_certificates"),
            f"is for an authority of your own, and server is {acme.server}",
            "remove it",
        )
    if stack.previews and acme.challenge == "http":
        yield (
            ("acme",),
            f"cannot prove *.{stack.domain}, which previews need, by HTTP",
            "challenge: dns; or remove it, and set SITE_CERTIFICATE to a certificate for that name too",
        )
    if "." not in stack.domain or _is_address(stack.domain):
        yield ("domain",), "must be a public name for slipway:acme", 'for example "app.example.com"'
    edges = sum("edge" in server.roles for server in stack.servers)
    if edges > MOST_ACME_EDGES:
        yield (
            ("acme",),
            f"serves {MOST_ACME_EDGES} edges at most, not {edges}: each gets a certificate of its own,"
            " and Let's Encrypt issues five a week for the same names",
            "fewer edges, or remove it and set SITE_CERTIFICATE",
        )


def _twice(stack: Stack) -> Iterator[Broken]:
    """A server has one entry, which lists its roles."""
    first: dict[tuple[str, str], str] = {}
    for index, server in enumerate(stack.servers):
        for key, value in (("address", server.address), ("ssh", f"{server.ssh_host}:{server.ssh_port}")):
            other = first.setdefault((key, value), server.name)
            if other != server.name:
                yield (
                    ("servers", index, key),
                    f"is {other}'s too",
                    "list its roles in one entry: role: [edge, web]",
                )


def _kept(stack: Stack) -> str:
    """What this stack's data host would keep: always the builds."""
    services = (
        ("PostgreSQL", stack.database == "postgres"),
        ("Redis", stack.redis),
        ("uploads", stack.uploads),
    )
    kept = [name for name, wanted in services if wanted]
    return f"it keeps the builds{''.join(f', {name}' for name in kept)}"


def _is_address(text: str) -> bool:
    """An IPv6 scope (`fe80::1%…`) may be any text, so none is taken."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
