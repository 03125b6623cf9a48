"""The alerts (I10): one table from which CloudWatch alarms and Prometheus rules are made.

infra/aws/alarms.py makes the alarms of platform aws, hosts/alert_rules.py the rules for platform servers; the
table is here because they share settings only. Thresholds: the stack's `slipway:aws.alerts`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from slipway.settings.aws import Alerts

Part = Literal[
    "balancer", "targets", "firewall", "certificate", "cache", "database", "database_log", "proxy", "fleet",
    "hosts", "groups", "workers",
]  # fmt: skip
"""The part of a stack that a metric belongs to, which decides its dimensions."""
FLEET = "slipway"
"""CloudWatch namespace of metrics from hosts and log filters: `slipway/<fleet>`."""
ENOUGH = 20
"""Minimum number of requests in a period for a meaningful percentage."""
_GB = 1024**3


@dataclass(frozen=True)
class Metric:
    """One CloudWatch metric. `namespace` `slipway`: the fleet's own."""

    namespace: str
    name: str
    statistic: str
    of: Part


@dataclass(frozen=True)
class Log:
    """Log lines that are counted as `metric`, in the fleet's own namespace."""

    metric: str
    pattern: str
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""


@dataclass(frozen=True)
class CloudWatch:
    """The CloudWatch alarm: raised by `breaching` of the last `periods` periods of `seconds` each."""

    metrics: Mapping[str, Metric]
    """Metrics, by their name in `formula`."""
    formula: str = ""
    """Metric math; empty: the only metric itself."""
    seconds: int = 60
    periods: int = 5
    breaching: int = 3
    missing: Literal["breaching", "notBreaching", "missing"] = "notBreaching"
    """How missing data is treated."""
    log: Log | None = None


@dataclass(frozen=True)
class Alert:
    """One alert: what is wrong, when, and what to do."""

    id: str
    what: str
    """What is wrong: a sentence with `{threshold}`."""
    remedy: str
    severity: Literal["page", "ticket"]
    """`page` wakes somebody; `ticket` can wait."""
    threshold: Callable[[Alerts], float]
    cloudwatch: CloudWatch | None
    prometheus: str = ""
    """Prometheus expression, true if it is wrong, with `{threshold}` and `{app}`. Empty: AWS only."""
    below: bool = False
    """Is it wrong below the threshold, in place of above?"""
    minutes: int = 5
    """How long it must be wrong (Prometheus)."""
    exporters: tuple[str, ...] = field(default=())
    """Exporters that Prometheus needs besides the hosts' HAProxy and the app's /metrics."""


_BALANCER, _CACHE, _RDS = "AWS/ApplicationELB", "AWS/ElastiCache", "AWS/RDS"

