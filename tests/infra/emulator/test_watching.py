"""Alarms, logs and the trail as AWS has them."""

from __future__ import annotations

from typing import Any

from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied


def alarms(applied: Applied) -> dict[str, dict[str, Any]]:
    """By what they watch: `latency-p95`."""
    pages = applied.ask("cloudwatch").get_paginator("describe_alarms").paginate()
    every = [each for page in pages for each in page["MetricAlarms"]]
    prefix = f"{applied.fleet}-"
    return {
        each["AlarmName"].removeprefix(prefix): each for each in every if each["AlarmName"].startswith(prefix)
    }


def topic(applied: Applied) -> str:
    """ARN of the topic that alarms are told to."""
    arns = [each["TopicArn"] for each in applied.ask("sns").list_topics()["Topics"]]
    (found_,) = [each for each in arns if each.endswith(f":{applied.fleet}-alarms")]
    return found_


def test_every_alarm_tells_somebody_when_it_starts_and_ends(applied: Applied):
    assert alarms(applied)
    for name, alarm in alarms(applied).items():
        assert alarm["AlarmActions"] == [topic(applied)], name
        assert alarm["OKActions"] == [topic(applied)], name
        # Those of the table are silent until the first release is live.
        assert alarm["ActionsEnabled"] is name.startswith("mail-"), name


def test_those_who_are_told_are_the_settings_addresses(applied: Applied):
    listed = applied.ask("sns").list_subscriptions_by_topic(TopicArn=topic(applied))["Subscriptions"]
    assert {(each["Protocol"], each["Endpoint"]) for each in listed} == {
        ("email", address) for address in applied.aws.alerts.emails
    }


def test_slow_answers_and_errors_have_the_settings_limits(applied: Applied):
    latency, errors = alarms(applied)["latency-p95"], alarms(applied)["errors-5xx"]
    assert latency["ExtendedStatistic"] == "p95"
    assert latency["Threshold"] == applied.aws.alerts.p95_ms / 1000
    assert errors["Threshold"] == applied.aws.alerts.error_percent
    (shown,) = [each for each in errors["Metrics"] if each.get("ReturnData")]
    assert "requests" in shown["Expression"]


def test_alarms_watch_this_stacks_load_balancer(applied: Applied):
    watched = {each["Name"]: each["Value"] for each in alarms(applied)["no-host"]["Dimensions"]}
    arn = found.load_balancer(applied)["LoadBalancerArn"]
    assert arn.endswith(watched["LoadBalancer"])
    assert found.target_group(applied)["TargetGroupArn"].endswith(watched["TargetGroup"])


def test_no_data_is_an_alarm_where_silence_is_the_failure(applied: Applied):
    assert alarms(applied)["no-host"]["TreatMissingData"] == "breaching"
    assert alarms(applied)["queue-length"]["TreatMissingData"] == "breaching"


def test_alarms_may_use_the_topic_and_its_key(applied: Applied):
    attributes = applied.ask("sns").get_topic_attributes(TopicArn=topic(applied))["Attributes"]
    assert attributes["KmsMasterKeyId"] == found.key(applied)["Arn"]
    assert "cloudwatch.amazonaws.com" in attributes["Policy"]


def test_every_log_group_forgets_in_time_and_is_encrypted(applied: Applied):
    groups = applied.ask("logs").describe_log_groups()["logGroups"]
    made = {each["name"] for each in applied.state.of("aws_cloudwatch_log_group")}
    kept = [each for each in groups if each["logGroupName"] in made]
    assert len(kept) == len(made) > 0
    for each in kept:
        assert each["retentionInDays"] > 0, each["logGroupName"]
        assert each["kmsKeyId"] == found.key(applied)["Arn"], each["logGroupName"]


def test_calls_of_the_api_are_written_down_where_it_is_asked_for(applied: Applied):
    trails = applied.ask("cloudtrail").describe_trails()["trailList"]
    if not applied.aws.audit:
        assert trails == []
        return
    (trail,) = trails
    assert trail["IsMultiRegionTrail"] is True
    assert trail["LogFileValidationEnabled"] is True
    assert trail["IncludeGlobalServiceEvents"] is True
    assert trail["S3BucketName"] == found.bucket(applied, "audit")
    assert applied.ask("cloudtrail").get_trail_status(Name=trail["Name"])["IsLogging"] is True
