"""A real OpenSSH server for tests, on a free port of 127.0.0.1, with keys of its own."""

from __future__ import annotations

import getpass
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slipway.fleet.ssh_config import control_folder, write_ssh_config
from slipway.settings import Host
from tests.ports import free_port
from tests.s3 import wait_for_port

_CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


@dataclass
class Sshd:
    """A running server whose one host is called `web1`."""

    folder: Path
    port: int
    host_key: str
    pid: int
    configs: list[Path] = field(default_factory=list[Path])

    def host(self, name: str = "web1", **other: object) -> Host:
        """The host as stack outputs describe it."""
        facts: dict[str, object] = {
            "name": name,
            "role": "web",
            "address": "127.0.0.1",
            "ssh_host": "127.0.0.1",
            "ssh_port": self.port,
            "ssh_user": getpass.getuser(),
            "host_key": self.host_key,
        }
        return Host.model_validate({**facts, **other})

    def config(self, *hosts: Host) -> Path:
        """A new ssh_config of a stack that has these hosts (default: web1)."""
        state = self.folder / f"state-{len(self.configs)}"
        made = write_ssh_config(hosts or [self.host()], state, self.folder / "user_key")
        self.configs.append(made)
        return made

    @property
    def ends_connections(self) -> str:
        """The shell command that ends everyone's connection; what they run goes on."""
        return f"pkill -P {self.pid}"

    def end_connections(self) -> None:
        """End everyone's connection."""
        subprocess.run(self.ends_connections.split(), check=True)


def find_sshd() -> str | None:
    """The server's program, which must be started by its absolute path."""
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")


@contextmanager
def serve(folder: Path) -> Generator[Sshd]:
    """Run the server and end it afterwards, with whoever is signed in. Skips the test if there is none."""
    program = find_sshd()
    if program is None:
        pytest.skip("no sshd: install openssh-server")
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    if getpass.getuser() == "root":
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd drops its rights into this folder
    port = free_port()
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder))
    log = folder / "log"
    process = subprocess.Popen([program, "-D", "-f", folder / "sshd_config", "-E", log])
    try:
        wait_for_port(port, process)
        key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        server = Sshd(folder, port, key, process.pid)
        yield server
        for config in server.configs:
            shutil.rmtree(control_folder(config))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
