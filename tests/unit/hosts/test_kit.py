"""The set-up kit: complete, the same every time, and without a secret."""

from __future__ import annotations

import ast
import dataclasses
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, cast

import pytest

from hosts.kit import setup
from hosts.kit.archive import kit_digest, kit_objects, make, python_objects
from hosts.kit.python_packages import REQUIREMENTS, TARGETS, packages_digest
from hosts.kit.setup import host_name
from hosts.kit.user_data import MAX_BYTES, user_data
from hosts.plan import FleetPlan, Instance, unpack
from slipway.platforms.aws.open import Member
from slipway.settings import BadInput, Host, Role
from slipway.settings.aws_names import AwsNames
from tests.unit.hosts.aws import CIDR, on_aws
from tests.unit.hosts.conftest import SECRETS
from tests.unit.hosts.dry import on_itself, operations, placed

KITS: tuple[Role, ...] = ("web", "worker")
PYTHON = {"x86_64-3.11": {"key": "setup/python.tar.gz", "sha256": "0"}}
ROOT = Path(__file__).parents[3]
INSTANCE = Instance("i-0123456789abcdef0", {"s3": "http://x"})


def signed(content: bytes, namespace: str) -> tuple[str, str]:
    return "ana@example.com", f"{namespace} {hashlib.sha256(content).hexdigest()}"


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: cast("Any", tar.extractfile(member)).read() for member in tar}


def kit(plan: FleetPlan, role: Role) -> dict[str, Any]:
    return json.loads(unpacked(make(plan, role, PYTHON))["kit.json"])


def text_of(plan: FleetPlan, role: Role, path: str) -> str:
    """A file as the kit of `role` leaves it on its host."""
    return placed(plan, on_itself(role))[path].data.decode()


@pytest.mark.parametrize("role", KITS)
def test_the_same_plan_gives_the_same_bytes_and_another_limit_others(plan: FleetPlan, role: Role):
    aws = on_aws(plan)
    assert make(aws, role, PYTHON) == make(on_aws(plan), role, PYTHON)
    processes = {**plan.app.processes}
    processes["web"] = processes["web"].model_copy(update={"instances": 3})
    changed = dataclasses.replace(aws, app=plan.app.model_copy(update={"processes": processes}))
    assert (kit_digest(changed, role) != kit_digest(aws, role)) == (role == "web")


@pytest.mark.parametrize("role", KITS)
def test_no_kit_and_no_user_data_holds_a_secret(plan: FleetPlan, role: Role):
    aws = on_aws(plan)
    inside = b"".join(unpacked(make(aws, role, PYTHON)).values())
    inside += user_data(
        AwsNames(aws.stack, "123456789012", "eu-central-1"), role, "eu-central-1", "b"
    ).encode()
    assert [name for name, value in SECRETS.items() if value.encode() in inside] == []


@pytest.mark.parametrize("role", KITS)
def test_a_host_makes_of_its_kit_what_the_operators_plan_says(plan: FleetPlan, role: Role, tmp_path: Path):
    aws, host = on_aws(plan), on_itself(role)
    members = unpacked(make(aws, role, PYTHON))
    (tmp_path / "ca.pem").write_bytes(members["ca.pem"])
    there = unpack(members["plan.json"].decode(), tmp_path / "ca.pem", Instance(""))
    mine, its = placed(aws, host), placed(there, host)
    assert {path for path in mine if mine[path] != its[path]} == {"/etc/slipway/host.json"}
    assert operations(aws, host) == operations(there, host)
    assert "slipway-converge.timer" in operations(there, host)
    written = json.loads(its["/etc/slipway/host.json"].data)
    assert written["cloud"] == {
        "region": "eu-central-1",
        "boot_secret": f"arn:{role}",
        "log_group": AwsNames(aws.stack, "123456789012", "eu-central-1").log_group(role),
        "app_role": "arn:app",
    }
    assert {"slipway-forward.service", "slipway-credentials.service"} <= set(operations(there, host))
    assert written["builds"]["access_key"] == written["builds"]["secret_key"] == ""


