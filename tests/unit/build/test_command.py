"""A build's command: its failure is told, its time is limited, nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipway.build.command import BuildFailed, run_command

ENV = {"PATH": os.environ["PATH"]}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_a_failure_tells_the_command_its_status_and_its_last_lines_redacted(tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(BuildFailed, match=r"build\.command failed \(exit 3\): for i in") as failed:
        run_command(
            "build.command",
            "for i in $(seq 100); do echo line $i hunter2; done; exit 3",
            directory=tmp_path,
            env=ENV,
            timeout=10,
            redact=lambda text: text.replace("hunter2", "•••"),
            line=lines.append,
        )
    assert failed.value.exit_code == 1
    assert list(failed.value.details) == [f"line {number} •••" for number in range(71, 101)]
    assert len(lines) == 100


def test_a_command_out_of_time_is_ended_with_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(BuildFailed, match=r"took longer than 0\.5 s"):
        run_command("x", "sleep 60 & echo $! > pid; wait", directory=tmp_path, env=ENV, timeout=0.5)
    assert time.monotonic() - started < 30
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_command_that_never_stops_talking_is_ended_too(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="took longer"):
        run_command("x", "while :; do echo talk; done", directory=tmp_path, env=ENV, timeout=0.5)


def test_a_child_left_in_the_background_neither_delays_nor_survives(tmp_path: Path) -> None:
    seconds = run_command("x", "sleep 60 & echo $! > pid", directory=tmp_path, env=ENV, timeout=30)
    assert seconds < 30
    assert gone(int((tmp_path / "pid").read_text()))


def test_ctrl_c_ends_the_command_and_its_children(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from slipway.build.command import run_command; import os;"
        "run_command('x', 'sleep 60 & echo $! > pid; wait', directory=Path.cwd(), env=os.environ, timeout=60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_line_without_an_end_is_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    run_command("x", "printf 'a\\nb'", directory=tmp_path, env=ENV, timeout=10, line=lines.append)
    assert lines == ["a", "b"]
