"""Alarms are silent until a release is live, and then notify."""

from __future__ import annotations

import pytest

from slipway.platforms.aws.alarms import silent_alarms, try_to_turn_on_alarms
from slipway.platforms.aws.session import session_of
from tests.infra.platform.world import World


def alarm(world: World, name: str) -> None:
    world.client("cloudwatch").put_metric_alarm(
        AlarmName=name, MetricName="HealthyHostCount", Namespace="AWS/ApplicationELB", Statistic="Maximum",
        Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="LessThanThreshold",
        ActionsEnabled=False,
    )  # fmt: skip


def test_the_stacks_own_alarms_are_turned_on_and_no_others(world: World) -> None:
    alarm(world, "board-prod-no-host")
    alarm(world, "board-preview-no-host")
    session, fleet = session_of(world.project), world.names.fleet
    assert silent_alarms(session, fleet) == ["board-prod-no-host"]
    assert try_to_turn_on_alarms(session, fleet) == ""
    assert silent_alarms(session, fleet) == []
    assert silent_alarms(session, "board-preview") == ["board-preview-no-host"]


def test_a_release_without_the_right_goes_on_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    monkeypatch.setattr("slipway.platforms.aws.session.ATTEMPTS", 1)
    said = try_to_turn_on_alarms(session_of(world.project), world.names.fleet)
    assert "they notify no one" in said
