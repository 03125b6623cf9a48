"""Which alarms a stack has: the rows of the alert table that it has the parts for.

The table itself is slipway/settings/alerts_table.py, shared with the Prometheus rules of platform servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from slipway.settings.alerts_table import ALERTS, FLEET, Alert, CloudWatch, Metric, Part
from slipway.settings.aws import Alerts

Dimensions = Mapping[str, pulumi.Input[str]]
Parts = Mapping[Part, Sequence[Dimensions]]
"""What CloudWatch knows each part by; a part of several pieces (Redis' nodes) has an alarm for each."""
Comparison = Literal["GreaterThanThreshold", "LessThanThreshold"]


@dataclass(frozen=True)
class PlannedMetric:
    """One metric of an alarm, with its real namespace and dimensions."""

    namespace: str
    name: str
    statistic: str
    dimensions: Dimensions


@dataclass(frozen=True)
class PlannedAlarm:
    """One alarm, complete but for where it is told."""

    name: str
    """`errors-5xx`, or `redis-memory-2` for the second piece of a part."""
    description: str
    comparison: Comparison
    threshold: float
    watch: CloudWatch
    metrics: Mapping[str, PlannedMetric]


def planned_alarms(settings: Alerts, fleet: str, parts: Parts) -> list[PlannedAlarm]:
    """The alarms of stack `fleet`: a row whose metrics are of parts that it lacks has none."""
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
    """What is wrong, with the number."""
    values: dict[str, Any] = {"threshold": f"{threshold:g}"}
    return alert.what.format(**values)
