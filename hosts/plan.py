"""What a fleet is set up from: stack, app's needs, secrets, certificates, and facts of the platform."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from slipway.settings import App, BadInput, Host, Outputs, Role, Stack

SETUP_DIGEST = "/var/cache/slipway/setup.digest"
"""Where a host keeps the digest of its set-up: on its system disk, so that a rebuilt host has none."""

APPLIED = "/var/cache/slipway/applied"
"""What each handler ran for. On the system disk: a host rebuilt around old data has applied nothing."""

WEB_PORT, WEB_TLS_PORT = 8_080, 8_443
"""Where a web host takes the edge's requests: plain, and by TLS."""

REDIS_PORT, REDIS_TLS_PORT = 6_379, 6_380
"""Where a data host takes what is for Redis: plain, and by TLS."""

BLUE_PORT = 21_000
GREEN_PORT = 22_000
"""Instance i (from 1) of the web process listens on 127.0.0.1, on its slot's port + i."""

S3_ROOT = "slipway-root"
BUILDS_WRITER = "builds-writer"
BUILDS_READER = "builds-reader"
UPLOADS = "uploads"
"""Access keys of the S3 accounts. Their secret keys are entries of the secret store."""


SshAccess = Literal["direct", "published", "loopback"]
"""How operators reach sshd: on its port; on a port that another machine forwards to 22; or from the host
itself, through a session agent, so that no port is open."""


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer that forwards requests to the web hosts directly; the fleet has no edge host."""

    network: str
    """CIDR block that its requests and health checks come from."""
    idle_seconds: int
    """How long it keeps a silent connection to a host open."""


@dataclass(frozen=True)
class Instance:
    """What only a host itself knows, on a platform whose hosts come and go."""

    id: str
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    """AWS services that are elsewhere: name (s3, ssm, imds, …) to URL."""


@dataclass(frozen=True)
class Acme:
    """How edges get the site's certificate by themselves."""

    directory: str
    """URL of the authority's ACME directory."""
    email: str
    names: tuple[str, ...]
    serve: bool
    """False for a rehearsal, whose certificate is not served."""
    account_key: str = field(repr=False)
    """Private key of the account, PEM; every edge has it."""
    thumbprint: str
    """The account key's (RFC 7638), which is the second half of the answer to every challenge."""
    roots: str = ""
    """Further authorities, PEM, by which the directory's own certificate is verified."""
    cloudflare_token: str = field(default="", repr=False)
    """Proves the names by DNS; empty: they are proved by HTTP."""

    @property
    def challenge(self) -> str:
        """`dns` or `http`."""
        return "dns" if self.cloudflare_token else "http"


@dataclass(frozen=True)
class FleetPlan:
    """One fleet, before it is set up. Frozen and picklable: every host is set up by a separate process."""

    outputs: Outputs
    app: App
    stack: Stack
    secrets: Mapping[str, str] = field(repr=False)
    """Values of the PLATFORM_* entries and of the load key."""
    ca_file: Path
    """Certificate of the fleet's own authority, PEM."""
    site_pem: Path
    """Site certificate, chain and private key in one PEM file."""
    host_pems: Mapping[str, Path]
    """Host name to certificate and private key, signed by the fleet's authority: for data hosts,
    and with `tls_to_web` for web hosts."""
    tls_to_web: bool = False
    """Does the edge reach web hosts by TLS, each by a certificate of `host_pems`?"""
    redis_pems: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Host name to the certificate and key by which it shows Redis' host who it is, where that is by TLS."""
    redis_in_plain: bool = True
    """May hosts reach Redis on another one in plain? Beside TLS, for releases of before that do."""
    versitygw: Path | None = None
    """The S3 server's binary, copied to data hosts that have none."""
    ssh_access: SshAccess = "direct"
    edge_names: tuple[str, ...] = ()
    """Names and addresses that the edge answers to besides the site's."""
    load_balancer: LoadBalancer | None = None
    hosts_come_and_go: bool = False
    """Do hosts start, set themselves up from a kit (hosts/kit) and leave without an operator?"""
    instance: Instance | None = None
    """The host that sets itself up; None on the operator's machine."""
    signers: str = ""
    """Who may release to the stack: text of the file that hosts check releases against."""
    acme: Acme | None = None
    """None: the edge serves `site_pem`."""
    packed_load_digest: str = ""
    """`load_digest`, in a kit: it holds no secrets."""

    @property
    def fleet(self) -> str:
        """The fleet's id, unique on a machine that runs several."""
        return f"{self.stack.project}-{self.stack.name}"

    @property
    def site_host(self) -> str:
        """Host name of the site, as in the Host header of health checks."""
        return urlsplit(self.outputs.url).hostname or "localhost"

    @property
    def database(self) -> str:
        """Name of the database; its roles are `<name>_owner` and `<name>_app`."""
        given = self.outputs.database.name if self.outputs.database else ""
        return given or self.stack.project.replace("-", "_")

    @property
    def load_digest(self) -> str:
        """SHA-256, in hex, of the key that lets load tests past the limits."""
        if self.packed_load_digest:
            return self.packed_load_digest
        return hashlib.sha256(self.secret(self.outputs.load_header_secret).encode()).hexdigest()

    @property
    def web_instances(self) -> int:
        """Instances of the web process on each web host."""
        return self.app.web.instances if self.app.web else 0

    @property
    def data(self) -> Host | None:
        """The host of database, Redis and S3, if the fleet has one."""
        hosts = self.outputs.by_role("data")
        return hosts[0] if hosts else None

    def secret(self, name: str) -> str:
        """The secret `name`. Raises BadInput if the store has none."""
        value = self.secrets.get(name)
        if not value:
            raise BadInput(
                f"the stack's secrets have no {name}",
                remedy=f"run slipway up --stack {self.stack.name}: it makes the platform's own secrets",
            )
        return value

    def addresses(self, *roles: Role) -> list[str]:
        """Private addresses of all hosts that have one of `roles`, in the order of the outputs."""
        return [host.address for host in self.outputs.hosts if host.is_any(*roles)]


def pack(plan: FleetPlan) -> str:
    """The plan as JSON for a host that sets itself up: no secrets, no certificates, no list of hosts."""
    return json.dumps(
        {
            "outputs": plan.outputs.model_copy(update={"hosts": []}).model_dump(mode="json"),
            "app": plan.app.model_dump(mode="json"),
            "stack": plan.stack.model_dump(mode="json"),
            "load_balancer": asdict(plan.load_balancer) if plan.load_balancer else None,
            "ssh_access": plan.ssh_access,
            "load_digest": plan.load_digest,
            "signers": plan.signers,
        },
        sort_keys=True,
    )


def unpack(text: str, ca_file: Path, instance: Instance) -> FleetPlan:
    """The plan of `pack`, on the host that is `instance`."""
    packed = json.loads(text)
    balancer = packed["load_balancer"]
    return FleetPlan(
        outputs=Outputs.model_validate(packed["outputs"]),
        app=App.model_validate(packed["app"]),
        stack=Stack.model_validate(packed["stack"]),
        secrets={},
        ca_file=ca_file,
        site_pem=Path(os.devnull),
        host_pems={},
        ssh_access=packed["ssh_access"],
        load_balancer=LoadBalancer(**balancer) if balancer else None,
        hosts_come_and_go=True,
        instance=instance,
        packed_load_digest=packed["load_digest"],
        signers=packed["signers"],
    )
