from __future__ import annotations

from typing import Any

import pytest

from infra.aws.compute import boot_seconds, deregistration_seconds, leaving_seconds, most_healthy_percent
from infra.aws.limits import retention_days
from slipway.settings import App
from slipway.settings.aws import LoadBalancer


def _app(**processes: dict[str, Any]) -> App:
    commands = {name: {"command": name, **settings} for name, settings in processes.items()}
    return App.model_validate({"name": "shop", "runtime": {"name": "none"}, "processes": commands})


def test_connections_get_the_longest_drain_of_web_hosts_and_half_a_minute():
    app = _app(
        web={"drain_seconds": 25}, chat={"drain_seconds": 90, "role": "web"}, jobs={"drain_seconds": 600}
    )
    assert deregistration_seconds(LoadBalancer(), app) == 120


def test_a_setting_is_taken_as_it_is():
    settings = LoadBalancer(deregistration_seconds=77)
    assert deregistration_seconds(settings, _app(web={"drain_seconds": 25})) == 77


def test_no_drain_goes_beyond_what_aws_takes():
    app = _app(web={"drain_seconds": 3600})
    assert deregistration_seconds(LoadBalancer(), app) == 3600


def test_a_leaving_worker_host_has_time_for_its_longest_job():
    app = _app(web={"drain_seconds": 25}, jobs={"drain_seconds": 600}, mail={"drain_seconds": 5})
    assert leaving_seconds(app, "worker") == 10 + 15 + 600 + 30
    assert leaving_seconds(app, "web") == 10 + 15 + 25 + 30


def test_a_role_without_processes_still_has_a_hook_that_aws_takes():
    assert leaving_seconds(_app(web={}), "worker") >= 30


def test_a_slow_start_makes_a_longer_boot():
    slow, fast = _app(web={"boot_seconds": 300}), _app(web={"boot_seconds": 10})
    assert boot_seconds(slow, "web") - boot_seconds(fast, "web") == 290


@pytest.mark.parametrize("fewest", [1, 2, 3, 7, 64])
def test_while_hosts_are_replaced_there_is_room_for_one_more(fewest: int):
    percent = most_healthy_percent(fewest)
    assert 100 < percent <= 200
    assert fewest * percent // 100 >= fewest + 1


def test_an_empty_group_may_double():
    assert most_healthy_percent(0) == 200


@pytest.mark.parametrize(("asked", "kept"), [(1, 1), (8, 14), (90, 90), (91, 120), (3653, 3653), (5000, 0)])
def test_logs_are_kept_no_shorter_than_asked(asked: int, kept: int):
    assert retention_days(asked) == kept
