"""Which process gets which users: each an equal number of every kind, since each has its part of every load.

Locust's own deals them out mixed, one process after the other: of two kinds, two processes may get one each,
and the visits of the other kind find nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

__all__ = ["EvenDispatcher"]


class EvenDispatcher(UsersDispatcher):
    """Deals out one kind after the other, to those processes that are there as the test begins."""

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Who comes later has no part in this test."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Nobody makes the visits of one that was lost: the report tells of it."""

    def _user_gen(self) -> Iterator[str | None]:
        while True:
            for kind in self._user_classes:
                for _ in range(kind.fixed_count - self._get_user_current_count(kind.__name__)):
                    yield kind.__name__
            yield None
