"""The workflows are sound, harden what must be hardened, and run nothing that a laptop could not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WITHOUT_REPORTS = "docs.yml"
"""It makes a site, and either that or nothing."""
SHIPPING = ("release.yml", "rollback.yml")
SEARCH = os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / ".slipway/bin"), os.environ["PATH"]])


def tool(name: str) -> str:
    return shutil.which(name, path=SEARCH) or pytest.skip(f"{name} is not installed; script/test builds it")


def load(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())


def jobs(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from load(file)["jobs"].items()


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for _, job in jobs(file):
        yield from job["steps"]


def test_there_are_workflows_to_test_release_and_roll_back() -> None:
    assert {file.name for file in FILES} >= {"ci.yml", *SHIPPING}


def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(
        [tool("actionlint"), "-no-color", *map(str, FILES)],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": SEARCH},  # where shellcheck is, for the scripts inside
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_even_when_pedantic() -> None:
    done = subprocess.run(
        [tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic", str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_granted_that_a_job_does_not_ask_for(file: Path) -> None:
    assert load(file)["permissions"] == {}
    for name, job in jobs(file):
        assert "permissions" in job, name
        # A first `up` of a stack on AWS takes 45 to 60 minutes by itself.
        longest = 110 if (file.name, name) == ("provision.yml", "up") else 60
        assert job["timeout-minutes"] <= longest, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_script_has_an_expression_pasted_into_it(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", ""), step.get("name")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_token_stays_on_disk_no_cache_is_trusted_and_reports_are_always_kept(file: Path) -> None:
    found = {step["uses"].split("@")[0]: step for step in steps(file) if "uses" in step}
    assert found["actions/checkout"]["with"]["persist-credentials"] is False
    assert found["astral-sh/setup-uv"]["with"]["enable-cache"] is False
    if file.name != WITHOUT_REPORTS:
        kept = [step for step in steps(file) if step.get("uses", "").startswith("actions/upload-artifact@")]
        assert any(step.get("if") == "always()" for step in kept)
    assert "actions/cache" not in found


@pytest.mark.parametrize("name", SHIPPING)
def test_shipping_is_protected_by_its_environment_and_never_cancelled_half_way(name: str) -> None:
    file = FOLDER / name
    assert load(file)["concurrency"]["cancel-in-progress"] is False
    assert "stack" in load(file)["concurrency"]["group"]
    for name, job in jobs(file):
        assert ("inputs.stack" in job.get("environment", "")) == (name != "build")


def test_the_job_that_runs_the_apps_own_code_holds_no_secret_and_no_identity() -> None:
    """The build's commands, and the app's tests, are whoever's code was merged."""
    file = FOLDER / "release.yml"
    job = dict(jobs(file))["build"]
    assert job["permissions"] == {"contents": "read"}
    assert "environment" not in job
    assert "secrets." not in str(job)
    (builds,) = [step["run"] for step in job["steps"] if "slipway build" in step.get("run", "")]
    assert "--unsandboxed-build" not in builds
    ships = dict(jobs(file))["release"]
    assert ships["needs"] == "build"
    (command,) = [step["run"] for step in ships["steps"] if "slipway release" in step.get("run", "")]
    assert '--build "$RUNNER_TEMP/build"' in command


def test_a_rollback_does_not_wait_for_a_release_that_runs() -> None:
    groups = {file.name: load(file)["concurrency"]["group"].split("$")[0] for file in FILES}
    assert [name for name, group in groups.items() if group == groups["rollback.yml"]] == ["rollback.yml"]


def test_only_a_person_releases_after_a_rollback_and_never_by_default() -> None:
    file = FOLDER / "release.yml"
    triggers: Any = load(file)
    wanted = triggers[True]["workflow_dispatch"]["inputs"]["after_rollback"]  # YAML reads `on` as true
    assert (wanted["type"], wanted["default"]) == ("boolean", False)
    job = dict(jobs(file))["release"]
    assert job["env"]["AFTER_ROLLBACK"] == "${{ inputs.after_rollback && 'yes' || '' }}"
    assert any("${AFTER_ROLLBACK:+--after-rollback}" in step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("name", SHIPPING)
def test_shipping_alone_gets_the_keys_by_its_environment(name: str) -> None:
    keys = ("SLIPWAY_AGE_KEY", "SLIPWAY_SSH_KEY", "SLIPWAY_SIGNING_KEY")
    for step in steps(FOLDER / name):
        given = {key: value for key, value in step.get("env", {}).items() if key in keys}
        ships = f"slipway {name.removesuffix('.yml')} " in step.get("run", "")
        assert given == ({key: f"${{{{ secrets.{key} }}}}" for key in keys} if ships else {})


@pytest.mark.parametrize("name", SHIPPING)
def test_shipping_is_one_slipway_command_that_a_laptop_could_run(name: str) -> None:
    runs = [step["run"] for step in steps(FOLDER / name) if "slipway" in step.get("run", "")]
    runs = [run for run in runs if "--stack" in run and "slipway build" not in run]
    assert len(runs) == 1
    assert f'slipway {name.removesuffix(".yml")} --stack "$STACK"' in runs[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_exploit_a_pull_requests_code_reads_no_secret_and_gets_no_identity(file: Path) -> None:
    """The plan of a pull request ran its code with the passphrase that opens the stack's state."""
    triggers: Any = load(file)
    if "pull_request" not in (triggers[True] or {}):  # YAML reads `on` as true
        return
    for name, job in jobs(file):
        if job.get("if") == "github.event_name == 'workflow_dispatch'":
            continue
        assert "secrets." not in str(job), name
        assert set(job["permissions"].values()) <= {"read"}, name
        assert "pull_request_target" not in triggers[True]


INSTALLS = {
    f"{file.name} {number}": step["run"]
    for file in FILES
    for number, step in enumerate(steps(file))
    if "uv tool install slipway" in step.get("run", "")
}
"""Steps of workflows that other repositories call."""


@pytest.mark.parametrize("run", INSTALLS.values(), ids=INSTALLS.keys())
@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (None, "tool install slipway"),
        ('[[package]]\nname = "their-app"\n', "tool install slipway"),
        ('[[package]]\nname = "slipway"\n', "sync --locked"),
    ],
    ids=["no lock", "a lock without slipway", "slipway in the lock"],
)
def test_slipway_is_what_the_repository_locks_else_the_newest(
    run: str, lock: str | None, wanted: str, tmp_path: Path
) -> None:
    if lock is not None:
        (tmp_path / "uv.lock").write_text(lock)
    for name in ("uv", "sudo"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/{name}.said"\n')
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-e", "-c", run], cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": path}, check=True
    )
    assert (tmp_path / "uv.said").read_text().strip() == wanted
    assert (tmp_path / ".local/bin/slipway").is_symlink() == (wanted == "sync --locked")
