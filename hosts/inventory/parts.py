"""The inventory of a host, its parts, and the deviation, which is what a comparison with the host finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Topic = Literal[
    "account", "authority", "disk", "file", "firewall", "hardening", "journal", "kernel", "key", "mode",
    "mount", "name", "package", "port", "privilege", "program", "route", "ssh", "startup", "sudo", "unit",
]  # fmt: skip
Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Placed:
    """A file or folder as the set-up leaves it; what is empty does not count."""

    sha256: str = ""
    mode: str = ""
    user: str = ""
    group: str = ""


@dataclass(frozen=True)
class UnitState:
    """Whether a unit runs and starts at boot; None: the set-up leaves that open."""

    active: bool | None = None
    enabled: bool | None = None


@dataclass
class Inventory:
    """What belongs on one host by its set-up."""

    host: str
    role: str
    ssh_user: str
    ssh_ports: list[int]
    files: dict[str, Placed] = field(default_factory=dict[str, Placed])
    folders: dict[str, Placed] = field(default_factory=dict[str, Placed])
    units: dict[str, UnitState] = field(default_factory=dict[str, UnitState])
    settings: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By unit, the `[Service]` settings that the set-up gives it."""
    users: list[str] = field(default_factory=list[str])
    packages: list[str] = field(default_factory=list[str])
    ports: list[int] = field(default_factory=list[int])
    app_ports: list[int] = field(default_factory=list[int])
    """Where the app's own accounts may listen, on any address: no rule of the packet filter opens them."""
    loopback_ports: list[int] = field(default_factory=list[int])
    """Where HAProxy, and the proxy that leads to Redis, listen on loopback."""
    kernel: dict[str, str] = field(default_factory=dict[str, str])
    journal: dict[str, str] = field(default_factory=dict[str, str])
    """journald's settings."""
    haproxy_connections: str = ""
    """`maxconn` of HAProxy's configuration."""
    haproxy_frontends: dict[str, str] = field(default_factory=dict[str, str])
    """By frontend, the `maxconn` that its configuration gives it."""
    haproxy_servers: dict[str, str] = field(default_factory=dict[str, str])
    """By `backend/server`, the address and port that its configuration gives it."""
    handlers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By the record of a handler (`on_change`), the files that it serves."""
    operator_keys: list[str] | None = None
    """Fingerprints of the keys in the user's own file that may sign in; None: the platform knows none."""
    granted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By file, fingerprints of the keys that `slipway access` granted."""
    authorities: list[str] = field(default_factory=list[str])
    """Digests of trusted authorities beside Debian's."""
    mounts: list[str] = field(default_factory=list[str])
    """Where the platform mounts disks."""
    image_is_known: bool = False
    """Whether the host has nothing but what packages, set-up and `files` brought: no provider's image."""
    resolvers: list[str] | None = None
    """Addresses of the name servers that the platform gives its hosts; None: it knows none."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Inventory:
        """From what `to_json` gave."""
        fields = dict(given)
        for name, kind in (("files", Placed), ("folders", Placed), ("units", UnitState)):
            fields[name] = {key: kind(**value) for key, value in fields[name].items()}
        return cls(**fields)


@dataclass(frozen=True)
class Deviation:
    """One thing on a host that is not as its set-up left it, or that does not belong there."""

    host: str
    topic: Topic
    what: str
    """Name of the thing: a path, an account, a unit, a port."""
    was: str
    """As the set-up left it, or `does not belong`."""
    found: str
    """As it is; never a secret."""
    severity: Severity = "high"
    repaired: bool = False
    """Does `slipway up` put it right?"""
    files: tuple[str, ...] = ()
    """Files whose handlers have to run again."""

    def __str__(self) -> str:
        return f"{self.what} ({self.found})" if self.found else self.what


FOREIGN = "does not belong"
