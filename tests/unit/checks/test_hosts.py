"""Hosts as checks read them: testinfra's own modules through a stack's ssh_config, against a real sshd."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from checks.kit.hosts import Host, Hosts, name_of
from checks.kit.leaks import pieces
from slipway.fleet.ssh_config import control_folder
from slipway.settings import Bucket, Outputs, SecretStore
from tests.sshd import serve


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Generator[Outputs]:
    with serve(tmp_path_factory.mktemp("sshd")) as server:
        hosts = [server.host("web1"), server.host("data1", role="data")]
        yield Outputs(
            stack="paper", platform="local", url="https://paper.example", hosts=hosts,
            ssh_config=str(server.config(*hosts)), builds=Bucket(bucket="paper-builds"),
            secrets=SecretStore(kind="age", location="secrets.age"),
        )  # fmt: skip


@pytest.fixture(scope="module")
def hosts(outputs: Outputs) -> Hosts:
    return Hosts(outputs)


@pytest.fixture
def host(hosts: Hosts) -> Host:
    return hosts["web1"]


def test_testinfras_modules_read_the_host(host: Host) -> None:
    assert host.file("/etc/passwd").is_file
    assert host.user("root").uid == 0
    assert host.check_output("whoami") == getpass.getuser()


def test_output_errors_and_exit_code_come_back(host: Host) -> None:
    done = host.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.rc) == ("out\n", "err\n", 3)


def test_arguments_are_quoted(host: Host) -> None:
    odd = 'a b\'; echo "$HOME" ü'
    assert host.run("printf %%s %s", odd).stdout == odd


def test_all_reads_of_a_host_share_one_connection(host: Host, outputs: Outputs) -> None:
    """SSH_CONNECTION names the client's port, which is another one for every handshake."""
    assert host.check_output("echo $SSH_CONNECTION") == host.check_output("echo $SSH_CONNECTION")
    assert (control_folder(Path(outputs.ssh_config)) / "web1").is_socket()


def test_hosts_are_found_by_name_and_role(hosts: Hosts) -> None:
    assert list(hosts) == ["web1", "data1"]
    assert [name_of(host) for host in hosts.of("data")] == ["data1"]
    assert hosts.of("worker") == []


def test_a_question_to_each_host_is_answered_by_name(hosts: Hosts) -> None:
    assert hosts.each(lambda host: host.check_output("echo here")) == {"web1": "here", "data1": "here"}
    assert hosts.each(name_of, "web") == {"web1": "web1"}
    assert hosts.each(name_of, "worker") == {}


def test_a_host_that_is_down_is_an_error_and_no_answer(outputs: Outputs) -> None:
    gone = outputs.hosts[0].model_copy(update={"name": "gone.invalid"})
    down = Hosts(outputs.model_copy(update={"hosts": [gone]}))["gone.invalid"]
    with pytest.raises(RuntimeError):
        down.run("true")


def test_testinfras_processes_show_whole_command_lines(host: Host) -> None:
    secret = "quite-another-long-secret"
    sleep = [sys.executable, "-c", "import time; time.sleep(60)", "a name", "x" * 500, f"--token={secret}"]
    with subprocess.Popen(sleep) as process:
        try:
            found = [each.pid for each in host.process.filter() if pieces([secret]) & pieces([each.args])]
            assert process.pid in found
        finally:
            process.kill()
