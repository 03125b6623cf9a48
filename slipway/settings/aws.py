"""Settings of platform `aws`: what a stack's infrastructure is made of, and how much of it.

The defaults here are production's. `PREVIEW` is what other purposes get instead: the same parts, cheaper and
quicker to throw away. Both are only defaults: a stack's file overrides any of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from slipway.settings.schema import Setting

Purpose = Literal["production", "preview"]
Window = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d-\d\d:\d\d$")]
WeeklyWindow = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}:\d\d:\d\d-[a-z]{3}:\d\d:\d\d$")]
ZoneLetters = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,6}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Network(Setting):
    """VPC, zones and the way out."""

    cidr: str = "10.20.0.0/16"
    """Of the VPC; /16 to /20."""
    zones: int = Field(default=2, ge=2, le=3)
    """Availability zones: a load balancer needs two."""
    zone_letters: ZoneLetters = "abc"
    """Which, in this order. Not every account has every zone: `aws ec2 describe-availability-zones`."""
    nat: Literal["per_zone", "one"] = "per_zone"
    """Gateways for the hosts' way out: one a zone survives the loss of a zone, one in all costs less."""
    endpoints: bool = True
    """Endpoints of AWS's services inside the network? S3's is free and always there; the others (sessions,
    secrets, logs, keys) keep hosts manageable while a gateway is gone, and cost by the hour and zone."""
    flow_log_days: int = Field(default=30, ge=1)
    """How long refused and accepted connections are kept."""


class Group(Setting):
    """Hosts of one role: an Auto Scaling group."""

    type: str = "t3.medium"
    """EC2 instance type; of the architecture that the builds are made for."""
    min: int = Field(default=2, ge=0, le=64)
    """Fewest hosts."""
    max: int = Field(default=6, ge=1, le=64)
    """Most hosts; at least one more than `min`, so that hosts can be replaced one by one."""
    disk_gb: int = Field(default=20, ge=8, le=1000)
    """Size of the encrypted disk."""


class LoadBalancer(Setting):
    """The Application Load Balancer and the firewall before it."""

    ssl_policy: str = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    """TLS 1.2 with forward secrecy, and 1.3 (ELB.17)."""
    algorithm: Literal["least_outstanding_requests", "round_robin"] = "least_outstanding_requests"
    """How a new client's host is chosen."""
    slow_start_seconds: int = Field(default=0, ge=0, le=900)
    """0 or 30 to 900; only with `round_robin`."""
    sticky_seconds: int = Field(default=86_400, ge=1, le=604_800)
    """Life of the cookie that brings a client back to its host."""
    idle_seconds: int = Field(default=120, ge=30, le=4000)
    """After which a silent connection is closed: well above the app's heartbeat."""
    heartbeat_seconds: int = Field(default=30, ge=5, le=300)
    """At least how often every open socket carries a message; Cloudflare drops silent ones at about 100 s."""
    deregistration_seconds: int | None = Field(default=None, ge=0, le=3600)
    """From a host's leaving to the end of its connections. None: the app's longest drain plus 30."""
    health_seconds: int = Field(default=10, ge=5, le=30)
    """Between two readiness checks (I3: 30 at most)."""
    deletion_protection: bool = True
    """Does AWS refuse to delete it? (ELB.6)"""
    log_days: int = Field(default=90, ge=1)
    """How long access and connection logs are kept."""
    firewall: bool = True
    """A web ACL with AWS's managed rules and a rate rule?"""
    requests_per_5_minutes: int = Field(default=3000, ge=100, le=2_000_000)
    """Per client address; beyond it the firewall blocks."""


