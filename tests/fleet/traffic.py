"""Steady real traffic while something happens to the fleet, by the kit's own meter."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RPS = 100
SOCKETS = 60
"""What two slow processors carry beside all hosts of the fleet and a build. What is too much for a machine is
lost, and proves nothing of a release."""


class Traffic:
    """The meter's report, there once the `with` has ended."""

    report: dict[str, Any]

    def assert_nothing_lost(self) -> None:
        requests, sockets = self.report["requests"], self.report["sockets"]
        assert requests["sent"] > 0, "no traffic is no proof"
        assert sockets["opened"] >= SOCKETS
        assert requests["lost"] == requests["errors"] == 0, self.report
        assert sockets["abnormal"] == 0, self.report


@contextmanager
def traffic(
    root: Path,
    *,
    rps: int = RPS,
    sockets: int = SOCKETS,
    seconds: int = 600,
    lead: float = 4,
    tail: float = 2,
    stack: str = "local",
    env: Mapping[str, str] | None = None,
) -> Generator[Traffic]:
    """The meter runs inside the `with` and is stopped (Ctrl-C) at its end; `lead`, `tail`: seconds alone."""
    found = Traffic()
    meter = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "slipway",
            "meter",
            "--stack",
            stack,
            "--json",
            "--rps",
            str(rps),
            "--sockets",
            str(sockets),
            "--seconds",
            str(seconds),
        ],
        cwd=root,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(lead)
        assert meter.poll() is None, meter.communicate()
        yield found
        time.sleep(tail)
    finally:
        if meter.poll() is None:
            meter.send_signal(signal.SIGINT)
        out, err = meter.communicate(timeout=60)
    assert out, err
    found.report = json.loads(out)
