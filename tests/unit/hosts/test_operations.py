"""The two operations of our own, run by pyinfra on this machine."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ME, MINE = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name

PROGRAM = """
import os, sys
from hosts import operations
from hosts.run import run_here

operations.APPLIED = {applied!r}
result = run_here(lambda: {deploy})
print(*result.changed, sep=",")
if result.failed:
    sys.exit(result.failed + ": " + " ".join(result.output))
"""


def run(tmp_path: Path, deploy: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as everywhere: pyinfra keeps its state in module globals."""
    program = PROGRAM.format(applied=str(tmp_path / "applied"), deploy=deploy)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def install(tmp_path: Path, text: str, validate: str = "") -> subprocess.CompletedProcess[str]:
    target = tmp_path / "etc" / "app.conf"
    given = (
        f"src={text!r}, dest={str(target)!r}, user={ME!r}, group={MINE!r}, mode='600', validate={validate!r}"
    )
    return run(tmp_path, f"operations.install(name='app.conf', {given})")


def on_change(tmp_path: Path, command: str = "echo ran >> log") -> subprocess.CompletedProcess[str]:
    file = str(tmp_path / "file")
    return run(
        tmp_path,
        f"operations.on_change(name='reload', files=[{file!r}], command={f'cd {tmp_path} && {command}'!r})",
    )


def test_a_file_is_installed_with_its_mode_and_then_left_alone(tmp_path: Path):
    assert install(tmp_path, "first").stdout == "app.conf\n"
    target = tmp_path / "etc" / "app.conf"
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("first", 0o600)
    assert install(tmp_path, "first").stdout == "\n"
    target.chmod(0o644)
    assert install(tmp_path, "first").stdout == "app.conf\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_that_its_check_refuses_leaves_the_old_one(tmp_path: Path):
    target = tmp_path / "etc" / "app.conf"
    assert install(tmp_path, "first").returncode == 0
    refused = install(tmp_path, "second", validate="echo no good >&2; grep first {}")
    assert refused.returncode == 1
    assert "no good" in refused.stderr
    assert f"{target} is refused, the old one stays" in refused.stderr
    assert target.read_text() == "first"
    assert list(target.parent.iterdir()) == [target]


def test_the_content_of_a_file_is_in_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONTENT", "never-to-be-seen")
    spy = f"cat /proc/[0-9]*/cmdline > {tmp_path}/seen 2>/dev/null; true"
    given = f"dest={str(tmp_path / 'key')!r}, user={ME!r}, group={MINE!r}, validate={spy!r}"
    done = run(tmp_path, f"operations.install(name='key', src=os.environ['CONTENT'], {given})")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "key").read_text() == "never-to-be-seen"
    seen = (tmp_path / "seen").read_bytes()
    assert b"key.slipway-new" in seen
    assert b"never-to-be-seen" not in seen
    assert b"bmV2ZXItdG8tYmUtc2Vlbg" not in seen  # in base64


def test_a_handler_runs_once_for_the_same_files(tmp_path: Path):
    (tmp_path / "file").write_text("one")
    assert on_change(tmp_path).stdout == "reload\n"
    assert on_change(tmp_path).stdout == "\n"
    (tmp_path / "file").write_text("two")
    assert on_change(tmp_path).stdout == "reload\n"
    assert (tmp_path / "log").read_text() == "ran\nran\n"


def test_a_handler_that_failed_or_never_ran_is_run_by_the_next_set_up(tmp_path: Path):
    (tmp_path / "file").write_text("one")
    assert on_change(tmp_path, "false").returncode == 1
    assert on_change(tmp_path).stdout == "reload\n"
    (tmp_path / "applied" / "reload").unlink()
    assert on_change(tmp_path).stdout == "reload\n"


def test_another_command_of_a_handler_runs_for_the_same_files(tmp_path: Path):
    (tmp_path / "file").write_text("one")
    assert on_change(tmp_path).stdout == "reload\n"
    assert on_change(tmp_path, "true").stdout == "reload\n"
