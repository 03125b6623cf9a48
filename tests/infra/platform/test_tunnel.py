"""The way to a host: a real OpenSSH client and server, and between them a stand-in for AWS' plugin."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import testinfra  # pyright: ignore[reportMissingTypeStubs]

from slipway.aws.plugin import find_plugin
from slipway.aws.ssh_key import RENEW_SECONDS, ssh_key
from slipway.aws.tunnel import proxy_command
from slipway.errors import BadInput
from slipway.fleet.connection import Connection
from slipway.fleet.failures import HostDown
from slipway.fleet.ssh_config import write_ssh_config
from tests import sshd
from tests.infra.platform.fake_aws import FakeAws, serve

INSTANCE = "i-0abc1234567890def"
NAME = "web-67890def"
TOKEN = "a-token-that-opens-the-session"


@dataclass
class Way:
    """One host behind Systems Manager."""

    server: sshd.Sshd
    fake: FakeAws
    state: Path
    note: Path

    def config(self, **facts: object) -> Path:
        host = self.server.host(NAME, ssh_host=INSTANCE, ssh_port=22, **facts)
        key = ssh_key(self.state)
        made = write_ssh_config(
            [host], self.state, key, proxy=proxy_command("us-east-1", "", key), connect_seconds=14
        )
        if made not in self.server.configs:
            self.server.configs.append(made)
        return made

    @property
    def notes(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.note.read_text().splitlines()]


@pytest.fixture
def way(tmp_path: Path, aws_env: pytest.MonkeyPatch) -> Iterator[Way]:
    program = sshd.find_sshd()
    if not program:
        pytest.skip("no sshd: install openssh-server")
    folder, bin_folder, note = tmp_path / "sshd", tmp_path / "bin", tmp_path / "note"
    folder.mkdir()
    bin_folder.mkdir()
    note.touch()
    plugin = bin_folder / "session-manager-plugin"
    plugin.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/relay.py "$@"\n')
    plugin.chmod(0o755)
    with sshd.serve(program, folder) as server, serve() as fake:
        allowed = folder / "authorized_keys"
        allowed.write_text("")

        def let_in(asked: dict[str, object]) -> dict[str, object]:
            assert (asked["InstanceId"], asked["InstanceOSUser"]) == (
                INSTANCE,
                os.environ.get("USER", "root"),
            )
            allowed.write_text(f"{asked['SSHPublicKey']}\n")
            return {"RequestId": "r", "Success": True}

        def start(asked: dict[str, object]) -> dict[str, object]:
            assert (asked["Target"], asked["DocumentName"]) == (INSTANCE, "AWS-StartSSHSession")
            return {"SessionId": "me-0123", "TokenValue": TOKEN, "StreamUrl": "wss://stream.example"}

        fake.answers |= {"SendSSHPublicKey": let_in, "StartSession": start}
        for name, value in (
            ("AWS_ENDPOINT_URL", fake.url),
            ("PATH", f"{bin_folder}:{os.environ['PATH']}"),
            ("RELAY_PORT", str(server.port)),
            ("RELAY_NOTE", str(note)),
            ("USER", server.host().ssh_user),
        ):
            aws_env.setenv(name, value)
        made = Way(server, fake, tmp_path / "state", note)
        yield made
        for config in server.configs:
            subprocess.run(["ssh", "-F", config, "-O", "exit", NAME], capture_output=True, check=False)


def test_a_host_is_reached_by_a_key_that_was_let_in_for_this_one_connection(way: Way):
    connection = Connection(NAME, way.config())
    assert connection.run(["cat"], b"over Systems Manager").stdout == "over Systems Manager"
    assert sorted(way.fake.heard) == ["SendSSHPublicKey", "StartSession"]


def test_the_kept_connection_asks_aws_for_nothing_again(way: Way):
    connection = Connection(NAME, way.config())
    connection.open()
    began = time.perf_counter()
    for _ in range(5):
        connection.run(["true"])
    assert (time.perf_counter() - began) / 5 < 0.5
    assert len(way.fake.heard) == 2


def test_the_token_is_in_no_argument(way: Way):
    Connection(NAME, way.config()).open()
    (note,) = way.notes
    assert note["token"] == TOKEN
    assert TOKEN not in json.dumps(note["argv"])
    assert TOKEN not in way.config().read_text()


def test_a_host_that_shows_another_key_than_it_published_is_not_spoken_to(way: Way):
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdkuE7RjrhDAfLsmIoMm4GDSS6qfNZfmAV3rrJRN3bM"
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config(host_key=other)).open()
    assert caught.value.kind == "key mismatch"


def test_what_aws_refuses_is_told_as_the_reason(way: Way):
    way.fake.answers["StartSession"] = way.fake.refusing("AccessDeniedException", "no")
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert caught.value.kind == "no session"
    assert "may not do ssm:StartSession" in caught.value.details[0]


def test_a_host_whose_agent_is_silent_is_told_in_aws_own_words(way: Way):
    way.fake.answers["StartSession"] = way.fake.refusing(
        "TargetNotConnected", f"{INSTANCE} is not connected."
    )
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert f"TargetNotConnected: {INSTANCE} is not connected." in caught.value.details[0]
    assert "SSM agent online" in caught.value.remedy


def test_without_the_plugin_no_session_is_started(way: Way, aws_env: pytest.MonkeyPatch, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("ssh", "sh", "ssh-keygen"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    aws_env.setenv("PATH", str(tools))
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert "session-manager-plugin is not on PATH" in caught.value.details[0]
    assert way.fake.heard == []


def test_testinfra_takes_the_same_way(way: Way):
    found = testinfra.get_host(f"ssh://{NAME}", ssh_config=str(way.config()))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    assert found.run("echo here").stdout.strip() == "here"  # pyright: ignore[reportUnknownMemberType]


def test_the_plugin_must_be_there_and_new_enough(way: Way, aws_env: pytest.MonkeyPatch):
    assert find_plugin() == "1.2.707.0"
    aws_env.setenv("RELAY_VERSION", "1.2.497.0")
    with pytest.raises(BadInput, match="is too old"):
        find_plugin()
    aws_env.setenv("RELAY_VERSION", "nonsense")
    with pytest.raises(BadInput, match="does not tell its version"):
        find_plugin()
    aws_env.setenv("PATH", "/nowhere")
    with pytest.raises(BadInput, match="is not on PATH") as caught:
        find_plugin()
    assert "install it" in caught.value.remedy


def test_the_operators_key_is_made_anew_twice_a_day(tmp_path: Path):
    key = ssh_key(tmp_path)
    public = key.with_name("operator.pub")
    first = public.read_text()
    assert ssh_key(tmp_path).with_name("operator.pub").read_text() == first
    old = time.time() - RENEW_SECONDS - 1
    os.utime(public, (old, old))
    assert ssh_key(tmp_path).with_name("operator.pub").read_text() != first
    assert key.stat().st_mode & 0o777 == 0o600
