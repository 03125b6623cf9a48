import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from slipway.platforms.local import docker as daemon
from slipway.platforms.local.docker import ensure_daemon, remove_stale, start_dockerd
from slipway.progress import Silent
from slipway.settings import BadInput, SlipwayError
from tests.unit.platforms.local.conftest import Fake

DENIED = 'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1'
DOWN = 'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2; exit 1'


def test_a_daemon_that_answers_is_used(fake: Fake):
    program = fake("docker", "echo 28.0.0")
    assert ensure_daemon(Silent()).binary == str(program)


def test_no_permission_on_the_socket_is_bad_input_with_both_ways_out(fake: Fake):
    fake("docker", DENIED)
    with pytest.raises(BadInput) as caught:
        ensure_daemon(Silent())
    assert "usermod -aG docker" in caught.value.remedy
    assert "sudo" in caught.value.remedy


def test_without_root_a_stopped_daemon_is_bad_input(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    fake("docker", DOWN)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="not running") as caught:
        ensure_daemon(Silent())
    assert "systemctl start docker" in caught.value.remedy


def test_without_root_a_missing_docker_is_bad_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "find_docker", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="not installed") as caught:
        ensure_daemon(Silent())
    assert "docker.io" in caught.value.remedy


def test_a_remote_docker_that_is_down_is_not_started_here(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    fake("docker", DOWN)
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2376")
    with pytest.raises(BadInput, match="does not answer"):
        ensure_daemon(Silent())


def answers(up: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not up.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return up.exists()


def test_dockerd_outlives_the_command_and_writes_a_log(fake: Fake, tmp_path: Path):
    up, log = tmp_path / "up", tmp_path / "log/dockerd.log"
    fake("dockerd", f"echo hello; echo $$ > {up}.part; mv {up}.part {up}; exec sleep 60")
    start_dockerd(lambda seconds: answers(up, seconds), log, tmp_path / "docker.pid")
    pid = int(up.read_text())
    try:
        assert os.getsid(pid) == pid
        assert "hello" in log.read_text()
    finally:
        os.kill(pid, signal.SIGKILL)


def test_where_overlay_does_not_work_another_storage_driver_is_tried(fake: Fake, tmp_path: Path):
    up, args = tmp_path / "up", tmp_path / "args"
    fake(
        "dockerd",
        f'case "$*" in *storage-driver*) echo "$@" > {args}; echo $$ > {up}.part; mv {up}.part {up};;\n'
        '*) echo "error initializing graphdriver: driver not supported"; exit 1;; esac; exec sleep 60',
    )
    start_dockerd(lambda seconds: answers(up, seconds), tmp_path / "log", tmp_path / "docker.pid")
    os.kill(int(up.read_text()), signal.SIGKILL)
    assert args.read_text().startswith("--storage-driver ")


def test_a_dockerd_that_cannot_start_is_told_with_its_last_words(fake: Fake, tmp_path: Path):
    fake("dockerd", 'echo "devices cgroup is not mounted"; exit 1')
    with pytest.raises(SlipwayError) as caught:
        start_dockerd(lambda _: False, tmp_path / "log", tmp_path / "docker.pid")
    assert "devices cgroup is not mounted" in caught.value.details


@pytest.mark.parametrize("content", ["999999999", "no number"])
def test_a_stale_pid_file_is_removed(tmp_path: Path, content: str):
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(content)
    remove_stale(pid_file)
    assert not pid_file.exists()


def test_the_pid_of_another_program_is_stale_and_that_of_dockerd_is_not(tmp_path: Path):
    pid_file = tmp_path / "docker.pid"
    dockerd = tmp_path / "dockerd"
    dockerd.symlink_to("/bin/sleep")
    with subprocess.Popen([dockerd, "60"]) as process:
        pid_file.write_text(str(process.pid))
        while Path(f"/proc/{process.pid}/comm").read_text().strip() != "dockerd":
            time.sleep(0.01)
        remove_stale(pid_file)
        kept = pid_file.exists()
        process.kill()
    pid_file.write_text(str(os.getpid()))
    remove_stale(pid_file)
    assert kept
    assert not pid_file.exists()
