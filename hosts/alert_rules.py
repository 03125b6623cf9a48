"""Prometheus rules of platform servers, from the same table as AWS's alarms (I10).

`python -m hosts.alert_rules <app>` prints them with the default thresholds; the kit runs no Prometheus.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from hosts.render import render
from slipway.settings.alerts_table import ALERTS, Alert
from slipway.settings.aws import Alerts


@dataclass(frozen=True)
class Rule:
    """One alert as Prometheus sees it."""

    name: str
    expression: str
    minutes: int
    severity: str
    what: str
    remedy: str
    exporters: tuple[str, ...]


def alert_rules(app: str, thresholds: Alerts) -> str:
    """The rule file (YAML) for the app whose metrics begin with `<app>_`."""
    return render("prometheus/alerts.yml.j2", group=f"slipway {app}", rules=rules(app, thresholds))


def rules(app: str, thresholds: Alerts) -> list[Rule]:
    """The table's rows that platform servers have something to measure for."""
    return [_rule(alert, app, thresholds) for alert in ALERTS if alert.prometheus]


def _rule(alert: Alert, app: str, thresholds: Alerts) -> Rule:
    number = f"{alert.threshold(thresholds):g}"
    return Rule(
        name="".join(part.capitalize() for part in alert.id.split("-")),
        expression=alert.prometheus.format(app=app.replace("-", "_"), threshold=number),
        minutes=alert.minutes,
        severity=alert.severity,
        what=alert.what.format(threshold=number),
        remedy=alert.remedy,
        exporters=alert.exporters,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m hosts.alert_rules <app>")
    sys.stdout.write(alert_rules(sys.argv[1], Alerts()))
