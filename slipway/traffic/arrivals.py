"""Arrivals on an open model: each comes at its own time, whatever became of those before it.

A closed model's users send their next request when the last was answered: while the server stands still they
send nothing, and the stand-still hardly shows (coordinated omission). Here visits go on falling due, wait for
a free user, and are timed from when they were due.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

import gevent
from gevent.lock import Semaphore

__all__ = ["Lane"]

LONGEST_SLEEP, SHORTEST_SLEEP = 0.5, 0.0005
"""Seconds. Below half a millisecond, waiting costs more than it is exact."""


class Lane:
    """Visits of one kind of user: those that fall due, until a free user takes each, or they are dropped.

    Times are seconds of `time.perf_counter`.
    """

    def __init__(
        self,
        patience: float,
        *,
        arrived: Callable[[float], None] | None = None,
        dropped: Callable[[float], None] | None = None,
    ) -> None:
        """`patience`: seconds that a visit waits for a free user.

        `arrived` is told of each visit how many seconds ago it was due, which is how late this process was
        itself; `dropped` is told the same of each that found no user in time.
        """
        self.patience = patience
        self._arrived, self._dropped = arrived, dropped
        self._due: deque[float] = deque()
        self._ready = Semaphore(0)

    @property
    def waiting(self) -> int:
        """Visits that are due and have no user yet."""
        return len(self._due)

    def dispatch(self, times: Iterator[float], zero: float) -> None:
        """Let visits fall due at `times`, seconds after `zero`; returns after the last. To be spawned."""
        for due in times:
            at = zero + due
            while (left := at - time.perf_counter()) > 0:
                gevent.sleep(min(max(left, SHORTEST_SLEEP), LONGEST_SLEEP))
            self.offer(at)

    def offer(self, due: float) -> None:
        """A visit is due."""
        now = time.perf_counter()
        if self._arrived:
            self._arrived(now - due)
        self._drop(now, self.patience)
        self._due.append(due)
        self._ready.release()

    def take(self) -> float:
        """Wait for the next visit; when it was due."""
        while True:
            self._ready.acquire()
            self._drop(time.perf_counter(), self.patience)
            if self._due:
                return self._due.popleft()

    def close(self) -> None:
        """Nobody will come for those that still wait."""
        self._drop(time.perf_counter(), float("-inf"))

    def _drop(self, now: float, patience: float) -> None:
        while self._due and now - self._due[0] > patience:
            due = self._due.popleft()
            if self._dropped:
                self._dropped(now - due)
