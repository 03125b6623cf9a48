"""A new host runs the kit that a signer of its stack signed, whatever else lies in the builds bucket.

The user data is the real one, with a metadata service, a bucket and a parameter store over HTTP.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.agent.signature import KIT
from hosts.kit.archive import statement
from hosts.kit.user_data import user_data
from hosts.plan import FleetPlan
from slipway.secrets.ssh_signature import make_key, public_of, sign
from slipway.settings import Role
from slipway.settings.aws_names import AwsNames
from tests.fleet.metadata import Metadata
from tests.unit.hosts.aws import on_aws

FLEET, SIGNER, MADE = "board-local", "ana@example.com", 2_000


class Cloud:
    """What a new host asks for: objects of its bucket, and the parameter that says who signs kits."""

    def __init__(self, plan: FleetPlan, folder: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self.ran, self.said = folder / "ran", list[str]()
        self.key, self.thief = folder / "signing", folder / "thief"
        for key in (self.key, self.thief):
            make_key(key, "")
        self.trusted: dict[str, Any] | None = {"signers": self.signers(self.key), "oldest": {"web": MADE}}
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(cloud.objects.get(self.path.removeprefix("/builds/")), b"<Code>NoSuchKey</Code>")

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert asked == {"Name": names.setup_parameter}
                known = {"Parameter": {"Value": json.dumps(cloud.trusted)}}
                self._answer(json.dumps(known).encode() if cloud.trusted else None, b"ParameterNotFound")

            def _answer(self, body: bytes | None, missing: bytes) -> None:
                content = missing if body is None else body
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        keys = {
            "AccessKeyId": "a",
            "SecretAccessKey": "b",
            "Token": "c",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        where = {"meta-data/instance-id": "i-1", "meta-data/local-ipv4": "10.0.0.1"}
        self.metadata = Metadata("127.0.0.1", keys, where)
        url = f"http://127.0.0.1:{self.server.server_port}"
        endpoints = {"imds": self.metadata.url, "s3": url, "parameters": url}
        names = AwsNames(on_aws(plan).stack, "123456789012", "eu-central-1")
        assert names.fleet == FLEET
        text = user_data(names, "web", "eu-central-1", "builds", endpoints)
        assert text.endswith("\nmain()\n")
        self.program: dict[str, Any] = {}
        exec(text.removesuffix("main()\n"), self.program)
        self.program["syslog"] = SimpleNamespace(syslog=self.said.append)
        self.program["FOLDER"] = str(folder / "setup")

    def signers(self, key: Path) -> str:
        return f'{SIGNER} namespaces="slipway-*" {public_of(key)}\n'

    def kit(self) -> bytes:
        """A kit that tells when it has run."""
        program = f"open({str(self.ran)!r}, 'w').close()".encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as made:
            info = tarfile.TarInfo("setup.py")
            info.size = len(program)
            made.addfile(info, io.BytesIO(program))
        return gzip.compress(packed.getvalue(), mtime=0)

    def put(
        self,
        key: Path | None,
        *,
        fleet: str = FLEET,
        role: Role = "web",
        made: int = MADE,
        namespace: str = KIT,
    ) -> None:
        """The kit, its pointer and its signature by `key`, as a writer of the bucket may put them there."""
        kit = self.kit()
        digest = hashlib.sha256(kit).hexdigest()
        pointer: dict[str, Any] = {"key": "setup/kit", "sha256": digest}
        if key:
            signature = sign(statement(fleet, role, digest, made), key, namespace)
            pointer |= {"made": made, "signer": SIGNER, "signature": signature}
        self.objects |= {"setup/kit": kit, "setup/web.json": json.dumps(pointer).encode()}

    def set_up(self) -> None:
        self.program["set_up"](self.program["Imds"](self.metadata.url))


@pytest.fixture
def cloud(plan: FleetPlan, tmp_path: Path) -> Generator[Cloud]:
    made = Cloud(plan, tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.metadata.close()


def test_a_signed_kit_runs(cloud: Cloud):
    cloud.put(cloud.key)
    cloud.set_up()
    assert cloud.ran.exists()


def test_a_newer_kit_than_the_parameter_knows_runs(cloud: Cloud):
    """`slipway up` writes the kit first, and may be cut off before the parameter."""
    cloud.put(cloud.key, made=MADE + 1)
    cloud.set_up()
    assert cloud.ran.exists()


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"key": None}, "not signed"),
        ({"key": "thief"}, "not signed"),
        ({"key": "key", "fleet": "board-staging"}, "not signed"),
        ({"key": "key", "role": "worker"}, "not signed"),
        ({"key": "key", "namespace": "slipway-release"}, "not signed"),
        ({"key": "key", "made": MADE - 1}, "older than the newest"),
    ],
    ids=[
        "unsigned",
        "by a thief",
        "for another stack",
        "for another role",
        "a signature of another thing",
        "older",
    ],
)
def test_a_kit_that_a_thief_of_the_writer_key_puts_there_never_runs(
    cloud: Cloud, forged: dict[str, Any], why: str
):
    given = dict(forged)
    key = given.pop("key")
    cloud.put(getattr(cloud, key) if key else None, **given)
    with pytest.raises(ValueError, match=why):
        cloud.set_up()
    assert not cloud.ran.exists()


@pytest.mark.parametrize("field", ["sha256", "made", "signer", "signature"])
def test_a_changed_pointer_is_refused(cloud: Cloud, field: str):
    cloud.put(cloud.key)
    pointer = json.loads(cloud.objects["setup/web.json"])
    changed = {"sha256": "0" * 64, "made": MADE + 1, "signer": "*", "signature": "none"}
    cloud.objects["setup/web.json"] = json.dumps({**pointer, field: changed[field]}).encode()
    with pytest.raises(ValueError, match="not signed"):
        cloud.set_up()
    assert not cloud.ran.exists()


def test_a_changed_archive_under_a_good_signature_is_refused(cloud: Cloud):
    cloud.put(cloud.key)
    cloud.objects["setup/kit"] = b"of another digest"
    with pytest.raises(ValueError, match="content with digest"):
        cloud.set_up()


def test_a_key_that_was_taken_out_of_the_signers_signs_no_kit(cloud: Cloud):
    cloud.put(cloud.key)
    cloud.trusted = {"signers": cloud.signers(cloud.thief), "oldest": {"web": MADE}}
    with pytest.raises(ValueError, match="not signed"):
        cloud.set_up()


def test_a_host_that_comes_before_its_kit_says_so_and_keeps_waiting(cloud: Cloud):
    trusted, cloud.trusted = cloud.trusted, None

    def comes(seconds: float) -> None:
        del seconds
        cloud.put(cloud.key)
        if len(cloud.said) > 1:
            cloud.trusted = trusted

    cloud.program["time"] = SimpleNamespace(**{**vars(time), "sleep": comes})
    cloud.program["patiently"](cloud.set_up, time.monotonic() + 60)
    assert "builds/setup/web.json: no set-up kit is there yet: `slipway up` publishes it" in cloud.said[0]
    assert "/slipway/board/local/setup says who signs set-up kits, and is missing" in cloud.said[1]
    assert cloud.ran.exists()
