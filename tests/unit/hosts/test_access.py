"""Granted ssh keys as hosts get them: what a line allows, and what it can never become."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.access import KEYS, authorized_keys, file_of
from hosts.digest import setup_digest
from hosts.inventory.expected import set_ups
from hosts.plan import FleetPlan
from slipway.secrets.ssh_signature import make_key, public_of
from slipway.settings import BadInput
from slipway.settings.access import ACCESS, new_grant, written
from tests.sshd import serve


@pytest.fixture
def key(tmp_path: Path) -> str:
    make_key(tmp_path / "ana", "ana")
    return public_of(tmp_path / "ana")


def granting(plan: FleetPlan, *grants: tuple[str, str, str]) -> FleetPlan:
    made = [new_grant(f"key{n}", key, "ci" if kind == "ci" else "person", until)
            for n, (kind, key, until) in enumerate(grants)]  # fmt: skip
    return replace(plan, secrets={**plan.secrets, ACCESS: written(made)})


def test_a_key_of_ci_may_forward_to_the_builds_bucket_on_its_host_and_nowhere_else(plan: FleetPlan, key: str):
    builds = plan.outputs.builds.model_copy(update={"tunnel": "data1", "endpoint": "https://10.7.0.15:7070"})
    outputs = plan.outputs.model_copy(update={"builds": builds})
    granted = granting(replace(plan, outputs=outputs), ("ci", key, ""))
    gate = 'command="/usr/local/bin/slipway-gate"'
    for host in plan.outputs.hosts:
        ways = ',port-forwarding,permitopen="10.7.0.15:7070"' if host.is_any("data") else ""
        assert authorized_keys(granted, host) == f"restrict{ways},{gate} {key} key0\n"


def test_the_last_day_counts_in_whole(plan: FleetPlan, key: str):
    host = plan.outputs.hosts[0]
    line = authorized_keys(granting(plan, ("person", key, "2027-12-31")), host)
    assert line == f'expiry-time="20280101Z" {key} key0\n'


def test_granting_a_key_is_no_set_up_and_belongs_to_the_inventory(plan: FleetPlan, key: str):
    host = plan.outputs.hosts[0]
    granted = granting(plan, ("person", key, ""))
    assert setup_digest(granted, host) == setup_digest(plan, host)
    before, after = (set_ups(each, {})[1][host.name] for each in (plan, granted))
    path = file_of(host)
    assert before.files[path] != after.files[path]
    assert (len(before.granted[path]), len(after.granted[path])) == (0, 1)
    # From the first person on, a key that nobody granted is a stranger's.
    assert (before.operator_keys, after.operator_keys) == (None, [])
    assert KEYS


@pytest.mark.parametrize(
    "name", ["", "ana ssh-ed25519", 'a",command="', "a\nssh-ed25519 AAAA", "-x", "a" * 65, "ä"]
)
def test_a_name_cannot_become_a_line_of_its_own(key: str, name: str):
    with pytest.raises(BadInput):
        new_grant(name, key, "person")


@pytest.mark.parametrize(
    "text",
    ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA",
     'command="x" ssh-ed25519 AAAA', "-----BEGIN OPENSSH PRIVATE KEY-----"],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(text: str):
    with pytest.raises(BadInput):
        new_grant("ana", text, "person")


def test_a_body_of_another_type_is_refused(key: str):
    with pytest.raises(BadInput):
        new_grant("ana", f"ecdsa-sha2-nistp256 {key.split()[1]}", "person")
    with pytest.raises(BadInput, match="2027-02-30"):
        new_grant("ana", key, "person", "2027-02-30")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("true", 0),
        ("date +%s.%N", 0),
        ("id", 77),
        ("true; id", 77),
        ("true\nid", 77),
        ("date +%s.%N; id", 77),
        ("/usr/local/bin/slipway-agent status; id", 77),
        ("/usr/local/bin/slipway-agent status id", 77),
        ("/usr/local/bin/slipway-agent $(id)", 77),
        ("/usr/local/bin/slipway-agent --bound", 77),
        ("/usr/local/bin/slipway-agent ", 77),
        ("sudo -n -- sh", 77),
        ("sudo -n -- sudo -n -- true", 77),
    ],
)
def test_sshd_gives_a_key_of_ci_to_the_gate_whatever_it_wants(tmp_path: Path, asked: str, code: int):
    gate = Path(__file__).parents[3] / "templates/base/gate.sh"
    with serve(tmp_path) as server:
        keys = server.folder / "authorized_keys"
        keys.write_text(f'restrict,command="/bin/sh {gate}" {keys.read_text()}')
        done = subprocess.run(
            ["ssh", "-F", str(server.config()), "-o", "ControlPath=none", "web1", asked],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "uid=" not in done.stdout
    assert ("bound to slipway-agent" in done.stderr) == (code == 77)
