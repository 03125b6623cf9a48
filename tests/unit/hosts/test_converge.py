"""What is skipped, what is told, and what is never told."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from hosts import deploy as roles
from hosts import set_up as converge
from hosts.digest import setup_digest
from hosts.one_host import Result
from hosts.plan import FleetPlan
from hosts.render import TEMPLATES, render
from slipway.settings.errors import BadInput, SlipwayError
from tests.unit.hosts.conftest import FLEET, SECRETS


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
    monkeypatch.setattr(converge, "_digests_on_hosts", _answering(current))
    assert converge.converge(plan) == {name: [] for name in FLEET}


def test_a_failure_names_host_and_operation_and_no_secret(plan: FleetPlan, monkeypatch: pytest.MonkeyPatch):
    secret = SECRETS["PLATFORM_REDIS_PASSWORD"]
    result = Result(failed="redis restart", output=("Job failed", f"password {secret}"))
    monkeypatch.setattr(converge, "_digests_on_hosts", _answering({}))
    monkeypatch.setattr(converge, "_set_up", _answering({"data1": result}))
    with pytest.raises(SlipwayError) as raised:
        converge.converge(plan)
    assert "data1" in raised.value.message
    assert raised.value.details == ("data1: redis restart", "    Job failed", "    password ***")


def test_a_missing_platform_secret_is_named_before_any_host_is_touched(plan: FleetPlan):
    with pytest.raises(BadInput, match="PLATFORM_S3_ROOT_SECRET_KEY"):
        digests(dataclasses.replace(plan, secrets={"SLIPWAY_LOAD_KEY": "x", **_without_root()}))


def test_a_plan_shows_no_secret(plan: FleetPlan):
    assert not [value for value in SECRETS.values() if value in repr(plan)]


def test_every_file_has_one_place(plan: FleetPlan):
    for host in plan.outputs.hosts:
        paths = [file.path for file in roles.files(plan, host)]
        assert len(paths) == len(set(paths))


def test_an_undefined_name_in_a_template_is_an_error(plan: FleetPlan):
    with pytest.raises(jinja2.UndefinedError):
        render("data/pg_hba.conf.j2", database="board")


def test_a_file_that_its_check_refuses_leaves_the_old_one(tmp_path: Path):
    target = tmp_path / "etc" / "app.conf"
    assert _place(target, "first", "0600").returncode == 0
    refused = _place(target, "second", "0600", check="echo no good; grep first {}")
    assert refused.returncode == 1
    assert "no good" in refused.stderr
    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def _answering(answer: object) -> Callable[..., object]:
    def answers(*_arguments: object) -> object:
        return answer

    return answers


def _without_root() -> dict[str, str]:
    return {name: value for name, value in SECRETS.items() if name != "PLATFORM_S3_ROOT_SECRET_KEY"}


def _place(path: Path, text: str, mode: str, check: str = "") -> subprocess.CompletedProcess[str]:
    me = pwd.getpwuid(os.getuid()).pw_name
    file = {"path": str(path), "mode": int(mode, 8), "owner": me, "group": os.getgid(), "check": check}
    order = json.dumps([file | {"content": base64.b64encode(text.encode()).decode()}])
    return subprocess.run(
        [sys.executable, "-I", str(TEMPLATES / "base/place.py")],
        input=order,
        capture_output=True,
        text=True,
        check=False,
    )
