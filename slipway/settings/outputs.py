"""Stack outputs: what a platform promises to the pipeline.

Filled by `pulumi stack output --json` or by the local fleet; everything after provisioning sees only this.
No field holds a secret value: a `*_secret` field names an entry of the stack's secret store instead, and
`${secret:NAME}` inside a URL is filled from the store when an env is composed.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from slipway.settings.platform_facts import PlatformName
from slipway.settings.schema import Table

Role = Literal["edge", "web", "worker", "data"]


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _in_order(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    """The same set of roles is the same value, however it was written."""
    if not roles:
        raise ValueError("must name at least one role")
    if twice := next((role for role in roles if roles.count(role) > 1), None):
        raise ValueError(f"names {twice} twice")
    return tuple(role for role in get_args(Role) if role in roles)


Roles = Annotated[tuple[Role, ...], BeforeValidator(_listed), AfterValidator(_in_order)]
"""What a host does: one role, or several that share it."""

LOAD_HEADER = "X-Slipway-Load"
"""Carries the stack's load key: the edge then exempts a request from the per-address limits."""
LOOPBACK = "127.0.0.1"
STICKY_COOKIE = "SLIPWAY_HOST"
"""Set by the edge: the name of the host to which the client's requests go."""


class Output(Table):
    """A part of the stack outputs."""


class Host(Output):
    """One host of the fleet. `name` is also its ssh alias in the generated ssh_config."""

    name: str
    roles: Roles = Field(validation_alias=AliasChoices("roles", "role"))
    address: str
    """The address other hosts of the fleet reach it by (private network)."""
    ssh_host: str
    """The address the operator reaches it by."""
    ssh_port: int = 22
    ssh_user: str = "root"
    host_key: str = ""
    """Pinned public host key, `ssh-ed25519 AAAA…`."""

    @property
    def role(self) -> str:
        """Its roles in one word: `web`, or `edge+web+worker+data`."""
        return "+".join(self.roles)

    @property
    def only_role(self) -> Role:
        """The role of a host that has one, as all on AWS do."""
        (role,) = self.roles
        return role

    def is_any(self, *roles: Role) -> bool:
        """Has the host at least one of `roles`?"""
        return not {*roles}.isdisjoint(self.roles)


class Bucket(Output):
    """An S3 bucket and how the operator and the hosts reach it."""

    bucket: str
    region: str = "us-east-1"
    endpoint: str | None = None
    """As the fleet's hosts reach it; None: AWS's own."""
    public_endpoint: str | None = None
    """As browsers reach it (presigned URLs); None: as endpoint."""
    tunnel: str | None = None
    """Name of the host through whose ssh connection the operator reaches `endpoint`; None: directly."""
    ca_file: str = ""
    """Path on the operator's machine of the CA that signed `endpoint`'s certificate; empty: the site's."""
    access_key: str | None = None
    """Access key id of the account; None: the ambient AWS credentials."""
    secret_key_secret: str | None = None
    """Name of the secret key in the stack's secret store."""
    reader_access_key: str | None = None
    reader_secret_key_secret: str | None = None
    """The hosts' read-only account (builds bucket)."""
    prefix: str = ""
    """Beginning of the keys that a preview may use in a bucket that it shares with others; ends with `/`."""


class Database(Output):
    """PostgreSQL, or an external database by URL."""

    url: str
    """For the app: lesser role, through the pooler. May contain `${secret:NAME}`."""
    migrate_url: str
    """For migrations: owner role, direct."""
    app_role: str = ""
    name: str = ""
    ca_file: str = ""
    """Path on the hosts of the CA that signed the server's certificate; empty: the system's."""
    backup_host: str = ""
    """Host that can run the kit's backup command; empty: backups are the provider's."""


class Redis(Output):
    """Redis for queues, cache and rate limits."""

    url: str
    namespace: str


class SecretStore(Output):
    """Where the stack's secrets live."""

    kind: Literal["age", "aws"]
    location: str
    """age: path of the encrypted file; aws: ARN of the Secrets Manager secret."""


class Cloud(Output):
    """The names of a stack's parts in AWS, for discovering its hosts and for `slipway up`; never values."""

    region: str
    account: str
    groups: dict[Role, str]
    """Auto Scaling group by role; its members are the fleet."""
    boot_secrets: dict[Role, str]
    """ARN, by role, of the secret from which a new host starts the live release."""
    key: str
    """ARN of the stack's KMS key."""
    target_group: str
    """ARN of the load balancer's target group of web hosts."""
    database: str = ""
    """Identifier of the RDS instance; empty: none."""
    database_host: str = ""
    """Its address, for migrations and for creating roles."""
    master_secret: str = ""
    """ARN of the secret that RDS keeps and rotates: the master user's."""
    database_secret: str = ""
    """ARN of the secret with the app role's name and password, for RDS Proxy; empty: no proxy."""
    cache: str = ""
    """Id of the ElastiCache replication group; empty: none."""
    roles: dict[Role, str] = Field(default_factory=dict[Role, str])
    """Unique id (`AROA…`) of each role's instance role: a host's `aws:userid` is `<id>:<instance id>`."""
    app_role: str = ""
    """ARN of the role whose credentials the app gets for S3 and mail; empty: it uses neither."""


class Outputs(Output):
    """One stack, as the pipeline sees it."""

    stack: str
    platform: PlatformName
    url: str
    """Public URL of the app, without a trailing slash."""
    connect: str = ""
    """`address:port` to connect to for `url` if its name does not resolve (local fleet, new DNS)."""
    ca_file: str = ""
    """Path on the operator's machine of the CA that signed the site's certificate; empty: public."""
    hosts: list[Host] = Field(default_factory=list[Host])
    ssh_config: str = ""
    """Path of the generated ssh_config (pinned keys, kept connections)."""
    builds: Bucket
    uploads: Bucket | None = None
    database: Database | None = None
    redis: Redis | None = None
    secrets: SecretStore
    cloud: Cloud | None = None
    """Platform aws only. There `hosts` is empty in the stack outputs, and filled by discovery."""
    load_header_secret: str = "SLIPWAY_LOAD_KEY"  # noqa: S105 - the name of an entry, not its value
    """Entry whose value, sent as X-Slipway-Load, lets load tests past the per-address limits."""

    def by_role(self, role: Role) -> list[Host]:
        """The hosts that have `role`, in the order of the outputs."""
        return [host for host in self.hosts if host.is_any(role)]

    @property
    def redis_clients(self) -> list[Host]:
        """Hosts that send what is for Redis to the data host by TLS, through a proxy of their own."""
        if self.redis is None or urlsplit(self.redis.url).hostname != LOOPBACK:
            return []
        return [host for host in self.hosts if host.is_any("web", "worker") and not host.is_any("data")]

    def host(self, name: str) -> Host:
        """The host called `name`; KeyError if there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    @property
    def ssh_config_path(self) -> Path:
        """`ssh_config` as a path."""
        return Path(self.ssh_config)

    @property
    def host_cookie(self) -> str:
        """Name of the cookie that holds a client's host; empty behind an ALB, which encrypts its value."""
        return "" if self.cloud else STICKY_COOKIE

    @property
    def has_managed_redis(self) -> bool:
        """Whether the provider runs Redis (ElastiCache): replicated, and without administrative commands."""
        return self.cloud is not None and bool(self.cloud.cache)
