"""Settings of platform `aws`: a stack's infrastructure and its sizes.

The defaults here are production's. `PREVIEW` has those of other purposes: the same parts, cheaper and
quicker to delete. A stack's file overrides any of them.
"""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, StringConstraints

from slipway.settings.schema import Setting

WORKER_SCRIPT = "worker/dist/worker.js"
"""The real-time Worker, built: one module, in the app's folder."""
WORKER_BUILD = "bun run worker:build"
"""What builds it, in the app's folder."""

Purpose = Literal["production", "preview"]
Window = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$")]
WeeklyWindow = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{3}:[0-9]{2}:[0-9]{2}-[a-z]{3}:[0-9]{2}:[0-9]{2}$")
]
ZoneId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,6}[0-9]-az[0-9]{1,2}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Network(Setting):
    """VPC, zones, NAT gateways and endpoints."""

    cidr: str = "10.20.0.0/16"
    """Address range of the VPC; /16 to /20."""
    zones: int = Field(default=2, ge=2, le=3)
    """Availability zones: a load balancer needs two."""
    zone_ids: list[ZoneId] = Field(default_factory=list[ZoneId])
    """Ids of the zones, in order: `use1-az1` is one place in every account, the letter of a name is not.
    `slipway bootstrap` asks AWS once and writes them here, and subnets stay in them whatever AWS adds later.
    Empty: nothing can be made yet; commands that need no credentials draw the region's first."""
    nat: Literal["per_zone", "one"] = "per_zone"
    """NAT gateways: one per zone survives the loss of a zone, a single one costs less."""
    endpoints: bool = False
    """Are there VPC endpoints for sessions and secrets? S3's is free and always there. These three keep hosts
    manageable while a NAT gateway is down, and cost by the hour and zone: 44 USD a month in two zones."""
    flow_log_days: int = Field(default=30, ge=1)
    """Retention of the flow log of accepted and rejected connections, in days."""


class Group(Setting):
    """Hosts of one role: an Auto Scaling group."""

    type: str = "t3.medium"
    """EC2 instance type, of the architecture that builds are made for: `t4g` is arm64, `t3` amd64."""
    min: int = Field(default=2, ge=0, le=64)
    """Minimum number of hosts."""
    max: int = Field(default=6, ge=1, le=64)
    """Maximum number of hosts; more than `min`, so that hosts can be replaced one by one."""
    disk_gb: int = Field(default=20, ge=8, le=1000)
    """Size of the encrypted disk, in GB."""


class LoadBalancer(Setting):
    """The Application Load Balancer and its firewall."""

    ssl_policy: str = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    """TLS 1.2 with forward secrecy, and 1.3 (ELB.17)."""
    algorithm: Literal["least_outstanding_requests", "round_robin"] = "least_outstanding_requests"
    """How the host of a new client is chosen."""
    slow_start_seconds: int = Field(default=0, ge=0, le=900)
    """0 or 30 to 900; only with `round_robin`."""
    sticky_seconds: int = Field(default=86_400, ge=1, le=604_800)
    """Lifetime of the stickiness cookie, in seconds."""
    idle_seconds: int = Field(default=120, ge=30, le=4000)
    """Seconds after which a silent connection is closed: well above the app's heartbeat."""
    heartbeat_seconds: int = Field(default=30, ge=5, le=300)
    """Maximum seconds between messages on an open socket; Cloudflare closes silent ones after about 100."""
    deregistration_seconds: int | None = Field(default=None, ge=0, le=3600)
    """Seconds that connections have to finish when a host leaves. None: the app's longest drain plus 30."""
    health_seconds: int = Field(default=10, ge=5, le=30)
    """Seconds between two readiness checks (I3: 30 at most)."""
    deletion_protection: bool = True
    """Does AWS refuse to delete the load balancer? (ELB.6)"""
    log_days: int = Field(default=90, ge=1)
    """Retention of access and connection logs, in days."""
    firewall: bool = True
    """Is there a web ACL with AWS's managed rules and a rate limit?"""
    requests_per_5_minutes: int = Field(default=3000, ge=100, le=2_000_000)
    """Requests allowed from one client address in 5 minutes; the firewall blocks more."""


