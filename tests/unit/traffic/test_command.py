"""`slipway load` without a stack: what it refuses, what it hands over, and what its end means."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipway.cli.load import PROFILES, profiles_that_begin
from slipway.settings import BadInput, SlipwayError, load_app
from slipway.traffic import command
from slipway.traffic.command import LoadOptions
from slipway.traffic.processes import look_at, worker_host
from slipway.traffic.profile import SHAPES, profile_of
from slipway.traffic.progress import live_line
from slipway.traffic.results import ExitCode
from slipway.traffic.samples import Samples
from slipway.traffic.target import Handover, Target, take
from tests.unit.traffic.a_run import START, generator, seconds

BOARD = Path(__file__).parents[3] / "examples" / "board"
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def target() -> Target:
    app = load_app(BOARD)
    return Target(
        stack="preview", url="https://x.example", address=("203.0.113.7", 443), app=app, load_key=SECRET
    )


def project(stack: str = "preview", **more: Any) -> Any:
    return SimpleNamespace(stack=SimpleNamespace(name=stack), root=BOARD, **more)


def test_prod_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(BadInput, match="real users would feel it") as refused:
        command.run(project("prod"), LoadOptions())
    assert "--i-know" in refused.value.remedy


def test_every_profile_is_completed_with_what_it_is_for() -> None:
    assert set(PROFILES) == set(SHAPES)
    assert [name for name, _ in profiles_that_begin("s")] == ["smoke", "stress", "soak", "spike", "storm"]


def test_sizes_of_one_run_are_laid_over_those_of_slipway_toml(target: Target) -> None:
    sized = command._sized(target, LoadOptions("expected", sockets=7, seconds=30))  # pyright: ignore[reportPrivateUsage]
    schedule = profile_of("expected", sized.app).schedule
    assert (schedule.peak_sockets, schedule.seconds) == (7, 30)
    assert schedule.peak_rate == target.app.load.arrivals
    assert profile_of("storm", sized.app).schedule.peak_sockets == target.app.load.sockets


def test_other_machines_are_refused_for_a_stack_on_loopback(target: Target) -> None:
    here = target.model_copy(update={"address": ("127.0.0.1", 8443)})
    with pytest.raises(BadInput, match="loopback"):
        look_at([worker_host("ci@203.0.113.9")], here, BOARD)


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_exit_code_is_that_of_the_report(tmp_path: Path, code: ExitCode) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"exit_code": int(code), "thresholds": []}))
    done = command._outcome(0, tmp_path, interrupted=False)  # pyright: ignore[reportPrivateUsage]
    assert done.code is code
    assert done.good is (code == 0)


def test_an_end_without_a_report_is_never_a_pass(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="without a report"):
        command._outcome(0, tmp_path, interrupted=False)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(BadInput):
        command._outcome(2, tmp_path, interrupted=False)  # pyright: ignore[reportPrivateUsage]
    assert command._outcome(-2, tmp_path, interrupted=True).code is ExitCode.NO_DATA  # pyright: ignore[reportPrivateUsage]


def test_what_is_handed_over_shows_no_secret_and_brings_the_ca_along(target: Target) -> None:
    handover = Handover(target=target, ca="-----BEGIN CERTIFICATE-----\n")
    assert SECRET not in repr(handover)
    taken = take(Handover.model_validate_json(handover.model_dump_json()))
    try:
        assert taken.load_key == SECRET
        assert Path(taken.ca_file).read_text() == handover.ca
        assert Path(taken.ca_file).parent.stat().st_mode & 0o077 == 0
    finally:
        Path(taken.ca_file).unlink()
        Path(taken.ca_file).parent.rmdir()


def test_a_generator_whose_starter_is_gone_ends_by_itself(target: Target, tmp_path: Path) -> None:
    """It gets the target and then the end of its input, before it could begin."""
    (tmp_path / "locustfile.py").write_text(
        "import time\nfrom locust import User, task\n"
        "class Waits(User):\n    @task\n    def wait_long(self): time.sleep(1)\n"
    )
    argv = [
        sys.executable,
        "-m",
        "slipway.traffic.generator",
        "-f",
        str(tmp_path / "locustfile.py"),
        "--headless",
    ]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin
    assert process.stdout
    process.stdin.write(Handover(target=target).model_dump_json().encode() + b"\n")
    process.stdin.flush()
    told = b""
    while b"users spawned" not in told:
        line = process.stdout.readline()
        assert line, told
        told += line
    assert process.poll() is None
    process.stdin.close()
    process.wait(timeout=60)
    assert SECRET.encode() not in told


def test_the_live_line_tells_what_users_see_now(target: Target) -> None:
    samples = seconds(Samples(), 20, each=4, ms=12)
    seconds(samples, 20, kind="WS echo", name="/ws", each=1, ms=3, error="not answered")
    generator(samples, 20, sockets=5)
    line = live_line(samples, profile_of("expected", target.app), 18.2, START + 18.2)
    assert "18 of 75 s" in line
    assert "HTTP 4/s p95 12 ms" in line
    assert "WS echo 1/s 5 errors" in line
    assert "5 sockets" in line
