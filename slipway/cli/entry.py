"""Entry point: runs the commands and turns every failure into a message, a remedy and an exit code."""

import gc
import json
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from slipway.settings import SlipwayError


def main() -> NoReturn:
    """Run the command line and exit with the code that says what happened."""
    signal.signal(signal.SIGTERM, _interrupt)
    as_json = "--json" in sys.argv[1:]
    try:
        # Imported modules never become garbage; collecting during imports costs a tenth of the start-up time.
        gc.set_threshold(50_000, 20, 20)
        from slipway.cli.app import command_line  # noqa: PLC0415 - Ctrl-C during the import must be reported

        command_line(next(iter(sys.argv[1:]), None))(standalone_mode=True)
    except SlipwayError as failure:
        report(failure, as_json=as_json)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        report(
            SlipwayError("interrupted", remedy="run the command again: it continues from the current state"),
            as_json=as_json,
        )
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(0)


def report(failure: SlipwayError, *, as_json: bool) -> None:
    """Print a failure on standard error and, with `--json`, as JSON on standard output."""
    if as_json:
        error = {
            "message": failure.message,
            "remedy": failure.remedy,
            "details": list(failure.details),
            "exit_code": failure.exit_code,
        }
        sys.stdout.write(json.dumps({"error": error}, indent=2) + "\n")
    from slipway.settings.printable import printable  # noqa: PLC0415 - a command that succeeds needs none

    bold, red, plain = ("\x1b[1m", "\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "", "")
    sys.stderr.write(f"{red}{bold}error:{plain} {printable(failure.message)}\n")
    for line in failure.details:
        sys.stderr.write(f"  {printable(line)}\n")
    if failure.remedy:
        sys.stderr.write(f"{bold}remedy:{plain} {printable(failure.remedy)}\n")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does, so that it undoes its work."""
    del signum, frame
    raise KeyboardInterrupt
