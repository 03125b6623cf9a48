"""provision.yml's plan of a pull request, step by step: both stacks recorded, before and after."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet.checks.conftest import PROOF
from tests.infra.conftest import ROOT
from tests.workflow import Done, Runner

BASE = "b" * 40
COMMITTED = ("infra", "slipway", "hosts", "templates", "examples/board", "pyproject.toml", "uv.lock")


@pytest.fixture
def repository(tmp_path: Path) -> Runner:
    """A repository like this one; the base of its pull request is what is here."""
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", *COMMITTED, "Pulumi*.yaml"],
        check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    base = tmp_path / "base"
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (base / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, base / file)
    shutil.copytree(base, tmp_path / "pull")

    def checkout(ref: str) -> Path:
        assert ref in ("", BASE)
        return base if ref else tmp_path / "pull"

    # A job's `uv sync` installs the checkout itself.
    env = {"PYTHONPATH": str(tmp_path / "pull")}
    return Runner(tmp_path / "pull", tmp_path, env=env, checkout=checkout)


def changed(repository: Runner, file: str, change: Callable[[str], str]) -> None:
    path = repository.root / file
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def planned(repository: Runner) -> Done:
    event = {"pull_request": {"base": {"sha": BASE}}}
    done = repository.run("provision.yml", "pull_request", event)
    assert done["up"].result == "skipped"
    return done["plan"]


def kept(repository: Runner, file: str) -> str:
    """A file of the artifact that the job has kept."""
    return (repository.artifacts / "plan" / file).read_text()


def added(repository: Runner, file: str) -> list[str]:
    """Lines that the diff adds."""
    lines = kept(repository, file).splitlines()
    return [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]


def test_a_plan_shows_what_each_stack_gains_and_keeps_it(repository: Runner):
    changed(repository, "Pulumi.prod.yaml", lambda text: text.replace("monthly_usd: 600", "monthly_usd: 700"))
    done = planned(repository)
    assert done.result == "success", done.log
    assert set(added(repository, "prod.diff")) == {'"limitAmount": "700",'}
    assert kept(repository, "preview.diff") == ""
    assert "limitAmount" in done.log


@PROOF
def test_a_plan_that_breaks_a_rule_is_refused_and_both_stacks_are_shown_all_the_same(repository: Runner):
    """The program itself opens the database to the internet, in both stacks."""
    changed(
        repository,
        "infra/aws/database.py",
        lambda text: text.replace("publicly_accessible=False", "publicly_accessible=True"),
    )
    done = planned(repository)
    assert (done.result, done.steps["Plan"]) == ("failure", "failure")
    assert "publicly" in done.log
    for stack in ("preview", "prod"):
        assert '"publiclyAccessible": true,' in added(repository, f"{stack}.diff")


@PROOF
def test_settings_that_cannot_be_are_refused_by_name(repository: Runner):
    changed(
        repository, "Pulumi.prod.yaml", lambda text: text.replace("region: us-east-1", "region: us-moon-1")
    )
    done = planned(repository)
    assert done.result == "failure"
    assert "us-moon-1" in done.log
