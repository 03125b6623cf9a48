"""Checks of a preview: those that judge one by itself, with its own URL, app and secrets."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.kit.needs import OF_A_PREVIEW, suits
from slipway.checking import run as run_checks
from slipway.part import Part, part_from
from slipway.settings import App, Outputs, Project, SecretStore, open_project
from slipway.stack import LiveStack
from slipway.traffic.target import target_of
from tests.unit.checks.conftest import HEAD, Ran
from tests.unit.checks.test_needs import every_check

CHECKS = """
@check("X2", **RULE)
def test_own(live): pass
@check("X2", **RULE)
def test_that_asks_a_host(live): pass
@check("I3", **RULE)
def test_of_the_hosts(live): pass
@check("X2", deep=True, **RULE)
def test_that_takes_long(live): pass
@check("X2", spends="all", **RULE)
def test_that_spends_what_others_share(live): pass
""".replace("asks_a_host(live)", "asks_a_host(hosts)")
SEES = """
@check("X2", **RULE)
def test_sees_the_part(live):
    assert (live.url, live.app.name, live.name) == ("https://pr-1.example.com", "of-the-build", "local")
    assert live.secret("OWN") == "only the preview's"
    assert live.state_dir.parts[-2:] == ("previews", "pr-1")
"""
TOML = 'name = "tiny"\n[runtime]\nname = "none"\n[processes.web]\ncommand = "./serve"\n'


@pytest.fixture
def part() -> Part:
    app = App.model_validate(
        {"name": "of-the-build", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    outputs = Outputs.model_validate(
        {
            "platform": "local",
            "stack": "tiny-local",
            "url": "https://pr-1.example.com",
            "connect": "127.0.0.1:9",
            "hosts": [],
            "builds": {"bucket": "builds"},
            "secrets": SecretStore(kind="age", location="secrets.age"),
        }
    )
    # More than a pipe holds, as a large slipway.toml may be.
    return Part(
        name="pr-1", app=app, outputs=outputs, secrets={"OWN": "only the preview's", "LONG": "x" * 200_000}
    )


def test_only_what_judges_one_preview_by_itself_runs(run: Callable[..., Ran]):
    done = run(CHECKS, also="\nLive.part = object()\n")
    assert done.verdicts == {"X2/own": "pass"}
    assert "X2/of-the-hosts" not in done.verdicts
    everything = run(CHECKS)
    assert "I3/of-the-hosts" in everything.verdicts


def test_each_row_of_the_table_has_a_check_that_suits(part: Part, project: Project):
    suiting = [check for check, function in every_check() if suits(check, function, LiveStack(project, part))]
    assert {check.rows[0] for check in suiting} == {*OF_A_PREVIEW}
    ids = {check.id for check in suiting}
    assert {"X1/the-certificate-is-trusted-and-for-this-name", "P3/no-secret-reaches-browsers"} <= ids
    assert {"X2/framing-is-denied", "X11/private-paths-are-private", "S2/the-site-answers"} <= ids
    assert not [check.id for check in suiting if check.roles]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  slipway:platform: local\n")
    (tmp_path / "slipway.toml").write_text(TOML)
    return open_project("local", tmp_path)


def test_the_process_that_checks_sees_the_part_and_no_secret_is_in_its_arguments(
    part: Part, project: Project
):
    own = project.root / "checks"
    own.mkdir()
    (own / "conftest.py").write_text("from checks.conftest import *\n")
    (own / "test_own.py").write_text(HEAD + SEES)
    with (project.root / "said").open("w") as said:
        done = run_checks(project, part=part, only=["X2/sees-the-part"], output=said)
    assert [each["verdict"] for each in done.document["results"]] == ["pass"], (
        project.root / "said"
    ).read_text()
    assert done.document["url"] == "https://pr-1.example.com"


def test_a_process_that_reads_nothing_hangs_no_one(part: Part):
    with part.handed_over() as given:
        subprocess.run(["true"], pass_fds=(given,), check=True)


def test_what_is_handed_over_is_the_part(part: Part):
    with part.handed_over() as given:
        assert part_from(os.dup(given)) == part


def test_load_is_sent_to_the_part_alone(part: Part, project: Project):
    target = target_of(LiveStack(project, part))
    assert (target.url, target.address) == ("https://pr-1.example.com", ("127.0.0.1", 9))
    assert target.app.name == "of-the-build"
    assert "only the preview's" not in target.model_dump_json()
    assert "only the preview's" not in repr(part)
