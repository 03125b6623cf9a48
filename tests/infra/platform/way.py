"""Hosts behind Systems Manager: a real OpenSSH server, and between it and ssh a stand-in for AWS' plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway.fleet.ssh_config import control_folder, write_ssh_config
from slipway.platforms.aws.tunnel import proxy_command, ssh_key
from tests import sshd
from tests.infra.platform.fake_aws import FakeAws, serve

INSTANCE = "i-0abc1234567890def"
NAME = "web-67890def"
TOKEN = "a-token-that-opens-the-session"


@dataclass
class Way:
    """Every instance leads to the one server; a key is let in only once Instance Connect was asked to."""

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
        return self.ends(made)

    def ends(self, config: Path) -> Path:
        """Kept connections of this ssh_config end with the test."""
        if config not in self.server.configs:
            self.server.configs.append(config)
        return config

    @property
    def notes(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.note.read_text().splitlines()]


@contextmanager
def build(folder: Path, env: pytest.MonkeyPatch) -> Generator[Way]:
    served, programs, note = folder / "sshd", folder / "programs", folder / "note"
    served.mkdir()
    programs.mkdir()
    note.touch()
    plugin = programs / "session-manager-plugin"
    plugin.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/relay.py "$@"\n')
    plugin.chmod(0o755)
    with sshd.serve(served) as server, serve() as fake:
        allowed, user = served / "authorized_keys", server.host().ssh_user
        allowed.write_text("")

        def let_in(asked: dict[str, Any]) -> dict[str, Any]:
            assert asked["InstanceOSUser"] == user
            assert asked["InstanceId"].startswith("i-")
            allowed.write_text(f"{asked['SSHPublicKey']}\n")
            return {"RequestId": "r", "Success": True}

        def start(asked: dict[str, Any]) -> dict[str, Any]:
            assert asked["DocumentName"] == "AWS-StartSSHSession"
            return {"SessionId": "me-0123", "TokenValue": TOKEN, "StreamUrl": "wss://stream.example"}

        fake.answers |= {"SendSSHPublicKey": let_in, "StartSession": start}
        for name, value in (
            ("AWS_ENDPOINT_URL_SSM", fake.url),
            ("AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT", fake.url),
            ("PATH", f"{programs}:{os.environ['PATH']}"),
            ("RELAY_PORT", str(server.port)),
            ("RELAY_NOTE", str(note)),
        ):
            env.setenv(name, value)
        yield Way(server, fake, folder / "state", note)
        for config in server.configs:
            for kept in control_folder(config).iterdir():
                subprocess.run(
                    ["ssh", "-F", config, "-O", "exit", kept.name], capture_output=True, check=False
                )
