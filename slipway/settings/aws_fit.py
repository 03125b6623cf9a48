"""Whether an app fits a stack on AWS: rules on drains, queues, connections and limits that need both."""

import re
from collections.abc import Iterator
from typing import Literal

from slipway.settings.app import App
from slipway.settings.aws import Aws, Cloudflare
from slipway.settings.aws_names import AwsNames
from slipway.settings.debian import aws_image
from slipway.settings.env import reaches
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken

_POOL_NAMES = ("DATABASE_POOL_SIZE", "DB_POOL_SIZE", "DATABASE_POOL_MAX", "DB_POOL_MAX", "PGPOOL_MAX")
"""Common names of env entries for the size of a process' connection pool."""
_HOP_NAMES = ("TRUSTED_PROXY_HOPS", "TRUST_PROXY_HOPS", "PROXY_HOPS")
"""Common names of env entries for the number of trusted proxies in X-Forwarded-For."""
_CLOUDFLARE_BODY = 100 * 1000 * 1000
"""Bytes. Cloudflare's limit for a request body on its free and pro plans; it answers 413 beyond."""


def unfit_on_aws(app: App, stack: Stack) -> Iterator[Broken]:
    """Everything in `stack`'s AWS settings that contradicts `app`."""
    if stack.aws is None:
        return
    yield from _drain(app, stack.aws)
    if not stack.previews:  # its one web host runs every process of a preview
        yield from _hosts(app, stack.aws)
    yield from _silence(app, stack.aws)
    yield from _firewall(app, stack.aws)
    yield from _hops(app, stack)
    if stack.redis:
        yield from _queues(app, stack.aws)
    if stack.database == "postgres" and stack.aws.database.pooler == "none":
        yield from _connections(app, stack, stack.aws)
    if stack.cloudflare:
        yield from _cloudflare(app, stack.cloudflare)


def longest_drain(app: App) -> int:
    """The longest drain of a process on a web host, in seconds."""
    return max((process.drain_seconds for process in app.on_role("web").values()), default=0)


def _drain(app: App, aws: Aws) -> Iterator[Broken]:
    given, longest = aws.load_balancer.deregistration_seconds, longest_drain(app)
    if given and given < longest:
        yield (
            ("aws", "load_balancer", "deregistration_seconds"),
            f"must be at least the app's longest drain ({longest} s, processes.*.drain_seconds), got {given}:"
            " connections would be cut that the app is still serving",
            f"remove it: the default is {longest + 30}",
        )


def _hosts(app: App, aws: Aws) -> Iterator[Broken]:
    if app.on_role("web") and aws.web.min < 1:
        yield ("aws", "web", "min"), "is 0, and the app has a process for web hosts", "at least 1"
    if app.on_role("worker") and aws.worker.min < 1:
        yield (
            ("aws", "worker", "min"),
            f"is 0, and {next(iter(app.on_role('worker')))} runs on worker hosts: its work would not be done",
            "at least 1",
        )


def _silence(app: App, aws: Aws) -> Iterator[Broken]:
    if app.websocket and aws.load_balancer.heartbeat_seconds >= app.websocket.idle_seconds:
        yield (
            ("aws", "load_balancer", "heartbeat_seconds"),
            f"must be less than the app's websocket.idle_seconds ({app.websocket.idle_seconds}),"
            f" got {aws.load_balancer.heartbeat_seconds}: the app would close sockets between two messages",
            "a shorter heartbeat, or a longer websocket.idle_seconds in slipway.toml",
        )


def _firewall(app: App, aws: Aws) -> Iterator[Broken]:
    """A firewall limit below the app's own would block clients that obey the app's."""
    minute = app.limits.requests_per_minute
    if aws.load_balancer.firewall and aws.load_balancer.requests_per_5_minutes < 5 * minute:
        yield (
            ("aws", "load_balancer", "requests_per_5_minutes"),
            f"is less than what the app allows: limits.requests_per_minute is {minute},"
            f" so {5 * minute} in 5 minutes",
            f"at least {5 * minute}, or a lower limit in slipway.toml",
        )


def _hops(app: App, stack: Stack) -> Iterator[Broken]:
    for name in _HOP_NAMES:
        if name in app.env and stack.env.get(name, "1") != "1":
            yield (
                ("env", name),
                f'must be 1, got "{stack.env[name]}": the web host\'s HAProxy leaves one entry in'
                " X-Forwarded-For, the client's; with another number all clients count as one",
                "remove it, and let slipway.toml say 1",
            )


def queue_signs(app: App) -> str:
    """Why `app` seems to keep a queue in Redis; empty if it does not.

    No setting says so: a process that serves no requests and has a Redis URL takes its work from there.
    """
    given = [
        (process, name)
        for process in app.processes
        if process != "web"
        for name, var in app.env.items()
        if (var.source or "").startswith("redis.") and reaches(var, process)
    ]
    return (
        f"process {given[0][0]} takes {given[0][1]} and serves no requests, so it works on a queue"
        if given
        else ""
    )


def _queues(app: App, aws: Aws) -> Iterator[Broken]:
    signs = queue_signs(app)
    if not signs:
        return
    if aws.cache.cluster_mode:
        yield (
            ("aws", "cache", "cluster_mode"),
            f"must be off: {signs}, and BullMQ moves jobs between keys, which a sharded Redis forbids",
            "remove it; a larger cache.type holds more",
        )
    if aws.cache.eviction != "noeviction":
        yield (
            ("aws", "cache", "eviction"),
            f'must be noeviction, got "{aws.cache.eviction}": {signs}, and jobs would be lost',
            "remove it; an alarm is raised before memory is full",
        )


