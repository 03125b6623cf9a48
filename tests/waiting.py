"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def until(what: Callable[[], bool], seconds: float = 60, *, every: float = 0.05) -> None:
    """Return when `what` is true, asked `every` so many seconds. Raises AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(every)
