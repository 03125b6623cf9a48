"""What setting up a fleet starts from: the stack, the app's needs, secrets and certificates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from slipway.settings.app import App
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Host, Outputs
from slipway.settings.stack import Stack

SETUP_DIGEST = "/var/cache/slipway/setup.digest"
"""Where a host keeps the digest of its set-up: on its system disk, and gone when that is made anew."""

BLUE_PORT = 21_000
GREEN_PORT = 22_000
"""Instance i (from 1) of the web process listens on 127.0.0.1, on its slot's port + i."""

S3_ROOT = "slipway-root"
BUILDS_WRITER = "builds-writer"
BUILDS_READER = "builds-reader"
UPLOADS = "uploads"
"""Access keys of the S3 accounts. Their secret keys are entries of the secret store."""


@dataclass(frozen=True)
class FleetPlan:
    """One fleet, before it is set up. Frozen and picklable: every host is set up by its own process."""

    outputs: Outputs
    app: App
    stack: Stack
    secrets: Mapping[str, str] = field(repr=False)
    """Values of the PLATFORM_* entries and of the load key."""
    ca_file: Path
    """Certificate of the fleet's own authority, PEM."""
    site_pem: Path
    """What the edge shows: certificate, chain and private key in one PEM file."""
    host_pems: Mapping[str, Path]
    """By host name: certificate and private key by the fleet's authority; data hosts need one."""
    versitygw: Path | None = None
    """The S3 server's binary, copied to data hosts that have none."""

    @property
    def fleet(self) -> str:
        """The fleet's id, unique on a machine that runs several."""
        return f"{self.stack.project}-{self.stack.name}"

    @property
    def site_host(self) -> str:
        """Host name of the site, as in the Host header of health checks."""
        return urlsplit(self.outputs.url).hostname or "localhost"

    @property
    def local(self) -> bool:
        """Are the hosts containers on the operator's machine?"""
        return self.outputs.platform == "local"

    @property
    def aws(self) -> bool:
        """Do hosts come and go, and set themselves up from a kit (hosts/kit)?"""
        return self.outputs.platform == "aws"

    @property
    def database(self) -> str:
        """Name of the database; its roles are `<name>_owner` and `<name>_app`."""
        given = self.outputs.database.name if self.outputs.database else ""
        return given or self.stack.project.replace("-", "_")

    @property
    def load_digest(self) -> str:
        """SHA-256, in hex, of the key that lets load tests past the limits."""
        return hashlib.sha256(self.secret(self.outputs.load_header_secret).encode()).hexdigest()

    @property
    def web_instances(self) -> int:
        """Instances of the web process on each web host."""
        return self.app.web.instances if self.app.web else 0

    @property
    def data(self) -> Host | None:
        """The host of database, Redis and S3, if the fleet has its own."""
        hosts = self.outputs.by_role("data")
        return hosts[0] if hosts else None

    def secret(self, name: str) -> str:
        """The value called `name`; BadInput if the store has none."""
        value = self.secrets.get(name)
        if not value:
            raise BadInput(
                f"the stack's secrets have no {name}",
                remedy=f"run slipway up --stack {self.stack.name}: it makes the platform's own secrets",
            )
        return value

    def addresses(self, *roles: str) -> list[str]:
        """Private addresses of all hosts of `roles`, in the order of the outputs."""
        return [host.address for host in self.outputs.hosts if host.role in roles]