class Database(Setting):
    """RDS PostgreSQL."""

    type: str = "db.t4g.medium"
    """Instance class."""
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$")] = "16"
    """Major version; minor versions are upgraded automatically in the maintenance window."""
    storage_gb: int = Field(default=50, ge=20, le=16_000)
    """Initial storage, in GB."""
    max_storage_gb: int = Field(default=200, ge=20, le=65_536)
    """Upper limit for storage autoscaling, in GB."""
    multi_az: bool = True
    """Is there a standby in another zone?"""
    pooler: Literal["rds_proxy", "none"] = "rds_proxy"
    """What limits the number of connections to the database."""
    backup_days: int = Field(default=14, ge=1, le=35)
    """Retention of automated backups, in days: restore to any second of that time."""
    backup_window: Window = "02:00-03:00"
    """Daily backup window, UTC."""
    maintenance_window: WeeklyWindow = "sun:03:30-sun:04:30"
    """Weekly maintenance window, UTC; must not overlap the backup window."""
    deletion_protection: bool = True
    """Does AWS refuse to delete the database? (RDS.8)"""
    final_snapshot: bool = True
    """Is a snapshot taken before it is deleted?"""
    insights_days: Literal[7, 93, 186, 372, 731] = 7
    """Retention of Performance Insights, in days; 7 are free."""


class Cache(Setting):
    """ElastiCache for Redis: queues, cache, rate limits."""

    type: str = "cache.t4g.small"
    """Node type."""
    version: Annotated[str, StringConstraints(pattern=r"^7\.[0-9]+$")] = "7.1"
    """Version of Redis."""
    replicas: int = Field(default=1, ge=0, le=5)
    """Number of replicas; with one or more, failover is automatic."""
    cluster_mode: bool = False
    """Is Redis sharded? Queues on BullMQ cannot use that."""
    eviction: Literal["noeviction", "allkeys-lru", "volatile-lru", "volatile-ttl"] = "noeviction"
    """What is evicted when memory is full; with queues, nothing may be."""
    snapshot_days: int = Field(default=7, ge=0, le=35)
    """Retention of daily snapshots, in days."""
    final_snapshot: bool = True
    """Is a snapshot taken before it is deleted?"""


class Buckets(Setting):
    """The stack's S3 buckets."""

    old_version_days: int = Field(default=30, ge=1)
    """Days for which overwritten and deleted objects can be restored."""
    unfinished_days: int = Field(default=2, ge=1)
    """Days after which incomplete uploads are deleted."""
    origins: list[str] = Field(default_factory=list)
    """Origins whose pages may upload; default: the site's own. Never `*`."""
    uploads_prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+/)+$")] = "users/"
    """Prefix of the app's uploads, the only part of the bucket its hosts may use. Ends with `/`."""


class GitHub(Setting):
    """The repository whose workflows release, by OIDC, without stored keys."""

    repository: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    """`owner/name`."""
    owner_id: int = Field(default=0, ge=0)
    """Number of the owner, which GitHub puts into tokens of repositories that were created or renamed since
    2026-07-15; `slipway github ids` reads both. 0: an older repository."""
    repository_id: int = Field(default=0, ge=0)
    """Number of the repository; with `owner_id` or not at all."""
    environment: str = ""
    """The GitHub environment that may release this stack; default: the stack's name."""
    provider: Literal["create", "existing"] = "create"
    """An account has one identity provider for GitHub: `existing` if another stack has made it."""


class Alerts(Setting):
    """Who is notified by alarms, and their thresholds (I10)."""

    emails: list[Email] = Field(default_factory=list[str])
    """Addresses that are notified; each confirms once."""
    p95_ms: float = Field(default=500, gt=0)
    """Maximum p95 latency at the load balancer, in milliseconds."""
    error_percent: float = Field(default=1, gt=0, le=100)
    """Maximum percentage of 5xx responses."""
    redis_memory_percent: float = Field(default=80, gt=0, le=100)
    """Maximum use of Redis' memory, in percent."""
    queue_length: int = Field(default=1000, ge=1)
    """Maximum number of waiting jobs."""
    database_cpu_percent: float = Field(default=90, gt=0, le=100)
    """Maximum use of the database's processors, in percent."""
    database_connections: int = Field(default=0, ge=0)
    """Maximum number of open connections; 0: four fifths of what the instance class takes."""
    disk_percent: float = Field(default=85, gt=0, le=100)
    """Maximum use of a host's disk, in percent."""
    memory_percent: float = Field(default=92, gt=0, le=100)
    """Maximum use of a host's memory, in percent."""
    certificate_days: int = Field(default=14, ge=1)
    """Minimum days until the certificate expires."""
    limited_per_5_minutes: int = Field(default=500, ge=1)
    """Maximum number of requests that limits reject in 5 minutes."""


