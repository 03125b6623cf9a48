"""`slipway meter` without its command line: bounds, live lines, the report, the exit code."""

import sys

from rich.console import Console

from slipway.settings import BadInput
from slipway.traffic.interrupt import ending_early
from slipway.traffic.meter.measure import measure
from slipway.traffic.meter.report import Second
from slipway.traffic.meter.show import second_line, show
from slipway.traffic.target import Target


def run(
    target: Target, *, rps: float, sockets: int, seconds: float, json: bool = False, i_know: bool = False
) -> int:
    """Measure a target; returns the exit code: 0 nothing lost, 1 something lost or no data.

    The report goes to standard output, as tables or as one JSON document; live lines go to standard error,
    but not beside JSON unless that is a terminal. Ctrl-C and SIGTERM end the run with the report so far.
    BadInput beyond the bounds, and for prod without `i_know`.
    """
    if target.stack == "prod" and not i_know:
        raise BadInput(
            f"{rps:g} requests/s at the stack prod: real users would feel it",
            remedy="measure a preview stack, or say --i-know",
        )
    with ending_early() as stop:
        # Live lines beside a JSON report are not read, and a full pipe would hold the meter up.
        show_second = None if json and not sys.stderr.isatty() else _show_second
        report = measure(target, rps, sockets, seconds, on_second=show_second, stop=stop)
    if json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    else:
        show(report, Console(width=None if sys.stdout.isatty() else 120))
    return report.exit_code


def _show_second(second: Second) -> None:
    sys.stderr.write(second_line(second) + "\n")
    sys.stderr.flush()
