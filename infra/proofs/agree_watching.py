"""Agreement of alarms with what services, hosts and log filters publish, and with who listens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hosts.agent.measure import METRICS, OWN
from infra.policies.reading import entries, statements, table, texts
from infra.proofs.facts import Facts, Said, services
from infra.proofs.network_map import first
from infra.proofs.published import PUBLISHED
from infra.recording.graph import Resource
from slipway.settings.alerts_table import ALERTS

_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
_CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
_INSTANCE, _ACL = "aws:rds/instance:Instance", "aws:wafv2/webAcl:WebAcl"
_GROUP, _LOG = "aws:autoscaling/group:Group", "aws:cloudwatch/logGroup:LogGroup"
_DAY, _WEEK, _HOUR = 86_400, 604_800, 3600
_WORDS = {
    "IF", "FILL", "SUM", "AVG", "MAX", "MIN", "RATE", "DIFF", "ABS", "CEIL", "FLOOR", "REPEAT", "LINEAR",
    "RUNNING_SUM", "METRICS", "AND", "OR", "TIME_SERIES", "PERIOD",
}  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""


def metrics_are_published(facts: Facts) -> Iterator[Said]:
    """Namespace, metric and dimensions of each alarm are what a service, host or filter publishes."""
    own = _own_metrics(facts)
    for alarm in facts.graph.of(_ALARM):
        for metric in _metrics(alarm):
            namespace, name = str(metric.get("namespace")), str(metric.get("metricName"))
            dimensions = table(metric.get("dimensions"))
            if namespace in PUBLISHED:
                known = PUBLISHED[namespace].get(name)
                if known is None:
                    yield alarm, "metricName", f"{namespace} publishes no {name}"
                elif frozenset(dimensions) not in known.dimensions:
                    sets = "; ".join(" ".join(sorted(each)) or "none" for each in known.dimensions)
                    yield (
                        alarm,
                        "dimensions",
                        f"{name} has {' '.join(sorted(dimensions)) or 'none'}: published with {sets}",
                    )
                elif int(metric.get("period") or 0) < known.seconds:
                    yield alarm, "period", f"{name} is published every {known.seconds} s only"
            elif (namespace, name) not in own or dimensions:
                there = ", ".join(sorted(f"{each[0]} {each[1]}" for each in own))
                yield alarm, "metricName", f"no host or filter publishes {namespace} {name} (only {there})"
            yield from _dimensions_are_ours(facts, alarm, dimensions)


def _own_metrics(facts: Facts) -> set[tuple[str, str]]:
    hosts = {(f"slipway/{facts.fleet}", name) for name in (*METRICS.values(), *OWN)}
    filters = {
        (str(metric.get("namespace")), str(metric.get("name")))
        for each in facts.graph.of(_FILTER)
        for metric in (table(each.inputs.get("metricTransformation")),)
    }
    return hosts | filters


def _metrics(alarm: Resource) -> list[dict[str, Any]]:
    queries = entries(alarm.inputs.get("metricQueries"))
    return [table(each["metric"]) for each in queries if "metric" in each] if queries else [alarm.inputs]


def _dimensions_are_ours(facts: Facts, alarm: Resource, dimensions: Mapping[str, Any]) -> Iterator[Said]:
    nodes = {node for group in facts.graph.of(_CACHE) for node in nodes_of(group)}
    wanted: dict[str, set[str]] = {
        "CacheClusterId": nodes,
        "DBInstanceIdentifier": _values(facts, _INSTANCE, "identifier"),
        "ProxyName": _values(facts, "aws:rds/proxy:Proxy", "name"),
        "AutoScalingGroupName": _values(facts, _GROUP, "name"),
        "LogGroupName": _values(facts, _LOG, "name"),
        "WebACL": {
            str(table(each.inputs.get("visibilityConfig")).get("metricName")) for each in facts.graph.of(_ACL)
        },
        "Region": {facts.region},
    }
    for name, value in dimensions.items():
        if name in wanted and value not in wanted[name]:
            yield (
                alarm,
                f"dimensions.{name}",
                f"{value!r} is none of {', '.join(sorted(wanted[name])) or 'none'}",
            )


def _values(facts: Facts, token: str, name: str) -> set[str]:
    return {str(each.inputs.get(name)) for each in facts.graph.of(token)}


def nodes_of(group: Resource) -> set[str]:
    """Names that ElastiCache gives to the nodes of a replication group.

    `id-001` with one shard, `id-0001-001` with several:
    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.html
    """
    name, shards = str(group.inputs.get("replicationGroupId")), int(group.inputs.get("numNodeGroups") or 0)
    if not shards:
        return {
            f"{name}-{number:03}" for number in range(1, int(group.inputs.get("numCacheClusters") or 1) + 1)
        }
    each = 1 + int(group.inputs.get("replicasPerNodeGroup") or 0)
    return {
        f"{name}-{shard:04}-{number:03}" for shard in range(1, shards + 1) for number in range(1, each + 1)
    }


def every_node_is_watched(facts: Facts) -> Iterator[Said]:
    """Each node of Redis has an alarm on its memory."""
    watched = {
        str(table(metric.get("dimensions")).get("CacheClusterId"))
        for alarm in facts.graph.of(_ALARM)
        for metric in _metrics(alarm)
        if metric.get("metricName") == "DatabaseMemoryUsagePercentage"
    }
    for group in facts.graph.of(_CACHE):
        if missing := nodes_of(group) - watched:
            yield group, "", f"no alarm watches the memory of {', '.join(sorted(missing))}"


def alarms_can_be_raised(facts: Facts) -> Iterator[Said]:
    """Thresholds are within the metric's range, periods within CloudWatch's, and formulas name their metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    for alarm in facts.graph.of(_ALARM):
        inputs = alarm.inputs
        periods, points = int(inputs.get("evaluationPeriods") or 0), int(inputs.get("datapointsToAlarm") or 1)
        if points > periods:
            yield alarm, "datapointsToAlarm", f"{points} of {periods} periods cannot be"
        for metric in _metrics(alarm):
            seconds = int(metric.get("period") or 0)
            if seconds not in {10, 20, 30} and (seconds < 60 or seconds % 60):
                yield alarm, "period", f"{seconds} s is no multiple of 60"
            if seconds * periods > (_WEEK if seconds >= _HOUR else _DAY):
                yield alarm, "evaluationPeriods", f"{periods} periods of {seconds} s are too long together"
            if str(metric.get("namespace")).startswith("AWS/") and seconds < 60:
                yield alarm, "period", f"AWS's own metrics have no periods of {seconds} s"
        if bool(inputs.get("statistic")) + bool(inputs.get("extendedStatistic")) + bool(
            inputs.get("metricQueries")
        ) != 1:  # fmt: skip
            yield alarm, "statistic", "exactly one of statistic, extendedStatistic and metricQueries"
        yield from _threshold(alarm)
        yield from _formula(alarm)


