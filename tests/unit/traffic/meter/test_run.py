"""Bounds, early ends, saturation, and the meter as a command and as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from slipway.settings import App, BadInput, WebSocket
from slipway.traffic.meter import Report, measure, run
from slipway.traffic.meter.report import Second
from slipway.traffic.sign_in import sign_in_steps
from slipway.traffic.target import Target
from tests.unit.traffic.meter.site import serving, target_at


def app(**more: object) -> App:
    return App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}} | more
    )


@pytest.mark.parametrize(
    ("rps", "sockets", "seconds", "message"),
    [
        (5001, 0, 1, "--rps: must be from 0 to 5000, got 5001"),
        (1, 0, 3601, "--seconds: must be from 0 to 3600, got 3601"),
        (-1, 0, 1, "--rps"),
        (1, 1, 1, r"--sockets: slipway.toml has no \[websocket\]"),
        (0, 0, 1, "nothing to measure"),
        (1, 0, 0, "nothing to measure"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused(rps: float, sockets: int, seconds: float, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        measure(target_at("http://127.0.0.1:1"), rps, sockets, seconds)


def test_prod_is_refused_without_i_know() -> None:
    with serving() as site:
        with pytest.raises(BadInput, match="prod"):
            run(target_at(site.url, stack="prod"), rps=5, sockets=0, seconds=1)
        assert not site.requests
        assert run(target_at(site.url, stack="prod"), rps=5, sockets=0, seconds=1, i_know=True) == 0


def test_sockets_sign_in_with_no_more_steps_than_they_need() -> None:
    board = app(
        websocket={"open": ["${token}"], "echo": "${n}"},
        smoke={
            "steps": [
                {"name": "sign in", "request": "POST /sign-in", "capture": {"token": "t"}},
                {"name": "write", "request": "POST /tasks", "capture": {"id": "id"}},
            ]
        },
    )
    assert [step.name for step in sign_in_steps(board)] == ["sign in"]


def test_a_target_goes_to_another_process_whole_and_shows_no_secret() -> None:
    target = target_at("https://x.example", load_key="k" * 32, values={"PASSWORD": "hunter22"})
    assert Target.model_validate_json(target.model_dump_json()) == target
    assert "hunter22" not in repr(target)
    assert "k" * 32 not in repr(target)


def test_the_report_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as site:
        assert run(target_at(site.url), rps=10, sockets=0, seconds=1) == 0
    printed = capsys.readouterr()
    assert "passed: 0 of 10 requests lost" in printed.out
    assert "1 s  sent   10" in printed.err


def test_setting_stop_ends_the_run_with_what_was_seen() -> None:
    stop = threading.Event()
    seconds: list[Second] = []

    def after_two(second: Second) -> None:
        seconds.append(second)
        if len(seconds) == 2:
            stop.set()

    with serving() as site:
        report = measure(target_at(site.url), 20, 0, 60, on_second=after_two, stop=stop)
    assert 38 <= report.requests.sent < 20 * 60
    assert report.passed
    assert any("stopped after 2 of 60 s" in note for note in report.notes)


def test_a_generator_that_is_late_says_so() -> None:
    with serving() as site:
        report = measure(target_at(site.url), 50, 0, 2, on_second=lambda _: time.sleep(0.3))
    assert report.generator.late > 5
    assert report.generator.saturated
    assert report.generator.worst_late_ms > 200
    assert report.requests.sent == 100


def test_a_generator_that_stands_still_says_so_without_any_request() -> None:
    with serving() as site:
        target = target_at(site.url, websocket=WebSocket(echo="${n}"))
        report = measure(target, 0, 1, 3, on_second=lambda second: time.sleep(0 if second.second else 2.2))
    assert any(note.startswith("the meter itself stood still for ") for note in report.notes)


@pytest.mark.parametrize(("seconds", "interrupted"), [(1, False), (60, True)])
def test_the_meter_runs_in_a_process_and_ctrl_c_gives_the_report_so_far(
    seconds: int, interrupted: bool
) -> None:
    with serving() as site:
        target = target_at(site.url, websocket=WebSocket(echo="${n}"), load_key="k" * 32)
        argv = [
            sys.executable,
            "-m",
            "slipway.traffic.meter",
            "--rps=20",
            "--sockets=2",
            f"--seconds={seconds}",
            "--json",
        ]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as meter:
            assert meter.stdin is not None
            assert meter.stdout is not None
            meter.stdin.write(target.model_dump_json().encode())
            meter.stdin.close()
            if interrupted:
                while len(site.requests) < 40:
                    time.sleep(0.05)
                os.kill(meter.pid, signal.SIGINT)
            report = Report.model_validate_json(meter.stdout.read())
            assert "k" * 32 not in report.model_dump_json()
        assert meter.returncode == 0
    assert report.requests.sent >= 20
    assert report.sockets.echoes >= 2


def test_a_target_that_is_no_target_is_bad_input() -> None:
    meter = subprocess.run(
        [sys.executable, "-m", "slipway.traffic.meter"],
        input=b'{"load_key": "hidden"}',
        capture_output=True,
        check=False,
    )
    assert meter.returncode == 2
    assert b"url: Field required" in meter.stderr
    assert b"hidden" not in meter.stderr


def test_the_schema_describes_the_report() -> None:
    schema = json.loads(subprocess.check_output([sys.executable, "-m", "slipway.traffic.meter", "--schema"]))
    assert schema["$defs"]["Requests"]["properties"]["lost"]["description"]