class Database(Setting):
    """RDS PostgreSQL."""

    type: str = "db.t4g.medium"
    """Instance class."""
    version: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?$")] = "16"
    """Major version; minor ones come by themselves in the maintenance window."""
    storage_gb: int = Field(default=50, ge=20, le=16_000)
    """At first."""
    max_storage_gb: int = Field(default=200, ge=20, le=65_536)
    """To which it grows by itself."""
    multi_az: bool = True
    """A standby in another zone?"""
    pooler: Literal["rds_proxy", "none"] = "rds_proxy"
    """What keeps connections to the database few."""
    backup_days: int = Field(default=14, ge=1, le=35)
    """How long automated backups are kept: to any second of that time."""
    backup_window: Window = "02:00-03:00"
    """UTC."""
    maintenance_window: WeeklyWindow = "sun:03:30-sun:04:30"
    """UTC; must not overlap the backup window."""
    deletion_protection: bool = True
    """Does AWS refuse to delete it? (RDS.8)"""
    final_snapshot: bool = True
    """Is a snapshot taken before it is deleted?"""
    insights_days: Literal[7, 93, 186, 372, 731] = 7
    """How long Performance Insights are kept; 7 days are free."""


class Cache(Setting):
    """ElastiCache for Redis: queues, cache, rate limits."""

    type: str = "cache.t4g.small"
    """Node type."""
    version: Annotated[str, StringConstraints(pattern=r"^7\.\d+$")] = "7.1"
    """Of Redis."""
    replicas: int = Field(default=1, ge=0, le=5)
    """Besides the primary; with one or more, failover is automatic."""
    cluster_mode: bool = False
    """Sharded? Queues on BullMQ cannot use it."""
    eviction: Literal["noeviction", "allkeys-lru", "volatile-lru", "volatile-ttl"] = "noeviction"
    """What happens when memory is full; with queues nothing may be thrown away."""
    snapshot_days: int = Field(default=7, ge=0, le=35)
    """How long daily snapshots are kept."""
    final_snapshot: bool = True
    """Is a snapshot taken before it is deleted?"""


class Buckets(Setting):
    """The stack's S3 buckets."""

    old_version_days: int = Field(default=30, ge=1)
    """How long overwritten and deleted objects can be brought back."""
    unfinished_days: int = Field(default=2, ge=1)
    """After which unfinished uploads are thrown away."""
    origins: list[str] = Field(default_factory=list)
    """Origins whose pages may upload; default: the site's own. Never `*`."""
    uploads_prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+/)+$")] = "users/"
    """Under which the app keeps uploads: its hosts may touch nothing else there. Ends with `/`."""


class GitHub(Setting):
    """The repository whose workflows release, by OIDC: no key is stored anywhere."""

    repository: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    """`owner/name`."""
    environment: str = ""
    """The GitHub environment that may release this stack; default: the stack's name."""
    provider: Literal["create", "existing"] = "create"
    """An account has one identity provider for GitHub: `existing` if another stack made it."""


class Alerts(Setting):
    """Who hears of what is wrong, and from when on it is (I10)."""

    emails: list[Email] = Field(default_factory=list[str])
    """Each confirms once."""
    p95_ms: float = Field(default=500, gt=0)
    """Slowest tolerable p95 at the load balancer."""
    error_percent: float = Field(default=1, gt=0, le=100)
    """Highest share of 5xx answers."""
    redis_memory_percent: float = Field(default=80, gt=0, le=100)
    """Highest use of Redis' memory."""
    queue_length: int = Field(default=1000, ge=1)
    """Most waiting jobs."""
    certificate_days: int = Field(default=14, ge=1)
    """Fewest days that the certificate is still good for."""
    limited_per_5_minutes: int = Field(default=500, ge=1)
    """Most requests that limits turned away."""


class Mail(Setting):
    """SES: sending mail as a domain of yours."""

    domain: str
    """That mail is sent from."""
    bounce_percent: float = Field(default=5, gt=0, le=100)
    """AWS pauses sending at 10."""
    complaint_percent: float = Field(default=0.1, gt=0, le=100)
    """AWS pauses sending at 0.5."""


class Budget(Setting):
    """An alarm on the bill."""

    monthly_usd: int = Field(ge=1)
    """Told at 80 and 100 percent, and when the forecast passes it."""


