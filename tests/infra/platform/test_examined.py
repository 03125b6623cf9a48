"""What the doctor says of mail and budget in a stack's account, by answers of SES and Cost Explorer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from slipway.platforms.aws.examined import processors
from slipway.platforms.aws.platform import AwsPlatform
from slipway.settings.aws import Aws
from slipway.settings.aws_names import FLEET_TAG
from tests.infra.platform.fake_aws import serve
from tests.infra.platform.world import ACCOUNT, REGION, World

IDENTITY = "/v2/email/identities/example.com"


@pytest.mark.parametrize(("machine", "level"), [("aarch64", "ok"), ("x86_64", "warn")])
def test_builds_for_other_processors_than_the_hosts_are_said_before_a_release(
    machine: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    aws = Aws.model_validate(
        {"account": ACCOUNT, "web": {"type": "t4g.small"}, "worker": {"type": "t4g.small"}}
    )
    [found] = processors(aws)
    assert found.level == level
    assert level == "ok" or "SLIPWAY_RUNNER" in found.remedy


@pytest.fixture
def ses(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """By path, what SES answers, and 404 otherwise: moto's server does not know these answers."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answers.get(self.path)
            self.send_response(200 if content is not None else 404)
            if content is None:
                self.send_header("x-amzn-errortype", "NotFoundException")
            self.end_headers()
            self.wfile.write(json.dumps(content or {}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{server.server_address[1]}")
    yield answers
    server.shutdown()
    server.server_close()


def platform(world: World, **settings: Any) -> AwsPlatform:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, **settings})
    object.__setattr__(world.project, "stack", world.project.stack.model_copy(update={"aws": aws}))
    return AwsPlatform(world.project)


def levels(found: Any) -> list[tuple[str, str]]:
    return [(each.level, each.what) for each in found]


def test_a_new_account_s_sandbox_and_a_domain_that_is_not_made_yet(world: World, ses: dict[str, Any]) -> None:
    ses["/v2/email/account"] = {"ProductionAccessEnabled": False}
    assert levels(platform(world, mail={"domain": "example.com"}).mail()) == [
        ("warn", "SES is in its sandbox in us-east-1: it sends to verified addresses only, 200 a day"),
        ("warn", "SES does not know example.com yet"),
    ]


def test_records_that_are_missing_in_the_zone(world: World, ses: dict[str, Any]) -> None:
    ses["/v2/email/account"] = {"ProductionAccessEnabled": True}
    ses[IDENTITY] = {
        "VerifiedForSendingStatus": False,
        "DkimAttributes": {"Status": "PENDING"},
        "MailFromAttributes": {"MailFromDomainStatus": "FAILED"},
    }
    assert levels(platform(world, mail={"domain": "example.com"}).mail()) == [
        ("ok", "SES sends to any address"),
        ("fail", "example.com is not proved to SES (DKIM: PENDING): no mail is sent from it"),
        ("warn", "MAIL FROM bounce.example.com is FAILED: mail goes out, and SPF is not aligned for DMARC"),
    ]


def test_mail_that_is_all_set_up(world: World, ses: dict[str, Any]) -> None:
    ses["/v2/email/account"] = {"ProductionAccessEnabled": True}
    ses[IDENTITY] = {
        "VerifiedForSendingStatus": True,
        "DkimAttributes": {"Status": "SUCCESS"},
        "MailFromAttributes": {"MailFromDomainStatus": "SUCCESS"},
    }
    found = levels(platform(world, mail={"domain": "example.com"}).mail())
    assert [level for level, _ in found] == ["ok"] * 3
    without = levels(platform(world, mail={"domain": "example.com", "mail_from": ""}).mail())
    assert len(without) == 2


@pytest.mark.parametrize(
    ("tags", "level"),
    [
        ([], "warn"),
        ([{"TagKey": FLEET_TAG, "Status": "Inactive"}], "warn"),
        ([{"TagKey": FLEET_TAG, "Status": "Active"}], "ok"),
    ],
)
def test_the_budget_s_tag(
    world: World, monkeypatch: pytest.MonkeyPatch, tags: list[dict[str, str]], level: str
) -> None:
    with serve() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_COST_EXPLORER", fake.url)
        fake.answers["ListCostAllocationTags"] = lambda asked: {
            "CostAllocationTags": tags if asked == {"TagKeys": [FLEET_TAG]} else []
        }
        [said] = platform(world, budget={"monthly_usd": 100}).budget()
    assert said.level == level


def test_a_stack_without_mail_and_budget_asks_nothing(world: World) -> None:
    bare = platform(world)
    assert [*bare.mail(), *bare.budget()] == []


def test_hosts_that_send_their_logs_and_hosts_that_do_not(world: World) -> None:
    assert levels(AwsPlatform(world.project).logs()) == [], "not up yet"
    logs = world.client("logs")
    for role in ("web", "worker"):
        group = world.names.log_group(role)
        logs.create_log_group(logGroupName=group)
    web, worker = levels(AwsPlatform(world.project).logs())
    assert (web[0], worker[0]) == ("warn", "warn")
    assert "no web host has sent a line to /slipway/board/prod/web yet" in web[1]
    now = int(time.time() * 1000)
    for role, at in (("web", now), ("worker", now - 3 * 3600 * 1000)):
        where = {"logGroupName": world.names.log_group(role), "logStreamName": f"{role}-1"}
        logs.create_log_stream(**where)
        logs.put_log_events(**where, logEvents=[{"timestamp": at, "message": "{}"}])
    web, worker = levels(AwsPlatform(world.project).logs())
    assert web == ("ok", "web hosts send their logs to /slipway/board/prod/web")
    assert worker == ("warn", "no worker host has sent a line to /slipway/board/prod/worker for 180 minutes")
