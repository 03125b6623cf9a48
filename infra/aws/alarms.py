"""CloudWatch alarms made from the alert table, and the topic that sends them by e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from infra.aws.iam.document import as_json
from infra.aws.iam.resource_policies import topic_policy
from slipway.settings.alerts_table import ALERTS, FLEET, Alert, CloudWatch, Metric, Part
from slipway.settings.aws import Alerts
from slipway.settings.aws_names import AwsNames


@dataclass(frozen=True)
class AlarmsArgs:
    """Who is notified, and the dimensions of the stack's parts. None: the stack has no such part."""

    names: AwsNames
    settings: Alerts
    key_arn: pulumi.Input[str]
    load_balancer: pulumi.Input[str]
    """`arn_suffix` of the load balancer."""
    target_group: pulumi.Input[str]
    """`arn_suffix` of the target group of web hosts."""
    certificate_arn: pulumi.Input[str]
    web_acl: pulumi.Input[str] | None = None
    """Metric name of the web ACL."""
    cache: pulumi.Input[str] | None = None
    """Id of the replication group."""
    cache_nodes: Sequence[str] = ("001",)
    """What ElastiCache adds to that id for each node."""
    database: pulumi.Input[str] | None = None
    """Identifier of the RDS instance."""
    database_log_group: pulumi.Input[str] | None = None
    """CloudWatch log group of its PostgreSQL log."""
    proxy: pulumi.Input[str] | None = None
    """Name of the RDS Proxy."""
    groups: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Name of the Auto Scaling group, by role."""
    queue: bool = True
    """Do the hosts report how many jobs wait and have failed?"""


class Alarms(pulumi.ComponentResource):
    """One encrypted topic (SNS.1), a subscription for each address, and every alarm that applies (I10).

    Alarms also notify when they are over. An address receives mail once its owner has confirmed. They are
    made silent, and the first promoted release turns them on: what is still being set up pages no one.
    """

    topic_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Alarms", name, None, opts)
        self._name, self._args = name, args
        self.topic_arn = self._topic()
        for alarm in planned_alarms(args.settings, args.names.fleet, parts(args)):
            self._alarm(alarm)
        if args.database_log_group is not None:
            self._log_filters(args.database_log_group)
        self.register_outputs({"topicArn": self.topic_arn})

    def _topic(self) -> pulumi.Output[str]:
        names = self._args.names
        topic = aws.sns.Topic(
            f"{self._name}-topic",
            name=f"{names.fleet}-alarms",
            kms_master_key_id=self._args.key_arn,
            opts=self._child(),
        )
        policy = aws.sns.TopicPolicy(
            f"{self._name}-topic-policy",
            arn=topic.arn,
            policy=topic.arn.apply(lambda arn: as_json(topic_policy(names, arn))),
            opts=self._child(),
        )
        for address in self._args.settings.emails:
            aws.sns.TopicSubscription(
                f"{self._name}-mail-{address}",
                topic=topic.arn,
                protocol="email",
                endpoint=address,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
        return topic.arn

    def _alarm(self, alarm: PlannedAlarm) -> None:
        watch, (single, *_) = alarm.watch, alarm.metrics.values()
        percentile = single.statistic.startswith("p")
        plain = not watch.formula
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.name}",
            name=f"{self._args.names.fleet}-{alarm.name}",
            alarm_description=alarm.description,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            evaluation_periods=watch.periods,
            datapoints_to_alarm=watch.breaching,
            treat_missing_data=watch.missing,
            namespace=single.namespace if plain else None,
            metric_name=single.name if plain else None,
            dimensions=single.dimensions if plain else None,
            period=watch.seconds if plain else None,
            statistic=single.statistic if plain and not percentile else None,
            extended_statistic=single.statistic if plain and percentile else None,
            evaluate_low_sample_count_percentiles="ignore" if plain and percentile else None,
            metric_queries=None if plain else _queries(alarm),
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            actions_enabled=False,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["actionsEnabled"]),
        )

    def _log_filters(self, log_group: pulumi.Input[str]) -> None:
        logs = [each.cloudwatch.log for each in ALERTS if each.cloudwatch and each.cloudwatch.log]
        for log in logs:
            aws.cloudwatch.LogMetricFilter(
                f"{self._name}-log-{log.metric}",
                name=f"{self._args.names.fleet}-{log.metric}",
                log_group_name=log_group,
                pattern=log.pattern,
                metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                    namespace=f"{FLEET}/{self._args.names.fleet}",
                    name=log.metric,
                    value="1",
                    default_value="0",
                ),
                opts=self._child(),
            )

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


def parts(args: AlarmsArgs) -> Parts:
    """Every part's dimensions, as the services' documentation lists them."""
    balancer = {"LoadBalancer": args.load_balancer}
    absent: list[Dimensions] = []
    return {
        "balancer": [balancer],
        "targets": [{**balancer, "TargetGroup": args.target_group}],
        "certificate": [{"CertificateArn": args.certificate_arn}],
        "firewall": absent
        if args.web_acl is None
        else [{"WebACL": args.web_acl, "Region": args.names.region, "Rule": "ALL"}],
        # A group's nodes are named after it:
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.html
        "cache": absent
        if args.cache is None
        else [{"CacheClusterId": pulumi.Output.concat(args.cache, f"-{node}")} for node in args.cache_nodes],
        "database": absent if args.database is None else [{"DBInstanceIdentifier": args.database}],
        "database_log": absent if args.database_log_group is None else [{}],
        "proxy": absent if args.proxy is None else [{"ProxyName": args.proxy}],
        "fleet": [{}] if args.queue else absent,
        "hosts": [{}] if args.groups else absent,
        "groups": [{"AutoScalingGroupName": name} for name in args.groups.values()],
        "workers": [{"AutoScalingGroupName": args.groups["worker"]}] if "worker" in args.groups else absent,
    }


def _queries(alarm: PlannedAlarm) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    taken = [
        aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=name,
            return_data=False,
            metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=metric.namespace,
                metric_name=metric.name,
                stat=metric.statistic,
                period=alarm.watch.seconds,
                dimensions=metric.dimensions,
            ),
        )
        for name, metric in alarm.metrics.items()
    ]
    formula = aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id="result", expression=alarm.watch.formula, label=alarm.name, return_data=True
    )
    return [*taken, formula]


Dimensions = Mapping[str, pulumi.Input[str]]
Parts = Mapping[Part, Sequence[Dimensions]]
"""By part, its dimensions; a part of several pieces (Redis' nodes) has an alarm for each."""
Comparison = Literal["GreaterThanThreshold", "LessThanThreshold"]


@dataclass(frozen=True)
class PlannedMetric:
    """One metric of an alarm, with its namespace and dimensions."""

    namespace: str
    name: str
    statistic: str
    dimensions: Dimensions


@dataclass(frozen=True)
class PlannedAlarm:
    """One alarm, without the topic that it notifies."""

    name: str
    """`errors-5xx`, or `redis-memory-2` for the second piece of a part."""
    description: str
    comparison: Comparison
    threshold: float
    watch: CloudWatch
    metrics: Mapping[str, PlannedMetric]


def planned_alarms(settings: Alerts, fleet: str, parts: Parts) -> list[PlannedAlarm]:
    """The alarms of stack `fleet`: one for each row of `ALERTS` whose parts the stack has."""
    return [
        _planned(alert, alert.cloudwatch, settings, fleet, parts, piece)
        for alert in ALERTS
        if alert.cloudwatch is not None
        for piece in range(_pieces(alert.cloudwatch, parts))
    ]


def _pieces(watch: CloudWatch, parts: Parts) -> int:
    return min(len(parts.get(metric.of, ())) for metric in watch.metrics.values())


def _planned(
    alert: Alert, watch: CloudWatch, settings: Alerts, fleet: str, parts: Parts, piece: int
) -> PlannedAlarm:
    def real(metric: Metric) -> PlannedMetric:
        namespace = f"{FLEET}/{fleet}" if metric.namespace == FLEET else metric.namespace
        return PlannedMetric(namespace, metric.name, metric.statistic, parts[metric.of][piece])

    threshold = alert.threshold(settings)
    return PlannedAlarm(
        name=alert.id if piece == 0 else f"{alert.id}-{piece + 1}",
        description=f"{alert.severity}: {said(alert, threshold)}. {alert.remedy}",
        comparison="LessThanThreshold" if alert.below else "GreaterThanThreshold",
        threshold=threshold,
        watch=watch,
        metrics={name: real(metric) for name, metric in watch.metrics.items()},
    )


def said(alert: Alert, threshold: float) -> str:
    """The alarm's description, with its threshold."""
    values: dict[str, Any] = {"threshold": f"{threshold:g}"}
    return alert.what.format(**values)