def _threshold(alarm: Resource) -> Iterator[Said]:
    if alarm.inputs.get("metricQueries"):
        return
    known = PUBLISHED.get(str(alarm.inputs.get("namespace")), {}).get(str(alarm.inputs.get("metricName")))
    threshold = float(alarm.inputs.get("threshold") or 0)
    if known and known.most is not None and threshold > known.most:
        yield alarm, "threshold", f"{threshold:g} is never exceeded: the metric is {known.most:g} at most"
    if threshold < 0:
        yield alarm, "threshold", f"{threshold:g}: the metric is never negative"


def _formula(alarm: Resource) -> Iterator[Said]:
    queries = entries(alarm.inputs.get("metricQueries"))
    if not queries:
        return
    ids = [str(each.get("id")) for each in queries]
    if sum(bool(each.get("returnData")) for each in queries) != 1:
        yield alarm, "metricQueries", "exactly one query returns data"
    if len(set(ids)) < len(ids):
        yield alarm, "metricQueries", f"an id is there twice: {', '.join(ids)}"
    for each in queries:
        used = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", str(each.get("expression") or "")))
        if unknown := used - set(ids) - _WORDS:
            yield (
                alarm,
                "metricQueries",
                f"the formula names {', '.join(sorted(unknown))}, which is no metric of it",
            )


