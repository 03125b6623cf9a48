"""What takes long is begun first: a check asks for it at the end, and all of them wait at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

T = TypeVar("T")

_PLANNED: dict[str, Callable[..., Any]] = {}


def begun_early(trial: Callable[..., T]) -> Callable[..., T]:
    """Marks a function of (site, hosts) as a trial that is begun when the first check needs the site."""
    _PLANNED[trial.__name__] = trial
    return trial


class Background:
    """Trials under way, each in a thread of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="trial")
        self._running: dict[str, Future[Any]] = {}

    def begin_planned(self, wanted: set[str], *parts: object) -> None:
        """Begins those of the trials marked `begun_early` that are `wanted` by a check of this run."""
        for name, trial in _PLANNED.items():
            if name in wanted:
                self._running.setdefault(name, self._pool.submit(trial, *parts))

    def result(self, trial: Callable[..., T], *parts: object) -> T:
        """What `trial` gave; waits for it, or does it now if it was not begun. Its error is raised here."""
        name = trial.__name__
        if name not in self._running:
            self._running[name] = self._pool.submit(trial, *parts)
        return cast("T", self._running[name].result())

    def close(self) -> None:
        """Waits for what still runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)
