"""The journal reaches CloudWatch Logs: entries as journald prints them, and moto's server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hosts.agent import forward
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from tests.fleet.metadata import Metadata
from tests.unit.agent.conftest import WEB, World
from tests.unit.agent.test_cloud import credentials

GROUP, REGION = "/slipway/board/prod/web", "us-east-1"
NOW_US = 1_795_000_000_000_000
"""When the release was staged, in microseconds."""


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def logs(moto_url: str) -> Iterator[Any]:
    client = cast("Any", boto3).client(
        "logs", REGION, endpoint_url=moto_url, aws_access_key_id="a", aws_secret_access_key="s"
    )
    client.create_log_group(logGroupName=GROUP)
    yield client
    client.delete_log_group(logGroupName=GROUP)


@pytest.fixture
def host(world: World, moto_url: str) -> Iterator[World]:
    """A web host on AWS whose blue slot is live."""
    metadata = Metadata("127.0.0.1", credentials("ASIATEST"), {})
    content = json.loads(Path(world.paths.host).read_text())
    content["cloud"] = {"region": REGION, "boot_secret": "arn", "log_group": GROUP}
    Path(world.paths.host).write_text(json.dumps(content))
    Path(world.paths.endpoints).write_text(
        json.dumps({"endpoints": {"logs": moto_url, "imds": metadata.url}})
    )
    world.put("blue", "live", 7, active=True, web=WEB)
    state = world.state
    state.slots["blue"].staged = NOW_US / 1e6
    state.slots["blue"].secret_names = ["TOKEN"]
    state.save()
    env = Path(world.paths.env_file("blue", "web"))
    env.parent.mkdir(parents=True)
    env.write_text('TOKEN="a-very-secret-token"\n')
    yield world
    metadata.close()


def entry(message: object, seconds: float = 1, **more: str) -> JsonObject:
    fields = {
        "__CURSOR": f"s=1;i={seconds}",
        "__REALTIME_TIMESTAMP": str(int(NOW_US + seconds * 1e6)),
        "MESSAGE": message,
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "web",
        "_SYSTEMD_UNIT": "slipway-web@blue-1.service",
        **more,
    }
    return JsonObject(fields, "journal")


def send(world: World, *found: JsonObject) -> dict[str, object]:
    return forward.forward(world.paths, world.host, found)


def kept(logs: Any) -> list[dict[str, Any]]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
    events = [event for page in pages for event in page["events"]]
    return [json.loads(event["message"]) | {"at": event["timestamp"]} for event in events]


def test_a_line_of_json_is_kept_as_it_was_with_the_release_and_the_host(host: World, logs: Any):
    line = '{"level":"info", "big":1.0e3,"msg":"ready"}'
    assert send(host, entry(line)) == {"sent": 1, "rejected": 0}
    [found] = logs.filter_log_events(logGroupName=GROUP, logStreamNames=["web1"])["events"]
    assert found["timestamp"] == NOW_US // 1000 + 1000
    assert found["message"].startswith(line[:-1])
    assert json.loads(found["message"])["slipway"] == {
        "host": "web1", "unit": "slipway-web@blue-1.service", "priority": 6, "process": "web", "release": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["plain words", "{not json}", "[1]", '"text"', "", "{}", '{"slipway": 1}', "{" * 5000]
)
def test_any_line_becomes_one_object(host: World, logs: Any, line: str):
    send(host, entry(line))
    [found] = kept(logs)
    assert found["slipway"]["host"] == "web1"
    assert found.get("message", "{}") == (line if "message" in found else "{}")


def test_bytes_that_are_no_text_are_sent_readable(host: World, logs: Any):
    send(host, entry(list(b"caf\xe9")), entry(None, 2))
    assert [each["message"] for each in kept(logs)] == ["caf�", ""]


def test_secrets_do_not_leave_the_host(host: World, logs: Any):
    send(host, entry('{"url":"https://x/?t=a-very-secret-token"}'), entry("a%2Dvery-secret-token", 2))
    assert "secret-token" not in json.dumps(kept(logs))
    assert kept(logs)[0]["url"] == "https://x/?t=[redacted]"


def test_a_release_is_named_only_where_it_is_certain(host: World, logs: Any):
    send(
        host,
        entry("of the release before in this slot", -5),
        entry("system", 1, _SYSTEMD_UNIT="ssh.service", SYSLOG_IDENTIFIER="sshd"),
        entry("cron", 2, _SYSTEMD_UNIT="slipway-cron-tick.service", SYSLOG_IDENTIFIER="cron-tick"),
        entry("the other slot", 3, _SYSTEMD_UNIT="slipway-web@green-1.service"),
    )
    assert [each["slipway"].get("release") for each in kept(logs)] == [None, None, 7, None]


def test_lines_of_requests_stay_on_the_host_and_warnings_of_haproxy_do_not(host: World, logs: Any):
    requests = [entry("GET / 200", each, SYSLOG_IDENTIFIER="haproxy") for each in range(3)]
    warning = entry("Server is DOWN", 4, SYSLOG_IDENTIFIER="haproxy", PRIORITY="1")
    assert send(host, *requests, warning)["sent"] == 1
    assert kept(logs)[0]["message"] == "Server is DOWN"


def test_many_lines_go_in_calls_that_aws_takes_in_the_order_of_time(
    host: World, logs: Any, monkeypatch: pytest.MonkeyPatch
):
    calls: list[list[tuple[int, str]]] = []
    put = forward.Stream.put

    def counted(stream: forward.Stream, batch: list[tuple[int, str]]) -> None:
        calls.append(batch)
        put(stream, batch)

    monkeypatch.setattr(forward.Stream, "put", counted)
    day = 24 * 3600
    far = [entry("a day apart", 0), entry("a day apart", day), entry("earlier", day - 5)]
    many = [entry("x", day + each / 1e3) for each in range(10_050)]
    big = [entry("y" * 300_000, day + 20 + each) for each in range(7)]
    assert send(host, *far, *many, *big)["sent"] == 10_060
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
    for batch in calls:
        times = [at for at, _ in batch]
        assert len(batch) <= 10_000
        assert sum(len(text.encode()) + 26 for _, text in batch) <= 1_048_576
        assert max(times) - min(times) < day * 1000
    cut = [each for each in kept(logs) if "cut" in each["slipway"]]
    assert [len(each["message"]) for each in cut] == [forward.EVENT_BYTES] * 7
    assert cut[0]["slipway"]["cut"] == 300_000


def test_what_was_sent_is_noted_and_what_was_not_is_sent_later(host: World, logs: Any):
    send(host, entry("one"))
    cursor = Path(forward.cursor_file(host.paths))
    assert cursor.read_text() == "s=1;i=1"
    assert forward.journalctl("s=1;i=1")[-1] == "--after-cursor=s=1;i=1"
    assert forward.journalctl("")[-1] == "--boot"
    logs.delete_log_group(logGroupName=GROUP)
    with pytest.raises(AgentError, match=r"CreateLogStream: 400 .*does not exist"):
        send(host, entry("two", 2))
    assert cursor.read_text() == "s=1;i=1"
    logs.create_log_group(logGroupName=GROUP)
    send(host, entry("two", 2))
    assert [each["message"] for each in kept(logs)] == ["two"]
    assert cursor.read_text() == "s=1;i=2"


def test_lines_that_do_not_leave_the_host_move_the_note_too(host: World, logs: Any):
    assert send(host, entry("GET /", 9, SYSLOG_IDENTIFIER="haproxy")) == {"sent": 0, "rejected": 0}
    assert Path(forward.cursor_file(host.paths)).read_text() == "s=1;i=9"
    assert send(host) == {"sent": 0, "rejected": 0}
    assert Path(forward.cursor_file(host.paths)).read_text() == "s=1;i=9"


def test_a_host_that_was_set_up_before_says_what_to_do(world: World):
    with pytest.raises(AgentError, match="names no log group: run `slipway up`"):
        world.ask(forward.command, once=True)
