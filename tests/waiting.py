"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Return when `what` is true. Raises AssertionError if it is not within `seconds`."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
