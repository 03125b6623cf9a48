"""The commands as a person gives them, each a process of its own, against moto's server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.platform.world import World

TOML = """
name = "board"
[runtime]
name = "none"
[processes.web]
command = "./serve"
[env.JWT_SECRET]
secret = true
generate = "base64:48"
[env.STRIPE_KEY]
secret = true
"""
SETTINGS = """
config:
  slipway:platform: aws
  slipway:domain: board.example
  slipway:aws:
    account: "{account}"
    hosted_zone: Z0123456789ABC
    alerts: {{emails: [oncall@board.example]}}
"""


def slipway(root: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slipway", *args, "--stack", "prod"],
        cwd=root, input=stdin, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def root(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: board\nruntime: python\n")
    (folder / "Pulumi.prod.yaml").write_text(SETTINGS.format(account="123456789012"))
    (folder / "slipway.toml").write_text(TOML)
    assert os.environ["AWS_ENDPOINT_URL"] == world.url
    return folder


def test_secrets_are_set_and_made_in_secrets_manager_and_never_shown(root: Path, world: World):
    world.provision()
    value = "sk_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    told = [
        slipway(root, "secrets", "set", "STRIPE_KEY", stdin=f"{value}\n"),
        slipway(root, "secrets", "generate"),
        slipway(root, "secrets", "list", "--json"),
        slipway(root, "secrets", "check"),
    ]
    assert [ran.returncode for ran in told] == [0, 0, 0, 0], told
    held = world.secret(world.names.app_secret)
    assert held["STRIPE_KEY"] == value
    assert {entry["name"]: entry["state"] for entry in json.loads(told[2].stdout)} == {
        "JWT_SECRET": "set",
        "STRIPE_KEY": "set",
    }
    for ran in told:
        assert value not in ran.stdout + ran.stderr
        assert held["JWT_SECRET"] not in ran.stdout + ran.stderr


def test_who_may_read_is_for_iam_to_say(root: Path, world: World):
    ran = slipway(root, "secrets", "share", "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq")
    assert ran.returncode == 2
    assert "IAM" in ran.stderr


@pytest.mark.parametrize("command", ["status", "release", "rollback", "history", "up"])
def test_every_command_refuses_a_wrong_account_alike(root: Path, world: World, command: str):
    (root / "Pulumi.prod.yaml").write_text(SETTINGS.format(account="210987654321"))
    ran = slipway(root, command)
    assert ran.returncode == 2
    assert "account 123456789012" in ran.stderr
    assert "may only be in account 210987654321" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_stack_without_hosts_has_a_status_and_names_who_is_still_starting(root: Path, world: World):
    world.provision()
    (late,) = world.launch("web", 1, publish=False)
    ran = slipway(root, "status")
    assert ran.returncode == 0, ran.stderr
    assert f"web-{late[-8:]}: still starting" in ran.stdout


def test_nobody_signed_in_is_told_so_in_two_lines(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = slipway(root, "status")
    assert ran.returncode == 2
    first, second = ran.stderr.splitlines()
    assert first == "error: no AWS credentials were found"
    assert second.startswith("remedy: sign in")
