"""`slipway logs --since --grep` on AWS: lines that hosts have sent, from moto's CloudWatch Logs."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from slipway.platforms.aws.platform import AwsPlatform
from slipway.platforms.platform import LogSearch
from slipway.settings import Role
from tests.infra.platform.world import World

NOW = int(time.time() * 1000)
ROLES: tuple[Role, ...] = ("web", "worker")


def sent(world: World, host: str, *lines: tuple[int, str, str]) -> None:
    """Lines of a host, as hosts/agent/forward.py writes them: seconds ago, process, and what it logged."""
    where = {
        "logGroupName": world.names.log_group(host.partition("-")[0]),
        "logStreamName": host,
    }
    logs = world.client("logs")
    logs.create_log_stream(**where)
    events: list[dict[str, object]] = []
    for ago, process, text in lines:
        fields: dict[str, object] = json.loads(text) if text.startswith("{") else {"message": text}
        fields["slipway"] = {"host": host, "process": process, "release": 7}
        events.append({"timestamp": NOW - ago * 1000, "message": json.dumps(fields)})
    logs.put_log_events(**where, logEvents=sorted(events, key=lambda each: str(each["timestamp"])))


@pytest.fixture
def groups(world: World) -> World:
    for role in ROLES:
        world.client("logs").create_log_group(logGroupName=world.names.log_group(role))
    return world


def search(world: World, minutes: int = 60, **more: object) -> list[tuple[str, str]]:
    wanted = LogSearch(
        since=datetime.now(UTC) - timedelta(minutes=minutes),
        **{"roles": ROLES, "processes": {"web", "worker", "cron-tick"}, **more},  # pyright: ignore[reportArgumentType]
    )
    return list(AwsPlatform(world.project).kept_logs(wanted))


def test_lines_of_the_app_are_read_host_by_host_in_the_order_of_time(groups: World) -> None:
    sent(groups, "web-1", (30, "web", "second"), (60, "web", "first"), (10, "sshd", "not the app's"))
    sent(groups, "worker-2", (20, "cron-tick", "tick"))
    found = [(host, re.sub(r"^\S+ ", "", line)) for host, line in search(groups)]
    assert found == [("web-1", "web: first"), ("web-1", "web: second"), ("worker-2", "cron-tick: tick")]


def test_a_line_of_json_is_shown_whole_and_found_by_what_is_in_it(groups: World) -> None:
    sent(groups, "web-1", (5, "web", '{"request_id": "4f2a"}'), (4, "web", '{"request_id": "9999"}'))
    [(host, line)] = search(groups, pattern=re.compile(r'request_id": "4f'))
    assert host == "web-1"
    assert json.loads(line.partition("web: ")[2])["slipway"]["release"] == 7


def test_since_host_and_lines_bound_what_is_shown(groups: World) -> None:
    sent(groups, "web-1", (7200, "web", "old"), *((30 - each, "web", f"line {each}") for each in range(9)))
    sent(groups, "web-9", (1, "web", "of a host that is gone"))
    assert not any("old" in line for _, line in search(groups))
    assert [line[-6:] for _, line in search(groups, host="web-1", lines=2)] == ["line 7", "line 8"]
    assert [host for host, _ in search(groups, host="web-9")] == ["web-9"]
    assert search(groups, host="web-0") == []


def test_all_pages_are_read(groups: World) -> None:
    sent(groups, "web-1", *((20, "web", f"line {each}") for each in range(10_002)))
    assert len(search(groups, lines=20_000)) == 10_002


def test_a_stack_without_groups_has_no_lines(world: World) -> None:
    assert search(world) == []
