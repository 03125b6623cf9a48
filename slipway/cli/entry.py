"""Entry point: runs the commands and turns every failure into a message, a remedy and an exit code."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from slipway.settings.errors import SlipwayError


def main() -> NoReturn:
    """Run the command line and exit with the code that tells what happened."""
    signal.signal(signal.SIGTERM, _interrupt)
    as_json = "--json" in sys.argv[1:]
    try:
        # Nothing that is imported becomes garbage; looking for it costs a tenth of the start-up.
        gc.set_threshold(50_000, 20, 20)
        from slipway.cli.app import app  # noqa: PLC0415 - so that an import can be interrupted cleanly too

        app(standalone_mode=True)
    except SlipwayError as failure:
        report(failure, as_json=as_json)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        report(
            SlipwayError("interrupted", remedy="run the command again: it goes on from what is there"),
            as_json=as_json,
        )
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(0)


def report(failure: SlipwayError, *, as_json: bool) -> None:
    """Print a failure: as JSON on standard output if asked, and for people on standard error."""
    if as_json:
        error = {
            "message": failure.message,
            "remedy": failure.remedy,
            "details": list(failure.details),
            "exit_code": failure.exit_code,
        }
        sys.stdout.write(json.dumps({"error": error}, indent=2) + "\n")
    bold, red, plain = ("\x1b[1m", "\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "", "")
    sys.stderr.write(f"{red}{bold}error:{plain} {failure.message}\n")
    for line in failure.details:
        sys.stderr.write(f"  {line}\n")
    if failure.remedy:
        sys.stderr.write(f"{bold}remedy:{plain} {failure.remedy}\n")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """A terminated command undoes its work just as one that got Ctrl-C."""
    del signum, frame
    raise KeyboardInterrupt