class Mail(Setting):
    """SES: mail from your domain."""

    domain: str
    """Domain that mail is sent from."""
    mail_from: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,63}$")] = "bounce"
    """Label below the domain that bounces go to (MAIL FROM), so that SPF is judged by your domain; empty:
    amazonses.com's is used."""
    dmarc: Literal["none", "quarantine", "reject", "elsewhere"] = "none"
    """What the domain's DMARC record tells receivers to do with mail that only claims to be yours;
    `elsewhere`: the domain has a record already, and none is made."""
    bounce_percent: float = Field(default=5, gt=0, le=100)
    """Maximum bounce rate; AWS pauses sending at 10."""
    complaint_percent: float = Field(default=0.1, gt=0, le=100)
    """Maximum complaint rate; AWS pauses sending at 0.5."""


class Budget(Setting):
    """A budget that notifies before it is exceeded."""

    monthly_usd: int = Field(ge=1)
    """US dollars a month; notifies at 80 and 100 percent, and when the forecast exceeds it."""


class Aws(Setting):
    """One stack on AWS."""

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    """The only account in which this stack may be made."""
    size: Literal["small", "standard", "large"] = "standard"
    """Defaults of a production stack: `small` for the first users, at less than 200 USD a month. It gives up:
    hosts in the other zone lose the internet with the zone of the only NAT gateway, and a failover of the
    database closes its connections, for there is no proxy; classes are burstable. Hosts are arm64 (t4g):
    builds come from an arm64 machine, or set both `type`s to t3.small."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = "us-east-1"
    """Region of all resources."""
    profile: str = ""
    """Profile in your AWS configuration; empty: the one that the AWS command line would use."""
    image: str = ""
    """Machine image of the hosts: `baked`, which `slipway image bake` makes; an `ami-…`; or a parameter that
    names one. Empty: Debian's newest for the hosts' processors."""
    hosted_zone: str = ""
    """Route 53 zone of the domain, `Z…`, if the domain is not on Cloudflare."""
    certificate: str = ""
    """ARN of a certificate of your own; empty: one is requested and validated by DNS."""
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
    secret_recovery_days: int = Field(default=30, ge=0, le=30)
    """Days for which a deleted secret or key can be restored: 7 to 30. 0: secrets are gone at once, so that a
    stack can be made again under its name; keys are kept for 7 days, which is AWS's least."""
    alerts: Alerts = Alerts()
    """See below."""
    github: GitHub | None = None
    """See below."""
    mail: Mail | None = None
    """See below; absent: no mail."""
    budget: Budget | None = None
    """See below; absent: no budget."""
    audit: bool = True
    """Is there a trail of all API calls? One for an account is enough."""
    protect: bool = True
    """Does Pulumi refuse to delete resources that hold data? AWS's own protections are other settings."""


