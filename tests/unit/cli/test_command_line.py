"""What a person sees of the command line before any fleet is there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from slipway.secrets import age

OTHER = age.public_of(age.new_key())

COMMANDS = (
    "up",
    "down",
    "release",
    "rollback",
    "hold",
    "resume",
    "status",
    "history",
    "ledger repair",
    "logs",
    "run",
    "secrets",
    "meter",
    "check",
    "load",
    "doctor",
)

TOML = """
name = "tiny"
[runtime]
name = "none"
[processes.web]
command = "./serve"
"""


def slipway(
    root: Path, *args: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slipway", *args],
        cwd=root,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (folder / "Pulumi.local.yaml").write_text("config:\n  slipway:platform: local\n")
    (folder / "slipway.toml").write_text(TOML)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(root: Path, command: str):
    done = slipway(root, *command.split(), "--help")
    assert done.returncode == 0
    assert "--stack" in done.stdout or command == "secrets"
    assert "Examples" in done.stdout or command == "secrets"


def test_an_unknown_stack_is_bad_input_and_names_those_there_are(root: Path):
    done = slipway(root, "status", "--stack", "prdo")
    assert done.returncode == 2
    assert "prdo" in done.stderr
    assert "local" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_toml_is_told_with_line_key_and_remedy(root: Path):
    (root / "slipway.toml").write_text(TOML + 'health = "up"\n')
    done = slipway(root, "release")
    assert done.returncode == 2
    assert "slipway.toml:7" in done.stderr
    assert "processes.web.health" in done.stderr


def test_a_stack_that_is_not_up_says_how_to_bring_it_up(root: Path):
    done = slipway(root, "status")
    assert done.returncode == 2
    assert "slipway up --stack local" in done.stderr


def test_errors_are_json_too_when_json_is_asked_for(root: Path):
    done = slipway(root, "status", "--json")
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == done.returncode == 2
    assert error["remedy"]


def test_outside_of_a_project_it_says_what_is_missing(tmp_path: Path):
    done = slipway(tmp_path, "status")
    assert done.returncode == 2
    assert "Pulumi.yaml" in done.stderr


def test_a_secret_is_set_from_standard_input_and_never_printed(root: Path):
    value = "canary-9f3b1c77e0d84a52"
    done = slipway(root, "secrets", "set", "API_KEY", stdin=value + "\n")
    assert done.returncode == 0, done.stderr
    listed = slipway(root, "secrets", "list")
    assert "API_KEY" in listed.stdout
    assert value not in done.stdout + done.stderr + listed.stdout + listed.stderr


def test_a_stack_of_another_platform_cannot_be_taken_down(root: Path):
    (root / "Pulumi.prod.yaml").write_text(
        "config:\n  slipway:platform: aws\n  slipway:domain: example.com\n"
        '  slipway:aws: {account: "123456789012", hosted_zone: Z0123456789, alerts: {emails: [a@acme.dev]}}\n'
    )
    done = slipway(root, "down", "--stack", "prod")
    assert done.returncode == 2
    assert "slipway never deletes it" in done.stderr


def test_help_loads_no_schema_and_no_client_of_a_service():
    code = "import sys; from slipway.cli.app import command_line; command_line(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "pydantic",
        "yaml",
        "jinja2",
        "obstore",
        "httpx",
        "asyncssh",
        "pyinfra",
        "pulumi",
        "slipway.settings.app",
    }
    assert not heavy & {*done.stdout.split()}


def test_checking_infrastructure_loads_no_sdk_beside_the_recording():
    """pulumi_cloudflare alone takes seconds; the program is recorded in a process of its own."""
    code = "import sys, infra.policies, infra.proofs, infra.recording; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pulumi", "pulumi_aws", "pulumi_cloudflare"} & {*done.stdout.split()}


def test_secrets_are_shared_only_after_the_list_was_shown(root: Path):
    key = age.new_key()
    env = {"SLIPWAY_AGE_KEY": key}
    shown = slipway(root, "secrets", "share", OTHER, "--stack", "local", env=env)
    assert (shown.returncode, f"+ {OTHER}" in shown.stdout) == (2, True)
    assert "--yes" in shown.stderr
    given = ("secrets", "share", OTHER, "--who", "Ana", "--yes", "--stack", "local")
    assert slipway(root, "secrets", "share", age.public_of(key), "--yes", env=env).returncode == 0
    assert slipway(root, *given, env=env).returncode == 0
    gone = slipway(root, "secrets", "unshare", OTHER, "--yes", "--stack", "local", env=env)
    assert (gone.returncode, f"- {OTHER}  Ana" in gone.stdout) == (0, True)
    assert "rotate" in gone.stdout