def test_the_deploy_runs_from_the_kits_own_sources(plan: FleetPlan, tmp_path: Path):
    for name, content in unpacked(make(on_aws(plan), "web", PYTHON)).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    program = f"""
import sys, pathlib
sys.path.insert(0, {str(tmp_path)!r})
from hosts.plan import Instance, unpack
from hosts.run import dry_run
from slipway.settings.outputs import Host
here = pathlib.Path({str(tmp_path)!r})
plan = unpack((here / "plan.json").read_text(), here / "ca.pem", Instance("i-0123456789abcdef0"))
print(len(list(dry_run(plan, Host(name="web", roles=("web",), address="", ssh_host="")))))
for module in list(sys.modules.values()):
    name = getattr(module, "__name__", "").split(".")[0]
    if name in ("hosts", "slipway") and getattr(module, "__file__", None):
        assert module.__file__.startswith({str(tmp_path)!r}), module
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_the_pinned_python_packages_are_those_of_the_lock_file():
    argv = ["uv", "export", "--only-group", "kit", "--no-emit-project", "--frozen", "--offline", "--quiet"]
    locked = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert _pins(REQUIREMENTS.read_text()) == _pins(locked)


def test_hosts_find_the_python_packages_by_the_index_which_is_written_last():
    objects = python_objects("board-prod", dict.fromkeys(TARGETS, b"wheels"), packages_digest(), signed)
    assert list(objects)[-1] == "setup/python.json"
    index = json.loads(objects["setup/python.json"])
    assert index["digest"] == packages_digest()
    for target in TARGETS:
        archive = index["archives"][target]
        assert hashlib.sha256(objects[archive["key"]]).hexdigest() == archive["sha256"]


def test_a_bare_machine_can_unpack_it_and_its_digest_is_pinned_by_the_pointer(plan: FleetPlan):
    objects = kit_objects(on_aws(plan), "web", PYTHON, 1, signed)
    (key, archive), (pointer_key, pointer) = objects.items()
    index = json.loads(pointer)
    assert (index["key"], pointer_key) == (key, "setup/web.json")
    assert index["sha256"] == hashlib.sha256(archive).hexdigest()
    assert gzip.decompress(archive)


def test_roles_that_others_provide_have_no_kit(plan: FleetPlan):
    with pytest.raises(BadInput, match="role data"):
        make(on_aws(plan), "data", PYTHON)
    with pytest.raises(BadInput, match="come and go"):
        make(plan, "web", PYTHON)


def test_sshd_is_reached_from_the_host_itself_alone_and_8080_from_the_network(plan: FleetPlan):
    web = text_of(on_aws(plan), "web", "/etc/slipway/firewall.nft")
    assert "dport 22" not in web
    assert f"ip saddr {{ {CIDR} }} tcp dport 8080 accept" in web
    assert "tcp dport" not in text_of(on_aws(plan), "worker", "/etc/slipway/firewall.nft")


def test_no_ssh_key_lies_on_a_host(plan: FleetPlan):
    text = text_of(on_aws(plan), "web", "/etc/ssh/sshd_config.d/11-slipway-aws.conf")
    assert "AuthorizedKeysFile none" in text
    assert "AuthorizedKeysCommandUser slipway-keys" in text


@pytest.mark.parametrize("role", KITS)
def test_user_data_is_small_whole_and_the_same_for_a_stack_and_role(plan: FleetPlan, role: Role):
    names = AwsNames(on_aws(plan).stack, "123456789012", "eu-central-1")
    text = user_data(names, role, "eu-central-1", names.bucket("builds"))
    assert text == user_data(names, role, "eu-central-1", names.bucket("builds"))
    assert text.startswith("#!/usr/bin/python3 -I\n")
    assert len(text.encode()) < MAX_BYTES
    ast.parse(text)
    assert "from ." not in text


def test_a_host_calls_itself_what_discovery_calls_it():
    member = Member(instance="i-0123456789abcdef0", role="web", address="", launched="")
    assert host_name("web", "i-0123456789abcdef0") == member.name


def test_a_host_knows_its_own_name_address_and_endpoints(plan: FleetPlan):
    there = dataclasses.replace(on_aws(plan), instance=INSTANCE)
    host = Host(name=host_name("web", INSTANCE.id), roles=("web",), address="10.20.1.7", ssh_host="")
    files = placed(there, host)
    written = json.loads(files["/etc/slipway/host.json"].data)
    assert (written["host"], written["address"], written["role"]) == ("web-9abcdef0", "10.20.1.7", "web")
    assert (written["instance"], written["builds"]["endpoint"]) == (INSTANCE.id, "http://x")
    assert json.loads(files["/etc/slipway/endpoints.json"].data) == {"endpoints": {"s3": "http://x"}}
    assert (files["/etc/slipway/host.json"].mode, files["/etc/slipway/endpoints.json"].mode) == ("600", "644")


def test_a_set_up_without_facts_uses_those_of_the_last_time(
    plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there = dataclasses.replace(on_aws(plan), instance=INSTANCE)
    host = Host(name="web", roles=("web",), address="10.20.1.7", ssh_host="")
    for name, path in (("HOST_JSON", "/etc/slipway/host.json"), ("ENDPOINTS", "/etc/slipway/endpoints.json")):
        (tmp_path / name).write_bytes(placed(there, host)[path].data)
        monkeypatch.setattr(setup, name, tmp_path / name)
    monkeypatch.delenv("SLIPWAY_FACTS", raising=False)
    facts = {"instance": INSTANCE.id, "address": "10.20.1.7", "endpoints": {"s3": "http://x"}}
    assert setup.known_facts() == facts


def _pins(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]
