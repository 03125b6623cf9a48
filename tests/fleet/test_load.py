"""Load tests of live hosts: sockets held through a release, workers on other machines, an end in order."""

from __future__ import annotations

import getpass
import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway, start
from tests.fleet.site import Site
from tests.sshd import serve

pytestmark = pytest.mark.fleet

REPOSITORY = Path(__file__).parents[2]
SOCKETS = 300
"""With a message a second each; a thousand are the subject of bench/sockets.py, on a machine of their own."""


def counts(run: dict[str, Any], kind: str) -> tuple[int, int]:
    """Samples of a kind, and how many of them failed."""
    found = [each for each in run["requests"] if each["kind"] == kind]
    return sum(each["count"] for each in found), sum(each["failed"] for each in found)


def processes_with(text: str) -> str:
    return subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False).stdout


@contextmanager
def loading(site: Site, *args: str) -> Generator[subprocess.Popen[str]]:
    running = start(site.root, "load", "--json", *args)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
            running.communicate()


def wait_for(running: subprocess.Popen[str], text: str, seconds: float = 60) -> None:
    """Until the command tells a line that has `text`."""
    assert running.stderr is not None
    ends, told = time.monotonic() + seconds, ""
    while time.monotonic() < ends and (line := running.stderr.readline()):
        told += line
        if text in line:
            return
    raise AssertionError(f"no {text!r} in:\n{told}")


def test_sockets_that_talk_each_second_are_held_through_a_release(site: Site) -> None:
    site.change("under sockets")
    sizes = ("--sockets", str(SOCKETS), "--arrivals", "2", "--seconds", "50")
    with loading(site, "--profile", "expected", *sizes) as running:
        wait_for(running, f"{SOCKETS} sockets")
        shipped = slipway(site.root, "release", "--json", "--observe", "0", "--no-checks")
        out, err = running.communicate(timeout=120)
    assert shipped.code == 0, shipped.err
    run = json.loads(out)
    assert run["sockets_peak"] == SOCKETS, err
    echoes, unanswered = counts(run, "WS echo")
    assert echoes > SOCKETS * 25
    assert unanswered == 0, run["requests"]
    assert counts(run, "WS session")[1] == 0, run["requests"]
    assert counts(run, "WS broadcast")[1] == 0, run["requests"]
    assert counts(run, "HTTP")[1] == 0, run["requests"]
    annotations = [text for _, text in run["annotations"]]
    release = shipped.json["release"]
    assert f"release {release}: switched" in annotations
    assert f"release {release}: promoted" in annotations


def test_workers_on_other_machines_send_their_parts_and_get_the_secrets_by_ssh_alone(
    site: Site, tmp_path: Path
) -> None:
    with serve(tmp_path) as server:
        known = tmp_path / "known_hosts"
        known.write_text(f"load {server.host_key}\n")
        config = tmp_path / "config"
        config.write_text(
            f"Host localhost\n  HostName 127.0.0.1\n  Port {server.port}\n  User {getpass.getuser()}\n"
            f"  HostKeyAlias load\n  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n"
            f"  IdentityFile {server.folder / 'user_key'}\n  IdentitiesOnly yes\n"
        )
        machine = f"localhost:{REPOSITORY}"
        with loading(
            site, "--profile", "smoke", "--seconds", "12",
            "--workers", f"{machine},{machine}", "--ssh-config", str(config),
        ) as running:  # fmt: skip
            wait_for(running, "WS echo")
            seen = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
            out, err = running.communicate(timeout=60)
    assert running.returncode == 0, out + err
    run = json.loads(out)
    assert run["processes"] == 2
    assert run["lost_workers"] == []
    assert run["dropped"] == 0
    assert counts(run, "HTTP")[0] > 10
    assert "slipway.traffic.generator" in seen
    secrets = [value for value in LiveStack(site.project).secrets.values() if len(value) >= 12]
    assert secrets
    for secret in secrets:
        assert secret not in seen


def test_ctrl_c_ends_a_load_test_in_order_with_a_report_that_proves_nothing(site: Site) -> None:
    with loading(site, "--profile", "expected", "--sockets", "20", "--arrivals", "2") as running:
        wait_for(running, " 20 sockets")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 5, err
    run = json.loads(out)
    assert run["ended"] == "stopped"
    assert counts(run, "WS echo")[0] > 0
    assert (site.project.state_dir / "load" / "report.html").exists()


def test_a_starter_that_is_killed_takes_the_generator_along(site: Site) -> None:
    folder = site.project.state_dir / "load-killed"
    with loading(site, "--profile", "expected", "--report-dir", str(folder), "--processes", "2") as running:
        wait_for(running, "sockets")
        running.kill()
        running.wait()
    ends = time.monotonic() + 30
    while (left := processes_with(str(folder))) and time.monotonic() < ends:
        time.sleep(0.5)
    assert left == ""
    assert (folder / "report.html").exists()


def test_prod_is_refused_without_i_know(site: Site) -> None:
    local = site.root / "Pulumi.local.yaml"
    prod = site.root / "Pulumi.prod.yaml"
    prod.write_text(local.read_text())
    try:
        refused = slipway(site.root, "load", "--stack", "prod", "--json")
    finally:
        prod.unlink()
    assert refused.code == 2
    assert "--i-know" in refused.error


def test_locust_by_itself_knows_the_stack(site: Site) -> None:
    argv = [sys.executable, "-m", "locust", "-f", str(REPOSITORY / "loadtests"), "--headless"]
    argv += ["--only-summary", "--stack", "local", "--profile", "smoke"]
    done = subprocess.run(argv, cwd=site.root, capture_output=True, text=True, timeout=90, check=False)
    missed = [line for line in done.stderr.splitlines() if " fail: " in line]
    # How quick answers are depends on what else this machine does; that they are good does not.
    assert [line for line in missed if " p95 " not in line] == [], done.stderr
    assert done.returncode == (1 if missed else 0), done.stderr
    assert ("every threshold is met" in done.stderr) is (not missed)