class Aws(Setting):
    """One stack on AWS."""

    account: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    """The only account this stack may be made in."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    """Where everything is."""
    profile: str = ""
    """Of your AWS configuration; empty: as the AWS command line would choose."""
    image: str = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    """Machine image of the hosts: an `ami-…`, or a parameter that names the newest Debian 12."""
    hosted_zone: str = ""
    """Route 53 zone of the domain, `Z…`, if Cloudflare does not answer for it."""
    certificate: str = ""
    """ARN of a certificate of your own; empty: one is made, and proved by DNS."""
    network: Network = Network()
    """See below."""
    web: Group = Group()
    """Hosts of role web."""
    worker: Group = Group(min=1, max=3)
    """Hosts of role worker."""
    load_balancer: LoadBalancer = LoadBalancer()
    """See below."""
    database: Database = Database()
    """See below."""
    cache: Cache = Cache()
    """See below."""
    buckets: Buckets = Buckets()
    """See below."""
    secret_recovery_days: int = Field(default=30, ge=7, le=30)
    """How long a deleted secret and key can be brought back."""
    alerts: Alerts = Alerts()
    """See below."""
    github: GitHub | None = None
    """See below."""
    mail: Mail | None = None
    """See below; absent: no mail."""
    budget: Budget | None = None
    """See below; absent: no alarm."""
    audit: bool = True
    """A trail of every call to the account's API? Once in an account is enough."""
    protect: bool = True
    """Does Pulumi refuse to delete what holds data? AWS's own protections are apart."""


class Cloudflare(Setting):
    """Cloudflare in front: DNS, strict TLS, its firewall and cache; the hosts see only its addresses."""

    account: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """Account id."""
    zone: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """Zone id."""
    zone_name: str
    """Name of the zone; the stack's domain lies in it."""
    manage_zone: bool = True
    """Zone-wide settings (TLS, cache) by this stack? One stack a zone does."""
    edge_certificate: Literal["universal", "advanced"] = "universal"
    """`universal` covers the zone and one label below it; `advanced` any name, and costs by the month."""
    uploads: Literal["s3", "r2"] = "s3"
    """Where uploads live."""
    worker: bool = False
    """The real-time router as a Worker with Durable Objects, at `rt.<domain>`?"""
    worker_connections: int = Field(default=10_000, ge=1, le=32_768)
    """Most sockets of one Durable Object."""
    worker_migrated: bool = False
    """Turn on after the Worker's first `up`: Cloudflare makes a Durable Object's class once only."""
    managed_rules: bool = True
    """Cloudflare's managed firewall rules? They need the Pro plan."""
    requests_per_10_seconds: int = Field(default=200, ge=10)
    """Per client address; beyond it Cloudflare blocks."""


PREVIEW: dict[str, Any] = {
    "network": {"nat": "one", "endpoints": False, "flow_log_days": 7},
    "web": {"type": "t3.small", "min": 2, "max": 3},
    "worker": {"type": "t3.small", "min": 1, "max": 2},
    "load_balancer": {"deletion_protection": False, "log_days": 14},
    "database": {
        "type": "db.t4g.micro", "storage_gb": 20, "max_storage_gb": 50, "multi_az": False, "pooler": "none",
        "backup_days": 3, "deletion_protection": False, "final_snapshot": False,
    },
    "cache": {"type": "cache.t4g.micro", "replicas": 0, "snapshot_days": 1, "final_snapshot": False},
    "buckets": {"old_version_days": 7},
    "secret_recovery_days": 7,
    "audit": False,
    "protect": False,
}  # fmt: skip
"""What a stack that is not production has instead of the defaults above, key by key."""


def with_defaults(given: Any, purpose: Purpose) -> Any:
    """`given` (the `slipway:aws` mapping) with what it leaves out filled in for `purpose`.

    What is not a mapping is left as it is: the model says what is wrong with it.
    """
    return _merged(PREVIEW, given) if purpose == "preview" else given


def _merged(under: dict[str, Any], over: Any) -> Any:
    if not isinstance(over, dict):
        return over
    merged: dict[str, Any] = {**under, **over}
    for key, value in under.items():
        if isinstance(value, dict) and key in over:
            merged[key] = _merged(value, over[key])  # pyright: ignore[reportUnknownArgumentType]
    return merged
