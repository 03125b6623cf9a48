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


@pytest.fixture(params=["in the sandbox", "without"])
def caches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    return tmp_path_factory.mktemp("caches") if request.param == "in the sandbox" else None


def sleeper(tmp_path: Path) -> str:
    """A `sleep` of more than a minute that is like no other: a process has another number in the sandbox."""
    return f"sleep 60.{abs(hash(str(tmp_path)))}"


def alive(command: str) -> bool:
    wanted = command.replace(" ", "\0").encode() + b"\0"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


def gone(command: str, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while alive(command) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(command)


def test_a_failure_tells_the_command_its_status_and_its_last_lines_redacted(
    tmp_path: Path, caches: Path | None
) -> None:
    lines: list[str] = []
    with pytest.raises(BuildFailed, match=r"build\.command failed \(exit 3\): for i in") as failed:
        run_command(
            "build.command",
            "for i in $(seq 100); do echo line $i hunter2; done; exit 3",
            directory=tmp_path,
            env=ENV,
            timeout=10,
            caches=caches,
            redact=lambda text: text.replace("hunter2", "•••"),
            line=lines.append,
        )
    assert failed.value.exit_code == 1
    assert list(failed.value.details) == [f"line {number} •••" for number in range(71, 101)]
    assert len(lines) == 100


def test_a_command_out_of_time_is_ended_with_its_children(tmp_path: Path, caches: Path | None) -> None:
    started = time.monotonic()
    with pytest.raises(BuildFailed, match=r"took longer than 0\.5 s"):
        run_command(
            "x",
            f"{sleeper(tmp_path)} & echo $! > pid; wait",
            directory=tmp_path,
            env=ENV,
            timeout=0.5,
            caches=caches,
        )
    assert time.monotonic() - started < 30
    assert (tmp_path / "pid").exists()
    assert gone(sleeper(tmp_path))


def test_a_command_that_never_stops_talking_is_ended_too(tmp_path: Path, caches: Path | None) -> None:
    with pytest.raises(BuildFailed, match="took longer"):
        run_command(
            "x", "while :; do echo talk; done", directory=tmp_path, env=ENV, timeout=0.5, caches=caches
        )


def test_a_child_left_in_the_background_neither_delays_nor_survives(
    tmp_path: Path, caches: Path | None
) -> None:
    command = f"{sleeper(tmp_path)} & echo $! > pid"
    seconds = run_command("x", command, directory=tmp_path, env=ENV, timeout=30, caches=caches)
    assert seconds < 30
    assert (tmp_path / "pid").exists()
    assert gone(sleeper(tmp_path))


def test_ctrl_c_ends_the_command_and_its_children(tmp_path: Path, caches: Path | None) -> None:
    program = (
        "from pathlib import Path; from slipway.build.command import run_command; import os;"
        f"run_command('x', '{sleeper(tmp_path)} & echo $! > pid; wait', directory=Path.cwd(), "
        f"env=os.environ, timeout=60, caches={f'Path({str(caches)!r})' if caches else None})"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert gone(sleeper(tmp_path))


def test_a_line_without_an_end_is_kept(tmp_path: Path, caches: Path | None) -> None:
    lines: list[str] = []
    run_command(
        "x", "printf 'a\\nb'", directory=tmp_path, env=ENV, timeout=10, caches=caches, line=lines.append
    )
    assert lines == ["a", "b"]


def test_a_command_that_is_silent_for_long_is_reported_with_its_last_line(
    tmp_path: Path, caches: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.build.command.SILENT_SECONDS", 0.2)
    lines: list[str] = []
    go = tmp_path / "go"

    def line(text: str) -> None:
        if text == "resolving" or lines:  # a busy machine may take long to start the command
            lines.append(text)
        if lines and "still runs" in text:
            go.touch()

    run_command(
        "build.deps.command",
        "echo resolving; while [ ! -e go ]; do sleep 0.1; done",
        directory=tmp_path,
        env=ENV,
        timeout=60,
        caches=caches,
        line=line,
    )
    assert lines[0] == "resolving"
    assert lines[1].startswith("build.deps.command still runs after ")
    assert lines[1].endswith("; last line: resolving")
