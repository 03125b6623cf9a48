"""A process of the load generator, started by another: `python -m slipway.traffic.generator LOCUST-OPTIONS`.

It reads on standard input the target (`Handover`), and ends in order when that is closed: a generator whose
starter was killed, or whose ssh connection broke, must not go on loading a stack unattended.
"""

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

ORDERLY_SECONDS = 30.0


def main() -> None:
    """Read the target, then be locust."""
    with suppress(PermissionError):  # it is the first of its group already
        os.setsid()
    line = sys.stdin.buffer.readline()
    _end_with_the_starter()
    # Locust first: whatever is imported after it waits without holding up other users.
    from locust.main import main as locust  # noqa: PLC0415

    from slipway.traffic.target import Handover, take  # noqa: PLC0415

    handover = Handover.model_validate_json(line)
    target, me = take(handover), os.getpid()
    try:
        locust()
    finally:
        if handover.ca and os.getpid() == me:  # and not one of the processes that this one was forked into
            shutil.rmtree(Path(target.ca_file).parent, ignore_errors=True)


def _end_with_the_starter() -> None:
    """A thread of the system, from before locust makes threads cooperative."""
    from _thread import start_new_thread  # noqa: PLC0415
    from time import sleep  # noqa: PLC0415

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.killpg(0, signal.SIGINT)
        sleep(ORDERLY_SECONDS)
        os.killpg(0, signal.SIGKILL)

    start_new_thread(watch, ())


if __name__ == "__main__":
    main()
