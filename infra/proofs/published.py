"""What CloudWatch publishes: metrics, the dimensions that each has, and the range of its values.

Of each namespace, what alarms of this project use or may use soon. A metric with other dimensions than those
published exists as well, for CloudWatch takes any name, and never has a value.
"""

from __future__ import annotations

from dataclasses import dataclass

_DOCS = "https://docs.aws.amazon.com/"
_ALB = f"{_DOCS}elasticloadbalancing/latest/application/"


@dataclass(frozen=True)
class Published:
    """One metric: the sets of dimensions with which it is published, and the most that it can be."""

    dimensions: tuple[frozenset[str], ...]
    most: float | None = None
    seconds: int = 60
    """How often it is published."""


def _sets(*texts: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split()) for text in texts)


_BALANCER = _sets("LoadBalancer", "LoadBalancer AvailabilityZone")
_BALANCER_OR_TARGETS = (
    *_BALANCER,
    *_sets("LoadBalancer TargetGroup", "LoadBalancer TargetGroup AvailabilityZone"),
)
_TARGETS = _sets("LoadBalancer TargetGroup", "LoadBalancer TargetGroup AvailabilityZone")
_INSTANCE, _PROXY = (
    _sets("DBInstanceIdentifier"),
    _sets("ProxyName", "ProxyName Target", "ProxyName TargetGroup"),
)
_NODE = _sets("CacheClusterId", "CacheClusterId CacheNodeId")
_RULE = _sets("WebACL Region Rule", "WebACL Region Rule ManagedRuleGroup", "WebACL Rule")
_GROUP, _MACHINE = _sets("AutoScalingGroupName"), _sets("AutoScalingGroupName", "InstanceId", "InstanceType")

PUBLISHED: dict[str, dict[str, Published]] = {
    "AWS/ApplicationELB": {
        "RequestCount": Published(_BALANCER_OR_TARGETS),
        "TargetResponseTime": Published(_BALANCER_OR_TARGETS, most=4000),
        "HTTPCode_ELB_5XX_Count": Published(_BALANCER),
        "HTTPCode_ELB_4XX_Count": Published(_BALANCER),
        "HTTPCode_Target_5XX_Count": Published(_BALANCER_OR_TARGETS),
        "HTTPCode_Target_4XX_Count": Published(_BALANCER_OR_TARGETS),
        "RejectedConnectionCount": Published(_BALANCER),
        "TargetConnectionErrorCount": Published(_BALANCER_OR_TARGETS),
        "HealthyHostCount": Published(_TARGETS),
        "UnHealthyHostCount": Published(_TARGETS),
    },
    "AWS/RDS": {
        "CPUUtilization": Published(_INSTANCE, most=100),
        "DatabaseConnections": Published(_INSTANCE),
        "FreeStorageSpace": Published(_INSTANCE),
        "FreeableMemory": Published(_INSTANCE),
        "ReplicaLag": Published(_INSTANCE),
        "ReadLatency": Published(_INSTANCE),
        "WriteLatency": Published(_INSTANCE),
        "DatabaseConnectionsSetupFailed": Published(_PROXY),
        "ClientConnectionsSetupFailedAuth": Published(_PROXY),
        "ClientConnections": Published(_PROXY),
        "AvailabilityPercentage": Published(_PROXY, most=100),
    },
    "AWS/ElastiCache": {
        "DatabaseMemoryUsagePercentage": Published(_NODE, most=100),
        "EngineCPUUtilization": Published(_NODE, most=100),
        "CPUUtilization": Published(_NODE, most=100),
        "CurrConnections": Published(_NODE),
        "Evictions": Published(_NODE),
        "ReplicationLag": Published(_NODE),
    },
    "AWS/CertificateManager": {"DaysToExpiry": Published(_sets("CertificateArn"), most=398, seconds=86_400)},
    "AWS/WAFV2": {
        "BlockedRequests": Published(_RULE),
        "AllowedRequests": Published(_RULE),
        "CountedRequests": Published(_RULE),
    },
    "AWS/SES": {
        "Reputation.BounceRate": Published(_sets(""), most=1),
        "Reputation.ComplaintRate": Published(_sets(""), most=1),
    },
    "AWS/AutoScaling": {
        name: Published(_GROUP)
        for name in (
            "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances",
            "GroupPendingInstances", "GroupStandbyInstances", "GroupTerminatingInstances",
            "GroupTotalInstances",
        )
    },
    "AWS/EC2": {
        "CPUUtilization": Published(_MACHINE, most=100),
        "StatusCheckFailed": Published(_MACHINE),
        "CPUCreditBalance": Published(_MACHINE),
    },
    "AWS/Logs": {"IncomingLogEvents": Published(_sets("LogGroupName", ""))},
}  # fmt: skip

SOURCES = {
    "AWS/ApplicationELB": f"{_ALB}load-balancer-cloudwatch-metrics.html",
    "AWS/RDS": f"{_DOCS}AmazonRDS/latest/UserGuide/rds-metrics.html; rds-proxy.monitoring.html beside it",
    "AWS/ElastiCache": f"{_DOCS}AmazonElastiCache/latest/dg/CacheMetrics.html",
    "AWS/CertificateManager": f"{_DOCS}acm/latest/userguide/cloudwatch-metrics.html",
    "AWS/WAFV2": f"{_DOCS}waf/latest/developerguide/waf-metrics.html",
    "AWS/SES": f"{_DOCS}ses/latest/dg/reputationdashboard-cloudwatch-alarm.html",
    "AWS/AutoScaling": f"{_DOCS}autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html",
    "AWS/EC2": f"{_DOCS}AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html",
    "AWS/Logs": f"{_DOCS}AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html",
}
"""By namespace, the page that lists its metrics and dimensions."""
