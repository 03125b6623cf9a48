"""One table of what is watched becomes CloudWatch alarms and Prometheus rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hosts.alert_rules import alert_rules, rules
from infra.aws.alarms import Parts, planned_alarms
from infra.aws.cache import node_suffixes
from infra.aws.program import alert_settings
from slipway.settings.alerts_table import ALERTS
from slipway.settings.aws import Alerts, Aws, Cache

ROOT = Path(__file__).parents[3]
EVERYTHING: Parts = {
    "balancer": [{"LoadBalancer": "app/x/1"}], "targets": [{"TargetGroup": "targetgroup/x/1"}],
    "firewall": [{"WebACL": "x"}], "certificate": [{"CertificateArn": "arn"}],
    "cache": [{"CacheClusterId": "x-001"}, {"CacheClusterId": "x-002"}],
    "database": [{"DBInstanceIdentifier": "x"}], "database_log": [{}], "proxy": [{"ProxyName": "x"}],
    "fleet": [{}], "hosts": [{}],
    "groups": [{"AutoScalingGroupName": "x-web"}, {"AutoScalingGroupName": "x-worker"}],
    "workers": [{"AutoScalingGroupName": "x-worker"}],
}  # fmt: skip
WATCHED = {
    "latency-p95", "errors-5xx", "redis-memory", "queue-length", "database-connection", "certificate",
    "limited",
}  # fmt: skip
"""What I10 demands."""
_OF_EXPORTERS = {"redis_memory_used_bytes", "redis_memory_max_bytes", "probe_ssl_earliest_cert_expiry"}
_WORDS = {
    "absent", "and", "by", "code", "count", "histogram_quantile", "increase", "le", "max", "or", "proxy",
    "rate", "state", "sum", "time", "vector",
}  # fmt: skip


def test_all_that_is_demanded_is_watched_on_both_platforms():
    assert {alert.id for alert in ALERTS if alert.cloudwatch} >= WATCHED
    assert {alert.id for alert in ALERTS if alert.prometheus} >= WATCHED


def test_thresholds_are_the_stack_s():
    given = Alerts(
        p95_ms=250, error_percent=2, redis_memory_percent=70, queue_length=5, certificate_days=30,
        limited_per_5_minutes=9,
    )  # fmt: skip
    planned = {alarm.name: alarm.threshold for alarm in planned_alarms(given, "board-prod", EVERYTHING)}
    assert planned["latency-p95"] == 0.25
    assert planned["errors-5xx"] == 2
    assert planned["redis-memory"] == planned["redis-memory-2"] == 70
    assert planned["queue-length"] == 5
    assert planned["certificate"] == 30
    assert planned["limited"] == 9
    assert planned["database-connection"] == 5


def test_a_stack_has_alarms_for_the_parts_it_has():
    bare: Parts = {"balancer": EVERYTHING["balancer"], "targets": EVERYTHING["targets"]}
    assert {alarm.name for alarm in planned_alarms(Alerts(), "x", bare)} == {
        "latency-p95", "errors-5xx", "no-host", "unhealthy-host"
    }  # fmt: skip


def test_the_fleet_s_own_metrics_are_in_its_own_namespace():
    alarms = {alarm.name: alarm for alarm in planned_alarms(Alerts(), "board-prod", EVERYTHING)}
    assert alarms["queue-length"].metrics["waiting"].namespace == "slipway/board-prod"
    assert alarms["redis-memory-2"].metrics["used"].dimensions == {"CacheClusterId": "x-002"}


def test_no_answer_about_hosts_and_queues_is_an_alarm():
    alarms = {alarm.name: alarm.watch.missing for alarm in planned_alarms(Alerts(), "x", EVERYTHING)}
    assert alarms["no-host"] == alarms["queue-length"] == alarms["redis-memory"] == "breaching"
    # No request in the night is none.
    assert alarms["errors-5xx"] == alarms["latency-p95"] == "notBreaching"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.id)
def test_a_row_makes_sense_to_cloudwatch(alert: object):
    row = next(each for each in ALERTS if each is alert)
    assert row.remedy and row.what.format(threshold=1)
    watch = row.cloudwatch
    assert watch is not None
    assert 1 <= watch.breaching <= watch.periods
    # CloudWatch: a period is 10, 30 or a multiple of 60, and a day is the longest window of an alarm.
    assert watch.seconds % 60 == 0 and watch.seconds * watch.periods <= 86_400
    if watch.formula:
        used = {word for word in re.findall(r"[a-z]\w*", watch.formula) if word.islower()}
        assert used == set(watch.metrics)
    else:
        assert len(watch.metrics) == 1
    # Ids of metric math begin with a lower-case letter.
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) for name in watch.metrics)


def test_every_rule_is_about_metrics_that_exist():
    listed = (Path(__file__).parent / "haproxy_metrics.txt").read_text().splitlines()
    board = "".join(
        (ROOT / "examples/board/src" / name).read_text()
        for name in ("metrics.ts", "routes/operations.ts", "http/serve.ts")
    )
    known = {line for line in listed if line and not line.startswith("#")} | _OF_EXPORTERS
    known |= {
        f"{name}{suffix}" for name in re.findall(r"\bboard_[a-z0-9_]+", board) for suffix in ("", "_bucket")
    }
    for rule in rules("board", Alerts()):
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", rule.expression)
        names = set(re.findall(r"[a-z][a-z_0-9]{1,}", bare)) - _WORDS
        assert names and names <= known, (rule.name, names - known)


def test_a_rule_that_needs_another_exporter_says_so():
    for alert in ALERTS:
        needs = any(name in alert.prometheus for name in _OF_EXPORTERS)
        assert bool(alert.exporters) is needs, alert.id


def test_the_rule_file_is_what_prometheus_reads():
    (group,) = yaml.safe_load(alert_rules("board", Alerts(p95_ms=250)))["groups"]
    by_name = {rule["alert"]: rule for rule in group["rules"]}
    assert len(by_name) == len([alert for alert in ALERTS if alert.prometheus])
    latency = by_name["LatencyP95"]
    assert latency["expr"].endswith("> 0.25")
    assert set(latency) == {"alert", "expr", "for", "labels", "annotations"}
    assert latency["labels"] == {"severity": "page"}
    for rule in by_name.values():
        assert re.fullmatch(r"\d+m", rule["for"])
        assert "{threshold}" not in str(rule) and "{{" not in rule["expr"]
        assert _balanced(rule["expr"]), rule["expr"]


def _balanced(text: str) -> bool:
    open_ones: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for letter in re.sub(r'"[^"]*"', "", text):
        if letter in pairs.values():
            open_ones.append(letter)
        elif letter in pairs and (not open_ones or open_ones.pop() != pairs[letter]):
            return False
    return not open_ones


def test_every_node_of_redis_is_named_as_elasticache_names_it():
    assert node_suffixes(Cache(replicas=1)) == ["001", "002"]
    assert node_suffixes(Cache(replicas=1, cluster_mode=True)) == [
        "0001-001", "0001-002", "0002-001", "0002-002"
    ]  # fmt: skip


def test_the_databases_connections_are_those_of_its_class():
    aws = Aws.model_validate({"account": "210987654321", "database": {"type": "db.t4g.micro"}})
    assert alert_settings(aws).database_connections == 89
    given = aws.model_copy(update={"alerts": Alerts(database_connections=50)})
    assert alert_settings(given).database_connections == 50


def test_a_connection_that_the_programs_own_setting_ended_is_no_failure():
    (alert,) = [each for each in ALERTS if each.id == "database-connection"]
    assert alert.cloudwatch and alert.cloudwatch.log
    for excluded in ("idle-in-transaction", "administrator command"):
        assert f'-"{excluded}"' in alert.cloudwatch.log.pattern
    assert "?" not in alert.cloudwatch.log.pattern, "CloudWatch takes either ?terms or -terms"
