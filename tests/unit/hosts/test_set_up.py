"""What is skipped, what is reported, and what is never shown."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable

import jinja2
import pytest
from pyinfra.api.command import FileUploadCommand

from hosts import set_up
from hosts.digest import setup_digest
from hosts.plan import FleetPlan
from hosts.render import render
from hosts.run import Result, dry_run
from slipway.settings import BadInput, SlipwayError
from tests.unit.hosts.conftest import FLEET, SECRETS
from tests.unit.hosts.dry import operations, placed


def digests(plan: FleetPlan) -> dict[str, str]:
    return {host.name: setup_digest(plan, host) for host in plan.outputs.hosts}


def test_the_digest_is_the_same_until_something_is_not(plan: FleetPlan):
    again = dataclasses.replace(plan)
    secrets = SECRETS | {"PLATFORM_REDIS_PASSWORD": "another"}
    moved = digests(dataclasses.replace(plan, secrets=secrets))
    before = digests(plan)
    assert digests(again) == before
    assert {name for name in FLEET if moved[name] != before[name]} == {"data1"}


def test_a_changed_limit_concerns_the_edge_alone(plan: FleetPlan):
    limits = plan.app.limits.model_copy(update={"body_bytes": 2048})
    changed = digests(dataclasses.replace(plan, app=plan.app.model_copy(update={"limits": limits})))
    before = digests(plan)
    assert {name for name in FLEET if changed[name] != before[name]} == {"edge"}


def test_hosts_that_are_set_up_are_left_alone(plan: FleetPlan, monkeypatch: pytest.MonkeyPatch):
    current = digests(plan)
    monkeypatch.setattr(set_up, "_digests_on_hosts", _answering(current))
    assert set_up.set_up(plan) == {name: [] for name in FLEET}


def test_a_failure_names_host_and_operation_and_no_secret(plan: FleetPlan, monkeypatch: pytest.MonkeyPatch):
    secret = SECRETS["PLATFORM_REDIS_PASSWORD"]
    result = Result(failed="redis restart", output=("Job failed", f"password {secret}"))
    monkeypatch.setattr(set_up, "_digests_on_hosts", _answering({}))
    monkeypatch.setattr(set_up, "_set_up", _answering({"data1": result}))
    with pytest.raises(SlipwayError) as raised:
        set_up.set_up(plan)
    assert "data1" in raised.value.message
    assert raised.value.details == ("data1: redis restart", "    Job failed", "    password ***")


@pytest.mark.parametrize("shape", ["base64", "hex", "lines"])
def test_a_failure_shows_a_secret_in_no_other_spelling(
    plan: FleetPlan, monkeypatch: pytest.MonkeyPatch, shape: str
):
    secret = SECRETS["PLATFORM_REDIS_PASSWORD"]
    coded = {
        "base64": (f"base64: {base64.b64encode(secret.encode()).decode()}",),
        "hex": (f"hex: {secret.encode().hex(' ')}",),
        "lines": (f"lines: {secret[:9]}", secret[9:]),
    }[shape]
    monkeypatch.setattr(set_up, "_digests_on_hosts", _answering({}))
    monkeypatch.setattr(set_up, "_set_up", _answering({"data1": Result(failed="redis", output=coded)}))
    with pytest.raises(SlipwayError) as raised:
        set_up.set_up(plan)
    assert raised.value.details == ("data1: redis", f"    {shape}: ***")


def test_a_missing_platform_secret_is_named_before_any_host_is_touched(plan: FleetPlan):
    with pytest.raises(BadInput, match="PLATFORM_S3_ROOT_SECRET_KEY"):
        digests(dataclasses.replace(plan, secrets={"SLIPWAY_LOAD_KEY": "x", **_without_root()}))


def test_a_plan_shows_no_secret(plan: FleetPlan):
    assert not [value for value in SECRETS.values() if value in repr(plan)]


def test_every_file_is_written_once(plan: FleetPlan):
    for host in plan.outputs.hosts:
        writes = [
            name
            for name, command in dry_run(plan, host)
            if isinstance(command, FileUploadCommand) or ".slipway-new" in str(command)
        ]
        assert len(writes) == len(placed(plan, host))


def test_a_handler_runs_after_its_files_are_placed(plan: FleetPlan):
    order = operations(plan, plan.outputs.host("edge"))
    assert order.index("/etc/haproxy/haproxy.cfg") < order.index("haproxy reload")
    assert order.index("site certificate") < order.index("haproxy reload")
    assert order[-1] == "digest"


def test_an_undefined_name_in_a_template_is_an_error(plan: FleetPlan):
    with pytest.raises(jinja2.UndefinedError):
        render("data/pg_hba.conf.j2", database="board")


def _answering(answer: object) -> Callable[..., object]:
    def answers(*_arguments: object) -> object:
        return answer

    return answers


def _without_root() -> dict[str, str]:
    return {name: value for name, value in SECRETS.items() if name != "PLATFORM_S3_ROOT_SECRET_KEY"}