def _connections(app: App, stack: Stack, aws: Aws) -> Iterator[Broken]:
    most = most_connections(aws.database.type)
    pool = next((name for name in _POOL_NAMES if name in app.env), None)
    size = stack.env.get(pool, app.env[pool].value or "") if pool else ""
    if most is None or pool is None or not size.isdigit():
        return
    # On web hosts the old release runs beside the new one; workers of one release run at a time.
    needed = int(size) * sum(
        process.instances * (2 * aws.web.max if app.role_of(name) == "web" else aws.worker.max)
        for name, process in app.processes.items()
        if reaches(app.env[pool], name)
    )
    if needed > most - RESERVED_CONNECTIONS:
        yield (
            ("aws", "database", "pooler"),
            f'must be rds_proxy: with "none" the app may open {needed} connections ({pool} {size}, at most'
            f" {aws.web.max} web hosts with two releases each and {aws.worker.max} worker hosts),"
            f" and {aws.database.type} takes {most}, {RESERVED_CONNECTIONS} of them not for the app",
            f"remove it, or a smaller {pool} in slipway:env, fewer hosts, a larger database.type",
        )


def _cloudflare(app: App, cloudflare: Cloudflare) -> Iterator[Broken]:
    minute, body = app.limits.requests_per_minute, app.limits.body_bytes
    if cloudflare.requests_per_10_seconds < minute / 6:
        yield (
            ("cloudflare", "requests_per_10_seconds"),
            f"is less than what the app allows: limits.requests_per_minute is {minute},"
            f" so {-(-minute // 6)} in 10 seconds",
            f"at least {-(-minute // 6)}, or a lower limit in slipway.toml",
        )
    if body > _CLOUDFLARE_BODY:
        yield (
            ("cloudflare",),
            f"rejects bodies over {_CLOUDFLARE_BODY} bytes, and limits.body_bytes is {body}",
            "let browsers upload to the bucket directly, and lower limits.body_bytes",
        )
    if cloudflare.worker and app.websocket is None:
        yield (
            ("cloudflare", "worker"),
            "is on, and the app has no [websocket]: there is nothing for the Worker to serve",
            "remove it",
        )


Architecture = Literal["amd64", "arm64"]

EC2_TYPE = re.compile(r"^([a-z]+)([0-9]+)([a-z0-9-]*)\.([a-z0-9-]+)$")
"""Family, generation, attributes, size: `m7g.large`, `t3.medium`, `m7i-flex.large`, `u7i-12tb.224xlarge`."""
_IMAGE_WORDS: dict[str, Architecture] = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
}

_GIB = 1024**3
_SIZES = {"large": 2, "xlarge": 4}
"""vCPUs; `2xlarge` and so on are multiples of xlarge."""
_GIB_PER_VCPU = {"m": 4, "r": 8, "x": 16}
_BURSTABLE_GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
"""Memory of db.t3 and db.t4g. Source: RDS User Guide, "Hardware specifications for DB instance classes"."""
_BYTES_PER_CONNECTION = 9_531_392
_MOST_CONNECTIONS = 5_000
"""RDS for PostgreSQL's default is LEAST(DBInstanceClassMemory/9531392, 5000).
Source: AWS Prescriptive Guidance, "Tuning PostgreSQL parameters: max_connections"."""
RESERVED_CONNECTIONS = 8
"""Connections the app cannot use: 3 for superusers, 2 for RDS, and 3 for a migration and its backup."""


def architecture_of_type(instance_type: str) -> Architecture | None:
    """Architecture of an EC2 instance type; None if it is not one. A `g` after the generation is Graviton."""
    found = EC2_TYPE.match(instance_type)
    if not found:
        return None
    return "arm64" if found[3].startswith("g") or (found[1], found[2]) == ("a", "1") else "amd64"


def architecture_of_image(image: str) -> Architecture | None:
    """Architecture of a machine image, if its name contains it; an `ami-…` does not."""
    words = re.split(r"[/.:-]", image)
    return next((found for word, found in _IMAGE_WORDS.items() if word in words), None)


BAKED = "baked"
"""The value of `slipway:aws.image` for the images that `slipway image bake` makes."""


def image_of(aws: Aws, names: AwsNames, role: str, *, baked: bool = True) -> str:
    """What hosts of `role` boot: an image, or the parameter by which EC2 finds it at each launch.

    `baked`: False for what a baked image is made of.
    """
    if aws.image not in {"", BAKED}:
        return aws.image
    architecture = architecture_of_type((aws.web if role == "web" else aws.worker).type) or "amd64"
    if baked and aws.image == BAKED:
        return f"resolve:ssm:{names.image_parameter(role, architecture)}"
    return aws_image(architecture)


def most_connections(database_type: str) -> int | None:
    """RDS for PostgreSQL's max_connections on `db.…`; None for a class not known here.

    Computed from the class's full memory; RDS reserves an unpublished part, so the real number is a little
    lower.
    """
    memory = _memory_gib(database_type)
    return None if memory is None else min(memory * _GIB // _BYTES_PER_CONNECTION, _MOST_CONNECTIONS)


def _memory_gib(database_type: str) -> int | None:
    found = EC2_TYPE.match(database_type.removeprefix("db."))
    if not found:
        return None
    family, size = found[1], found[4]
    if family == "t":
        return _BURSTABLE_GIB.get(size)
    times = re.fullmatch(r"([0-9]+)xlarge", size)
    cpus = int(times[1]) * 4 if times else _SIZES.get(size)
    per_cpu = _GIB_PER_VCPU.get(family)
    return cpus * per_cpu if cpus and per_cpu else None
