"""A machine that takes part in a load test, reached over a real ssh server on loopback."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from slipway.settings import BadInput, SlipwayError
from slipway.traffic.processes import WorkerHost, worker_host
from tests.ports import free_port
from tests.sshd import Sshd, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sshd]:
    with serve(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def config(server: Sshd, tmp_path: Path) -> Path:
    """An ssh_config of the person who starts the load test; it knows two worker machines."""
    known = tmp_path / "known_hosts"
    known.write_text("".join(f"{name} {server.host_key}\n" for name in ("load1", "load2")))
    file = tmp_path / "config"
    file.write_text(
        "".join(
            f"Host {name}\n  HostName 127.0.0.1\n  Port {server.port}\n  User {getpass.getuser()}\n"
            f"  HostKeyAlias {name}\n  IdentityFile {server.folder / 'user_key'}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n"
            for name in ("load1", "load2")
        )
    )
    return file


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone with its packages installed."""
    folder = tmp_path / "the clone"
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("written", "ssh", "folder"),
    [
        ("ci@10.0.0.5:/srv/board", "ci@10.0.0.5", "/srv/board"),
        ("load1", "load1", "slipway"),
        ("load1:clones/board", "load1", "clones/board"),
    ],
)
def test_a_machine_is_written_with_the_folder_of_its_clone(written: str, ssh: str, folder: str) -> None:
    assert worker_host(written) == WorkerHost(ssh, folder)


@pytest.mark.parametrize("written", ["4", "-oProxyCommand=x", "ci@host:", "a b", "ci@host:/a:/b"])
def test_what_is_no_machine_is_refused_with_how_to_write_one(written: str) -> None:
    with pytest.raises(BadInput, match="is not a valid host") as refused:
        worker_host(written)
    assert "user@host:/path" in refused.value.remedy


def test_a_machine_says_what_it_has(config: Path, clone: Path) -> None:
    look = worker_host(f"load1:{clone}", config).look()
    assert look.lack == []
    assert look.cores >= 1
    assert 1024 < look.port < 65536


def test_a_machine_without_the_clone_says_what_it_needs(config: Path, tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="load1 cannot take part") as failed:
        worker_host(f"load1:{tmp_path}/none", config).look()
    assert "uv sync" in failed.value.remedy


def test_a_machine_whose_host_key_is_not_known_is_not_trusted(
    config: Path, server: Sshd, clone: Path
) -> None:
    config.write_text(config.read_text().replace("HostKeyAlias load2", "HostKeyAlias stranger"))
    with pytest.raises(SlipwayError, match="cannot take part"):
        worker_host(f"load2:{clone}", config).look()


def test_the_way_back_to_the_master_goes_through_the_ssh_connection_and_secrets_through_its_input(
    config: Path, clone: Path
) -> None:
    """The generator is replaced by a program that tells its arguments and its input to the master's port."""
    package = clone / "slipway" / "traffic"
    package.mkdir(parents=True)
    for folder in (clone / "slipway", package):
        (folder / "__init__.py").touch()
    (package / "generator.py").write_text(
        "import json, socket, sys\n"
        "port = int(sys.argv[sys.argv.index('--master-port') + 1])\n"
        "told = json.dumps([sys.argv[1:], sys.stdin.readline(), open('/proc/self/cmdline').read()])\n"
        "socket.create_connection(('127.0.0.1', port)).sendall(told.encode())\n"
    )
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", free_port())) as master:

        def listen() -> None:
            connection, _ = master.accept()
            with connection:
                while block := connection.recv(65536):
                    heard.append(block)

        ear = threading.Thread(target=listen)
        ear.start()
        host = worker_host(f"load1:{clone}", config)
        look = host.look()
        argv = host.argv(look, master.getsockname()[1], ["--worker", "--stack", "it's a stack"])
        done = subprocess.run(argv, input=b"hunter2\n", capture_output=True, timeout=30, check=False)
        ear.join(timeout=60)
    assert done.returncode == 0, done.stderr
    arguments, given, seen = json.loads(b"".join(heard))
    assert arguments[:3] == ["--worker", "--stack", "it's a stack"]
    assert arguments[-1] == str(look.port)
    assert given == "hunter2\n"
    assert "hunter2" not in seen + " ".join(argv)
