"""The set-up kit: complete, the same every time, and without a secret."""

from __future__ import annotations

import ast
import base64
import dataclasses
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hosts import deploy as roles
from hosts.kit import kit_digest, kit_objects, make
from hosts.kit.contents import any_host
from hosts.kit.setup import host_name
from hosts.kit.user_data import MAX_BYTES, user_data
from hosts.plan import FleetPlan
from slipway.platforms.aws.discovery import Member
from slipway.settings.aws_names import AwsNames
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Role
from tests.fleet.metadata import Metadata
from tests.unit.hosts.aws import CIDR, on_aws
from tests.unit.hosts.conftest import SECRETS

KITS: tuple[Role, ...] = ("web", "worker")


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: cast("Any", tar.extractfile(member)).read() for member in tar}


def kit(plan: FleetPlan, role: Role) -> dict[str, Any]:
    return json.loads(unpacked(make(plan, role))["kit.json"])


def text_of(plan: FleetPlan, role: Role, path: str) -> str:
    file = next(each for each in kit(plan, role)["files"] if each["path"] == path)
    return base64.b64decode(file["content"]).decode()


@pytest.mark.parametrize("role", KITS)
def test_the_same_plan_gives_the_same_bytes_and_another_limit_others(plan: FleetPlan, role: Role):
    aws = on_aws(plan)
    assert make(aws, role) == make(on_aws(plan), role)
    processes = {**plan.app.processes}
    processes["web"] = processes["web"].model_copy(update={"instances": 3})
    changed = dataclasses.replace(aws, app=plan.app.model_copy(update={"processes": processes}))
    assert (kit_digest(changed, role) != kit_digest(aws, role)) == (role == "web")


@pytest.mark.parametrize("role", KITS)
def test_no_kit_and_no_user_data_holds_a_secret(plan: FleetPlan, role: Role):
    aws = on_aws(plan)
    inside = b"".join(unpacked(make(aws, role)).values())
    inside += b"".join(base64.b64decode(each["content"]) for each in kit(aws, role)["files"])
    inside += user_data(
        AwsNames(aws.stack, "123456789012", "eu-central-1"), role, "eu-central-1", "b"
    ).encode()
    assert [name for name, value in SECRETS.items() if value.encode() in inside] == []


@pytest.mark.parametrize("role", KITS)
def test_all_files_and_effects_of_the_role_are_in_it_and_its_own_facts_are_not(plan: FleetPlan, role: Role):
    aws = on_aws(plan)
    told = kit(aws, role)
    host = any_host(role)
    assert [each["path"] for each in told["files"]] == [file.path for file in roles.files(aws, host)]
    assert "/etc/slipway/host.json" not in {each["path"] for each in told["files"]}
    assert told["packages"] == roles.packages(aws, host)
    assert {"slipway-converge.timer"} <= {
        unit for each in told["effects"] for unit in each.get("running", ())
    }
    assert told["host"]["cloud"] == {"region": "eu-central-1", "boot_secret": f"arn:{role}"}
    assert told["host"]["builds"]["access_key"] == told["host"]["builds"]["secret_key"] == ""


def test_a_bare_machine_can_unpack_it_and_its_digest_is_pinned_by_the_pointer(plan: FleetPlan):
    objects = kit_objects(on_aws(plan), "web")
    (key, archive), (pointer_key, pointer) = objects.items()
    told = json.loads(pointer)
    assert (told["key"], pointer_key) == (key, "setup/web.json")
    assert told["sha256"] == hashlib.sha256(archive).hexdigest()
    assert gzip.decompress(archive)


def test_roles_that_others_provide_have_no_kit(plan: FleetPlan):
    with pytest.raises(BadInput, match="role data"):
        make(on_aws(plan), "data")
    with pytest.raises(BadInput, match="on AWS"):
        make(plan, "web")


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


def test_a_host_that_comes_before_its_kit_says_so_and_keeps_waiting(plan: FleetPlan):
    kits: dict[str, bytes] = {}

    class Bucket(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = kits.get(self.path, b"<Code>NoSuchKey</Code>")
            self.send_response(200 if self.path in kits else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    bucket = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=bucket.serve_forever, daemon=True).start()
    keys = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2099-01-01T00:00:00Z"}
    metadata = Metadata("127.0.0.1", keys, {})
    endpoints = {"imds": metadata.url, "s3": f"http://127.0.0.1:{bucket.server_port}"}
    names = AwsNames(on_aws(plan).stack, "123456789012", "eu-central-1")
    text = user_data(names, "web", "eu-central-1", "builds", endpoints)
    assert text.endswith("\nmain()\n")
    program: dict[str, Any] = {}
    exec(text.removesuffix("main()\n"), program)
    said: list[str] = []
    program["syslog"] = SimpleNamespace(syslog=said.append)

    def comes(seconds: float) -> None:
        kits["/builds/setup/web.json"] = b'{"key": "setup/kit", "sha256": "0"}'
        kits["/builds/setup/kit"] = b"of another digest"
        del seconds
        if len(said) > 1:
            raise KeyboardInterrupt

    program["time"] = SimpleNamespace(**{**vars(time), "sleep": comes})
    try:
        imds = program["Imds"](metadata.url)
        with pytest.raises(KeyboardInterrupt):
            program["patiently"](lambda: program["set_up"](imds), time.monotonic() + 60)
    finally:
        bucket.shutdown()
        bucket.server_close()
        metadata.close()
    assert "builds/setup/web.json: no set-up kit is there yet: `slipway up` brings it" in said[0]
    assert "digest" in said[1]


def test_a_host_calls_itself_what_discovery_calls_it():
    member = Member(instance="i-0123456789abcdef0", role="web", address="", launched="")
    assert host_name("web", "i-0123456789abcdef0") == member.name


def test_the_runner_names_its_files_as_the_set_up_does():
    from hosts import base, effect  # noqa: PLC0415
    from hosts.kit import setup  # noqa: PLC0415
    from hosts.one_host import DIGESTS  # noqa: PLC0415

    assert (f"/{setup.HOST_JSON}", f"/{setup.TAKEN_UP}") == (base.HOST_JSON, effect.TAKEN_UP)
    assert tuple(f"/{path}" for path in setup.DIGESTS) == DIGESTS


def test_the_runners_own_facts_are_those_of_the_instance(plan: FleetPlan):
    from hosts.kit import setup  # noqa: PLC0415

    told = {"instance": "i-0123456789abcdef0", "address": "10.20.1.7", "endpoints": {"s3": "http://x"}}
    host, endpoints = setup.own_files(kit(on_aws(plan), "web"), told)
    written = json.loads(base64.b64decode(host["content"]))
    assert (written["host"], written["address"], written["role"]) == ("web-9abcdef0", "10.20.1.7", "web")
    assert written["builds"]["endpoint"] == "http://x"
    assert (host["mode"], endpoints["mode"]) == (0o600, 0o644)
    assert SimpleNamespace(**json.loads(base64.b64decode(endpoints["content"]))).endpoints == {
        "s3": "http://x"
    }
