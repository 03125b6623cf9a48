"""`slipway meter` without its command line: bounds, live lines, the report, the exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from slipway.settings.app import App
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.traffic.meter.measure import measure
from slipway.traffic.meter.report import Second
from slipway.traffic.meter.show import second_line, show
from slipway.traffic.target import Target, target_of


def run(
    outputs: Outputs,
    app: App,
    secrets_env: Mapping[str, str],
    *,
    rps: float,
    sockets: int,
    seconds: float,
    json: bool = False,
    i_know: bool = False,
) -> int:
    """Measure a stack; returns the exit code: 0 nothing lost, 1 something lost or no data.

    `secrets_env` is the env of scope `smoke` plus the entry named by `outputs.load_header_secret`. The
    report goes to standard output, as tables or as one JSON document; live lines go to standard error, but
    not beside JSON unless that is a terminal. Ctrl-C and SIGTERM end the run with the report so far.
    BadInput beyond the bounds, and for prod without `i_know`.
    """
    if outputs.stack == "prod" and not i_know:
        raise BadInput(
            f"{rps:g} requests/s at the stack prod: real users would feel it",
            remedy="measure a preview stack, or say --i-know",
        )
    return run_target(
        target_of(outputs, app, secrets_env), rps=rps, sockets=sockets, seconds=seconds, json=json
    )


def run_target(target: Target, *, rps: float, sockets: int, seconds: float, json: bool = False) -> int:
    """The same for a target that is ready."""
    with ending_early() as stop:
        # Nobody reads live lines beside a JSON report, and a full pipe would hold the meter up.
        tell = None if json and not sys.stderr.isatty() else _tell
        report = measure(target, rps, sockets, seconds, on_second=tell, stop=stop)
    if json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    else:
        show(report, Console(width=None if sys.stdout.isatty() else 120))
    return report.exit_code


@contextmanager
def ending_early() -> Generator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def end(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        del signum, frame
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(second: Second) -> None:
    sys.stderr.write(second_line(second) + "\n")
    sys.stderr.flush()
