"""Kept ssh connections against a real sshd."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.fleet.ssh import Connection, HostDown, HostLost, HostTimeout
from slipway.fleet.ssh_config import control_socket
from tests.ports import free_port
from tests.sshd import Sshd, find_sshd
from tests.waiting import until

_UNIX = Path("/proc/net/unix")
_LISTENS = "00010000"
_PIDFD_GETFD = 438


def master_pid(connection: Connection) -> int:
    asked = ["ssh", "-F", str(connection.ssh_config), "-O", "check", connection.host]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stderr
    return int(said.partition("pid=")[2].partition(")")[0])


def descriptor_of(pid: int, path: Path) -> int:
    """A descriptor, in this process, of the socket where an ssh master listens on `path`: pidfd_getfd(2)."""
    # ssh binds the socket to `path` with a random ending, then renames the file to `path`.
    sockets = [line.split() for line in _UNIX.read_text().splitlines() if f" {path}." in line]
    inode = next(fields[6] for fields in sockets if fields[3] == _LISTENS)
    folder = Path(f"/proc/{pid}/fd")
    theirs = next(int(fd.name) for fd in folder.iterdir() if str(fd.readlink()) == f"socket:[{inode}]")
    process = os.pidfd_open(pid)
    ours = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, theirs, 0)
    os.close(process)
    if ours < 0:
        pytest.skip(f"another process's socket cannot be had here: {os.strerror(ctypes.get_errno())}")
    return ours


def test_a_command_gives_output_errors_and_exit_code(web1: Connection) -> None:
    done = web1.run(["sh", "-c", "cat; echo oops >&2; exit 3"], b"in\n")
    assert (done.stdout, done.stderr, done.code) == ("in\n", "oops\n", 3)


def test_arguments_arrive_as_they_were_given(web1: Connection) -> None:
    odd = ["a b", "$HOME", "'", '"', "*", ";", "", "ü"]
    assert web1.run(["printf", "%s\\n", *odd]).stdout.split("\n")[:-1] == odd


def test_large_input_and_output_do_not_block_each_other(web1: Connection) -> None:
    data = os.urandom(1 << 20).hex().encode()
    assert web1.run(["cat"], data).stdout.encode() == data


def test_lines_are_told_as_they_come(web1: Connection) -> None:
    lines: list[tuple[str, float]] = []
    began = time.monotonic()
    web1.run(
        ["sh", "-c", "echo one >&2; sleep 0.4; printf two >&2"],
        on_stderr=lambda line: lines.append((line, time.monotonic() - began)),
    )
    assert [line for line, _ in lines] == ["one", "two"]
    assert lines[1][1] - lines[0][1] > 0.3


def test_the_connection_is_kept_for_the_next_command(web1: Connection) -> None:
    web1.run(["true"])
    pid = master_pid(web1)
    assert Connection("web1", web1.ssh_config).run(["true"]).code == 0
    assert master_pid(web1) == pid


def test_a_dead_connection_is_made_again(web1: Connection) -> None:
    web1.run(["true"])
    os.kill(master_pid(web1), signal.SIGKILL)
    time.sleep(0.1)
    assert control_socket(web1.ssh_config, "web1").exists()
    assert web1.run(["echo", "again"]).stdout == "again\n"


def test_two_commands_that_start_at_once_share_one_connection(sshd: Sshd) -> None:
    config = sshd.config()
    both = [Connection("web1", config), Connection("web1", config)]
    threads = [threading.Thread(target=each.run, args=(["true"],)) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({master_pid(each) for each in both}) == 1
    both[0].close()
    running = ["pgrep", "-f", str(config)]
    until(lambda: subprocess.run(running, stdout=subprocess.DEVNULL, check=False).returncode == 1)


def test_the_control_socket_is_short_and_private(web1: Connection) -> None:
    web1.run(["true"])
    path = control_socket(web1.ssh_config, "web1")
    assert path.is_socket()
    assert len(str(path)) < 80
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_command_that_exits_255_is_not_a_lost_connection(web1: Connection) -> None:
    assert web1.run(["sh", "-c", "exit 255"]).code == 255


def run_and_cut(web1: Connection, ran: Path, cut: Callable[[], object]) -> None:
    """Run a command that writes `ran` and stays; `cut` is called meanwhile."""

    def cut_once_it_runs() -> None:
        until(lambda: ran.exists() and ran.stat().st_size > 0, 30)
        cut()

    cutting = threading.Thread(target=cut_once_it_runs)
    cutting.start()
    try:
        web1.run(["sh", "-c", f"echo once >> {ran}; sleep 30"])
    finally:
        cutting.join()


def test_a_connection_lost_while_running_is_told_and_not_tried_again(
    web1: Connection, tmp_path: Path
) -> None:
    web1.run(["true"])
    ran = tmp_path / "ran"
    master = master_pid(web1)
    with pytest.raises(HostLost, match="broke while `sh -c`"):
        run_and_cut(web1, ran, lambda: os.kill(master, signal.SIGKILL))
    assert ran.read_text() == "once\n"


def test_a_connection_that_ends_slowly_is_lost(web1: Connection, tmp_path: Path) -> None:
    """A process that ends closes its sockets one by one; the one where it listens may be the last."""
    web1.run(["true"])
    master = master_pid(web1)
    listening = descriptor_of(master, control_socket(web1.ssh_config, "web1"))

    def cut() -> None:
        os.kill(master, signal.SIGKILL)
        time.sleep(1)
        os.close(listening)

    with pytest.raises(HostLost, match="broke while `sh -c`"):
        run_and_cut(web1, tmp_path / "ran", cut)


def test_a_newer_connection_does_not_hide_that_the_last_one_was_lost(
    web1: Connection, tmp_path: Path
) -> None:
    web1.run(["true"])
    master, control = master_pid(web1), control_socket(web1.ssh_config, "web1")

    def cut() -> None:
        control.unlink()
        Connection("web1", web1.ssh_config).open()
        os.kill(master, signal.SIGKILL)

    with pytest.raises(HostLost, match="broke while `sh -c`"):
        run_and_cut(web1, tmp_path / "ran", cut)


def test_a_command_that_takes_too_long_is_named(web1: Connection) -> None:
    with pytest.raises(HostTimeout, match=r"web1: `sleep 30` did not end within 0\.5 s"):
        web1.run(["sleep", "30"], timeout=0.5)


def test_a_host_that_is_down_is_refused(sshd: Sshd) -> None:
    config = sshd.config(sshd.host(ssh_port=free_port()))
    with pytest.raises(HostDown, match="web1: connection refused") as caught:
        Connection("web1", config).run(["true"])
    assert caught.value.kind == "refused"


def test_a_host_that_restarts_is_waited_for(sshd: Sshd, tmp_path: Path) -> None:
    port = free_port()
    web1 = Connection("web1", sshd.config(sshd.host(ssh_port=port)))
    config = tmp_path / "sshd_config"
    config.write_text((sshd.folder / "sshd_config").read_text().replace(f":{sshd.port}\n", f":{port}\n"))
    started: list[subprocess.Popen[bytes]] = []
    argv = [find_sshd() or "", "-D", "-f", str(config)]
    timer = threading.Timer(3, lambda: started.append(subprocess.Popen(argv)))
    timer.start()
    try:
        with pytest.raises(HostDown):
            web1.open()
        web1.open(patience=60)
        assert web1.run(["echo", "up again"]).stdout == "up again\n"
    finally:
        timer.join()
        started[0].terminate()
        started[0].wait(60)


def test_a_host_with_another_key_is_not_spoken_to(sshd: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    config = sshd.config(sshd.host(host_key=other))
    with pytest.raises(HostDown, match="host key mismatch") as caught:
        Connection("web1", config).run(["true"])
    assert "slipway up" in caught.value.remedy


def test_a_key_that_is_not_let_in_is_named(sshd: Sshd) -> None:
    config = sshd.config()
    config.write_text(config.read_text().replace("user_key", "host_key"))
    with pytest.raises(HostDown, match="ssh key is not accepted"):
        Connection("web1", config).run(["true"])


def test_an_address_that_does_not_resolve_is_named(sshd: Sshd) -> None:
    config = sshd.config(sshd.host(ssh_host="nowhere.invalid"))
    with pytest.raises(HostDown, match="cannot be resolved"):
        Connection("web1", config).run(["true"])


def test_a_host_without_a_pinned_key_gets_no_config(sshd: Sshd) -> None:
    with pytest.raises(ValueError, match="no host key"):
        sshd.config(sshd.host(host_key=""))


def test_a_tunnel_is_found_again_by_the_next_command(web1: Connection, sshd: Sshd) -> None:
    port = web1.tunnel("127.0.0.1", sshd.port)
    assert Connection("web1", web1.ssh_config).tunnel("127.0.0.1", sshd.port) == port
    assert web1.tunnel("127.0.0.1", 9) != port


def test_a_tunnel_is_made_again_with_the_connection(web1: Connection, sshd: Sshd) -> None:
    before = web1.tunnel("127.0.0.1", sshd.port)
    os.kill(master_pid(web1), signal.SIGKILL)
    until(lambda: not web1.is_open())
    after = web1.tunnel("127.0.0.1", sshd.port)
    assert after != before