def alarms_reach_someone(facts: Facts) -> Iterator[Said]:
    """Alarms notify the stack's topic; topic and key let each service publish; an address is subscribed."""
    topics = facts.graph.of("aws:sns/topic:Topic")
    for alarm in facts.graph.of(_ALARM):
        for side in ("alarmActions", "okActions"):
            if not {first(each) for each in texts(alarm.inputs.get(side))} & {
                each.address for each in topics
            }:
                yield alarm, side, "notifies no topic of the stack"
        if alarm.inputs.get("actionsEnabled") is False and "actionsEnabled" not in alarm.ignore_changes:
            yield alarm, "actionsEnabled", "is off, and every update would turn it off again"
    needed = {"cloudwatch.amazonaws.com"} if facts.graph.of(_ALARM) else set[str]()
    needed |= {"budgets.amazonaws.com"} if facts.graph.of("aws:budgets/budget:Budget") else set[str]()
    if facts.graph.of("aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination"):
        needed.add("ses.amazonaws.com")
    for token in ("aws:sns/topicPolicy:TopicPolicy", "aws:kms/key:Key"):
        for each in facts.graph.of(token):
            if missing := needed - services(statements(each.inputs.get("policy"))):
                yield each, "policy", f"does not let {', '.join(sorted(missing))} publish"
    subscribed = {
        first(each.inputs.get("topic"))
        for each in facts.graph.of("aws:sns/topicSubscription:TopicSubscription")
    }
    for topic in topics:
        if topic.address not in subscribed:
            yield topic, "", "no address is subscribed: alarms reach no one"


_PARTS: dict[str, str] = {
    "balancer": "aws:lb/loadBalancer:LoadBalancer", "targets": "aws:lb/targetGroup:TargetGroup",
    "firewall": "aws:wafv2/webAcl:WebAcl", "certificate": "aws:acm/certificate:Certificate",
    "cache": _CACHE, "database": _INSTANCE, "database_log": _INSTANCE, "proxy": "aws:rds/proxy:Proxy",
    "hosts": "aws:autoscaling/group:Group", "groups": "aws:autoscaling/group:Group",
}  # fmt: skip
"""Type of the resource that a part of the alert table is; others depend on what the app reports."""


def alarms_are_the_tables(facts: Facts) -> Iterator[Said]:
    """Each alert of the table has its alarm where the stack has the part, as the table says it."""
    alarms: dict[str, list[Resource]] = {}
    for each in facts.graph.of(_ALARM):
        alarms.setdefault(re.sub(r"-\d+$", "", each.name), []).append(each)
        if not str(each.inputs.get("name")).startswith(f"{facts.fleet}-"):
            yield (
                each,
                "name",
                f"does not begin with {facts.fleet}-: the first release could not switch it on",
            )
    for alert in ALERTS:
        watch, found = alert.cloudwatch, alarms.get(f"alarms-{alert.id}", [])
        if watch is None:
            continue
        parts = [_PARTS.get(metric.of) for metric in watch.metrics.values()]
        if not found and all(part and facts.graph.of(part) for part in parts):
            yield None, "", f"no alarm watches for {alert.id}"
        wanted = {
            "comparisonOperator": "LessThanThreshold" if alert.below else "GreaterThanThreshold",
            "evaluationPeriods": watch.periods, "datapointsToAlarm": watch.breaching,
            "treatMissingData": watch.missing,
        }  # fmt: skip
        for alarm in found:
            for name, value in wanted.items():
                if alarm.inputs.get(name) != value:
                    yield alarm, name, f"is {alarm.inputs.get(name)!r}: the table of alerts has {value!r}"
            if not isinstance(alarm.inputs.get("threshold"), int | float):
                yield alarm, "threshold", "has none"


def logs_have_a_group(facts: Facts) -> Iterator[Said]:
    """Log groups are called what the services that write them demand."""
    names = _values(facts, _LOG, "name")
    for instance in facts.graph.of(_INSTANCE):
        for log in texts(instance.inputs.get("enabledCloudwatchLogsExports")):
            name = f"/aws/rds/instance/{instance.inputs.get('identifier')}/{log}"
            if name not in names:
                yield (
                    instance,
                    "enabledCloudwatchLogsExports",
                    f"RDS would make {name} without retention or key",
                )
    for each in facts.graph.of(_FILTER):
        name = str(each.inputs.get("logGroupName"))
        if name.startswith("/aws/rds/") and not name.endswith("/postgresql"):
            yield each, "logGroupName", f"{name} has no connection errors: they are in PostgreSQL's own log"
    for each in facts.graph.of("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"):
        for destination in texts(each.inputs.get("logDestinationConfigs")):
            group = facts.graph.by_address(first(destination))
            if group is None or not str(group.inputs.get("name")).startswith("aws-waf-logs-"):
                yield each, "logDestinationConfigs", "WAF writes only to log groups called aws-waf-logs-…"


AGREEMENTS = (
    metrics_are_published, every_node_is_watched, alarms_can_be_raised, alarms_reach_someone,
    alarms_are_the_tables, logs_have_a_group,
)  # fmt: skip
