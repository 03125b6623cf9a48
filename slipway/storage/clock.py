"""The bucket's clock, learned from the Date header of its answers.

Leases are judged by this one clock, so that two operators with wrong clocks agree on what has expired.
"""

import threading
import time
from email.utils import parsedate_to_datetime

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Continues while a laptop sleeps, and does not jump when its clock is set."""


def steady() -> float:
    """Seconds on a local clock that is never adjusted."""
    return time.clock_gettime(_STEADY)


class ServerClock:
    """Server time as local steady time plus an offset whose bounds each answer narrows.

    A Date header has whole seconds, and some servers renew it only once a second: the server's time lay in
    [date, date + 2) at some instant between sending and receiving. So every answer bounds the offset from
    both sides, and the middle is less than a second off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low = self._high = time.time() - steady()

    def learn(self, date: str | None, sent: float, received: float) -> None:
        """Learn from one answer's Date header; `sent` and `received` are `steady()` seconds."""
        if not date:
            return
        try:
            stamp = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        low, high = stamp - received, stamp + 2 - sent
        with self._lock:
            if low < self._high and high > self._low and self._low != self._high:
                low, high = max(low, self._low), min(high, self._high)
            self._low, self._high = low, high

    def now(self) -> float:
        """The server's time in seconds since 1970; before the first answer, the local clock's."""
        with self._lock:
            return steady() + (self._low + self._high) / 2