ALERTS = (
    Alert(
        "latency-p95",
        "the slowest 5 percent of requests take longer than {threshold} s",
        "slipway status; if it began with a release: slipway rollback",
        "page",
        lambda alerts: alerts.p95_ms / 1000,
        CloudWatch({"p95": Metric(_BALANCER, "TargetResponseTime", "p95", "balancer")}),
        "histogram_quantile(0.95, sum by (le) "
        "(rate({app}_http_request_duration_seconds_bucket[5m]))) > {threshold}",
    ),
    Alert(
        "errors-5xx",
        "more than {threshold} percent of responses are 5xx",
        "slipway status; if it began with a release: slipway rollback",
        "page",
        lambda alerts: alerts.error_percent,
        CloudWatch(
            {
                "targets": Metric(_BALANCER, "HTTPCode_Target_5XX_Count", "Sum", "balancer"),
                "own": Metric(_BALANCER, "HTTPCode_ELB_5XX_Count", "Sum", "balancer"),
                "requests": Metric(_BALANCER, "RequestCount", "Sum", "balancer"),
            },
            # Missing data is 0; too few requests give no percentage.
            f"IF(FILL(requests, 0) >= {ENOUGH}, 100 * (FILL(targets, 0) + FILL(own, 0)) / requests, 0)",
        ),
        '100 * sum(rate(haproxy_frontend_http_responses_total{{proxy="https",code="5xx"}}[5m]))'
        ' / sum(rate(haproxy_frontend_http_responses_total{{proxy="https"}}[5m])) > {threshold}',
    ),
    Alert(
        "no-host",
        "no web host answers the readiness check",
        "slipway status; the hosts' logs; slipway rollback",
        "page",
        lambda _: 1,
        CloudWatch(
            {"healthy": Metric(_BALANCER, "HealthyHostCount", "Maximum", "targets")},
            periods=3,
            breaching=2,
            missing="breaching",
        ),
        'max(haproxy_backend_active_servers{{proxy="web"}}) < {threshold} '
        'or absent(haproxy_backend_active_servers{{proxy="web"}})',
        below=True,
        minutes=2,
    ),
    Alert(
        "unhealthy-host",
        "a web host has not answered the readiness check for a while",
        "slipway status; on AWS a host that does not come back is replaced automatically",
        "ticket",
        lambda _: 0,
        CloudWatch(
            {"unhealthy": Metric(_BALANCER, "UnHealthyHostCount", "Maximum", "targets")},
            periods=10,
            breaching=10,
        ),
        'count(haproxy_server_status{{proxy="web",state="UP"}} == 0) > {threshold}',
        minutes=10,
    ),
    Alert(
        "redis-memory",
        "Redis uses more than {threshold} percent of its memory; when it is full, new jobs fail",
        "set a larger slipway:aws.cache.type, or find out what fills the queue",
        "page",
        lambda alerts: alerts.redis_memory_percent,
        CloudWatch(
            {"used": Metric(_CACHE, "DatabaseMemoryUsagePercentage", "Maximum", "cache")},
            missing="breaching",
        ),
        "100 * redis_memory_used_bytes / (redis_memory_max_bytes > 0) > {threshold}",
        exporters=("prometheus-redis-exporter",),
    ),
    Alert(
        "queue-length",
        "more than {threshold} jobs wait",
        "slipway status: do the workers run? More of them: slipway:aws.worker.max",
        "page",
        lambda alerts: alerts.queue_length,
        # Without the database or Redis the app exposes no number: missing data is as bad as a long queue.
        CloudWatch({"waiting": Metric(FLEET, "QueueWaiting", "Maximum", "fleet")}, missing="breaching"),
        'max({app}_queue_jobs{{state="waiting"}}) > {threshold} '
        'or absent({app}_queue_jobs{{state="waiting"}})',
    ),
    Alert(
        "dead-letters",
        "jobs have failed permanently",
        "the worker's log names them; correct the cause, then retry or remove them",
        "ticket",
        lambda _: 0,
        CloudWatch({"dead": Metric(FLEET, "QueueFailed", "Maximum", "fleet")}, periods=3, breaching=3),
        'max({app}_queue_jobs{{state="failed"}}) > {threshold}',
    ),
    Alert(
        "database-connection",
        "more than {threshold} connections to the database failed in 5 minutes",
        "is the database up, are its connections used up, is the password the secret store's?",
        "page",
        lambda _: 5,
        CloudWatch(
            {"refused": Metric(FLEET, "DatabaseConnectionErrors", "Sum", "database_log")},
            seconds=300,
            periods=1,
            breaching=1,
            # Neither are failures: an idle transaction that PostgreSQL ends as we set it, and a restart.
            log=Log(
                "DatabaseConnectionErrors",
                '"FATAL:" -"idle-in-transaction" -"administrator command" -"starting up" -"shutting down"',
            ),
        ),
        "absent({app}_outbox_rows)",
        minutes=1,
    ),
    Alert(
        "proxy-connection",
        "the database proxy cannot connect to the database, or clients cannot connect to it",
        "does the database secret hold the app role's password? slipway up sets it",
        "page",
        lambda _: 0,
        CloudWatch(
            {
                "database": Metric(_RDS, "DatabaseConnectionsSetupFailed", "Sum", "proxy"),
                "clients": Metric(_RDS, "ClientConnectionsSetupFailedAuth", "Sum", "proxy"),
            },
            "FILL(database, 0) + FILL(clients, 0)",
            periods=1,
            breaching=1,
        ),
    ),
    Alert(
        "database-storage",
        "less than {threshold} bytes are free for the database",
        "raise slipway:aws.database.max_storage_gb",
        "page",
        lambda _: 5 * _GB,
        CloudWatch(
            {"free": Metric(_RDS, "FreeStorageSpace", "Minimum", "database")},
            seconds=300,
            missing="breaching",
        ),
        below=True,
    ),
    Alert(
        "database-cpu",
        "the database's processors are more than {threshold} percent busy for a quarter of an hour",
        "Performance Insights names the statements; a larger slipway:aws.database.type",
        "ticket",
        lambda alerts: alerts.database_cpu_percent,
        CloudWatch(
            {"busy": Metric(_RDS, "CPUUtilization", "Average", "database")},
            seconds=300, periods=3, breaching=3,
        ),
    ),
    Alert(
        "database-connections",
        "more than {threshold} connections to the database are open",
        "more hosts or larger pools than the class takes: a smaller pool in slipway:env, or a larger type",
        "ticket",
        lambda alerts: float(alerts.database_connections),
        CloudWatch(
            {"open": Metric(_RDS, "DatabaseConnections", "Maximum", "database")},
            seconds=300, periods=2, breaching=2,
        ),
    ),
    Alert(
        "host-disk",
        "a host's disk is more than {threshold} percent full",
        "slipway status; old builds are pruned automatically: is it a log? A larger slipway:aws.web.disk_gb",
        "page",
        lambda alerts: alerts.disk_percent,
        CloudWatch({"full": Metric(FLEET, "DiskUsedPercent", "Maximum", "hosts")}),
    ),
    Alert(
        "host-memory",
        "a host's memory is more than {threshold} percent used",
        "processes.*.memory_max in slipway.toml, or a larger slipway:aws.web.type",
        "ticket",
        lambda alerts: alerts.memory_percent,
        CloudWatch(
            {"full": Metric(FLEET, "MemoryUsedPercent", "Maximum", "hosts")}, periods=10, breaching=10
        ),
    ),
    Alert(
        "missing-hosts",
        "a group has had fewer hosts in service than it wants for half an hour",
        "the group's activity in the EC2 console says why launches fail: quota, image, or no capacity",
        "page",
        lambda _: 0,
        CloudWatch(
            {
                "wanted": Metric("AWS/AutoScaling", "GroupDesiredCapacity", "Minimum", "groups"),
                "there": Metric("AWS/AutoScaling", "GroupInServiceInstances", "Maximum", "groups"),
            },
            "wanted - there",
            periods=30,
            breaching=30,
        ),
    ),
    Alert(
        "no-worker",
        "no worker host is in service",
        "slipway status; the group's activity in the EC2 console",
        "page",
        lambda _: 1,
        CloudWatch(
            {"workers": Metric("AWS/AutoScaling", "GroupInServiceInstances", "Maximum", "workers")},
            missing="breaching",
        ),
        below=True,
    ),
    Alert(
        "certificate",
        "the certificate ends in less than {threshold} days",
        "is the validation record still in the zone? A certificate of your own: import a new one",
        "page",
        lambda alerts: float(alerts.certificate_days),
        CloudWatch(
            {"days": Metric("AWS/CertificateManager", "DaysToExpiry", "Minimum", "certificate")},
            seconds=86_400,
            periods=1,
            breaching=1,
        ),
        "(probe_ssl_earliest_cert_expiry - time()) / 86400 < {threshold}",
        below=True,
        exporters=("prometheus-blackbox-exporter",),
    ),
    Alert(
        "limited",
        "limits rejected more than {threshold} requests in 5 minutes",
        "an attack, or a limit that is too low: the firewall's sampled requests show who",
        "ticket",
        lambda alerts: float(alerts.limited_per_5_minutes),
        CloudWatch(
            {"blocked": Metric("AWS/WAFV2", "BlockedRequests", "Sum", "firewall")},
            seconds=300,
            periods=1,
            breaching=1,
        ),
        'sum(increase(haproxy_frontend_intercepted_requests_total{{proxy="https"}}[5m]))'
        " + (sum(increase({app}_rate_limited_total[5m])) or vector(0)) > {threshold}",
        minutes=0,
    ),
)  # fmt: skip
