"""Arrivals on an open model: each visit is due at its own time, whatever became of those before it.

The users of a closed model send their next request when the last was answered: while the server stands still,
they send nothing, and the stand-still hardly shows (coordinated omission). Here visits stay due, wait for a
free user, and are timed from when they were due.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator

import gevent.lock

__all__ = ["VisitQueue", "sleep_until"]

LONGEST_SLEEP, SHORTEST_SLEEP = 0.5, 0.0005
"""Seconds. Waiting for less than half a millisecond costs more than the accuracy is worth."""


def sleep_until(at: float, stop: Callable[[], bool] = lambda: False) -> bool:
    """Sleep until `at` (`time.perf_counter`), or until `stop()`, looked at twice a second; True at `at`."""
    while (left := at - time.perf_counter()) > 0:
        if stop():
            return False
        gevent.sleep(min(max(left, SHORTEST_SLEEP), LONGEST_SLEEP))
    return True


class VisitQueue:
    """Visits of one kind of user: each that is due is taken by a free user, or it is dropped and counted.

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

        `arrived` is called for each visit with the seconds since it was due, which is how late this process
        was; `dropped` likewise for each visit that found no user in time.
        """
        self.patience = patience
        self.under_way = 0
        """Visits that a user has taken and not finished."""
        self._arrived, self._dropped = arrived, dropped
        self._due: deque[float] = deque()
        self._ready = gevent.lock.Semaphore(0)
        self._times: Iterator[float] = iter(())
        self._next: float | None = None

    @property
    def waiting(self) -> int:
        """Visits that are due and not taken yet."""
        return len(self._due)

    def schedule(self, times: Iterator[float], zero: float) -> None:
        """Visits are due at `times`, seconds after `zero`."""
        self._times = (zero + due for due in times)

    def dispatch(self) -> None:
        """Offer each scheduled visit when it is due; returns after the last. To be spawned.

        What was due before is offered at once: a process that is late to start still accounts for its part.
        """
        while (due := self._upcoming()) is not None:
            sleep_until(due)
            self._next = None
            self.offer(due)

    def offer(self, due: float) -> None:
        """Add a visit that is due."""
        now = time.perf_counter()
        if self._arrived:
            self._arrived(now - due)
        self._drop(now, self.patience)
        self._due.append(due)
        self._ready.release()

    def wait(self) -> None:
        """Wait until a visit is due; the caller is then to `take` it."""
        self._ready.acquire()

    def take(self) -> float | None:
        """When the next visit was due; None if there is none. `finish` is called after the visit."""
        self._drop(time.perf_counter(), self.patience)
        if not self._due:
            return None
        self.under_way += 1
        return self._due.popleft()

    def finish(self) -> None:
        """A visit that was taken has ended."""
        self.under_way -= 1

    def close(self, until: float) -> None:
        """Drop all visits that still wait, and those due before `until` that were never offered."""
        while (due := self._upcoming()) is not None and due < until:
            self._next = None
            self.offer(due)
        self._times = iter(())
        self._drop(time.perf_counter(), float("-inf"))

    def _upcoming(self) -> float | None:
        if self._next is None:
            self._next = next(self._times, None)
        return self._next

    def _drop(self, now: float, patience: float) -> None:
        while self._due and now - self._due[0] > patience:
            due = self._due.popleft()
            if self._dropped:
                self._dropped(now - due)