class Cloudflare(Setting):
    """Cloudflare in front: DNS, strict TLS, firewall, cache; only its addresses reach the load balancer."""

    account: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """Account id."""
    zone: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """Zone id."""
    zone_name: str
    """Name of the zone that contains the stack's domain."""
    plan: Literal["free", "pro", "business"] = "free"
    """The zone's plan. On `free`, the rate limit covers every path of the zone, whatever the host, and
    Cloudflare's managed rules are off: that plan has neither."""
    manage_zone: bool = True
    """Does this stack manage zone-wide settings (TLS, cache)? One stack of each zone does."""
    edge_certificate: Literal["universal", "advanced"] = "universal"
    """`universal` covers the zone and one label below; `advanced` covers any name, and costs by the month."""
    uploads: Literal["s3", "r2"] = "s3"
    """Where uploads are kept."""
    worker: bool = False
    """Is the real-time router deployed as a Worker with Durable Objects, at `rt.<domain>`?"""
    worker_connections: int = Field(default=10_000, ge=1, le=32_768)
    """Maximum number of sockets of one Durable Object."""
    worker_migrated: bool = False
    """Turn on after the Worker's first `up`: Cloudflare creates a Durable Object's class only once."""
    managed_rules: bool = True
    """Are Cloudflare's managed firewall rules on? Only from plan `pro` on."""
    requests_per_10_seconds: int = Field(default=200, ge=10)
    """Requests allowed from one client address in 10 seconds; Cloudflare blocks more."""


PREVIEW: dict[str, Any] = {
    "network": {"nat": "one", "flow_log_days": 7},
    "web": {"type": "t3.small", "min": 2, "max": 3},
    "worker": {"type": "t3.small", "min": 1, "max": 2},
    "load_balancer": {"deletion_protection": False, "log_days": 14},
    "database": {
        "type": "db.t4g.micro", "storage_gb": 20, "max_storage_gb": 50, "multi_az": False, "pooler": "none",
        "backup_days": 3, "deletion_protection": False, "final_snapshot": False,
    },
    "cache": {"type": "cache.t4g.micro", "replicas": 0, "snapshot_days": 1, "final_snapshot": False},
    "buckets": {"old_version_days": 7},
    "secret_recovery_days": 0,
    "audit": False,
    "protect": False,
}  # fmt: skip
"""Defaults of stacks that are not production, where they differ from the defaults above."""


PREVIEWS: dict[str, Any] = {
    "web": {"type": "t3.medium", "min": 1, "max": 2, "disk_gb": 40},
    "worker": {"min": 0, "max": 1},
    "load_balancer": {"firewall": False},
}
"""The same for a stack that carries previews (`slipway:previews`): one host has them all."""


SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "network": {"nat": "one"},
        "web": {"type": "t4g.small", "max": 4},
        "worker": {"type": "t4g.small", "min": 1, "max": 2},
        "database": {"type": "db.t4g.micro", "storage_gb": 20, "max_storage_gb": 100, "pooler": "none"},
        "cache": {"type": "cache.t4g.micro"},
    },
    "large": {
        "network": {"endpoints": True},
        "web": {"type": "m7i.large", "min": 4, "max": 12, "disk_gb": 40},
        "worker": {"type": "m7i.large", "min": 2, "max": 6, "disk_gb": 40},
        "database": {"type": "db.r6g.large", "storage_gb": 200, "max_storage_gb": 2000},
        "cache": {"type": "cache.m6g.large"},
    },
}
"""Defaults of production by size, where they differ from the defaults above."""


def with_defaults(given: Any, purpose: Purpose, *, previews: bool = False) -> Any:
    """`given` (the `slipway:aws` mapping) with the defaults of `purpose`, or of its size, for missing keys.

    `previews`: of a stack that carries previews. Anything but a mapping is returned unchanged: validation
    reports it.
    """
    if purpose == "preview":
        defaults = _merged(PREVIEW, PREVIEWS) if previews else PREVIEW
        if isinstance(given, dict) and cast("dict[str, Any]", given).get("size") == "small":
            # A build goes from a preview to production as it is: their hosts have the same processors.
            hosts = {"type": SIZES["small"]["web"]["type"]}
            web = {"type": "t4g.medium"} if previews else hosts
            defaults = _merged(defaults, {"web": web, "worker": hosts})
        return _merged(defaults, given)
    if not isinstance(given, dict):
        return given
    settings = cast("dict[str, Any]", given)
    size = settings.get("size")
    return _merged(SIZES[size], settings) if size in SIZES else settings


def _merged(under: dict[str, Any], over: Any) -> Any:
    if not isinstance(over, dict):
        return over
    merged: dict[str, Any] = {**under, **over}
    for key, value in under.items():
        if isinstance(value, dict) and key in over:
            merged[key] = _merged(value, over[key])  # pyright: ignore[reportUnknownArgumentType]
    return merged
