"""Trials and checks that take long begin with the run; the checks that need their results come last."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

import pytest

T = TypeVar("T")

_TRIALS: dict[str, Callable[..., Any]] = {}


def begun_early(trial: Callable[..., T]) -> Callable[..., T]:
    """Mark a function as a trial. Its arguments are fixtures, by name; checks name it in `waits_for`."""
    _TRIALS[trial.__name__] = trial
    return trial


_IDLE: set[str] = set()


def idle(trial: Callable[..., T]) -> Callable[..., T]:
    """Mark a trial that only lets time pass: its checks come last, after those that spend the budget."""
    _IDLE.add(trial.__name__)
    return trial


def is_idle(names: Iterable[str]) -> bool:
    """Whether one of the trials called `names` only lets time pass."""
    return not _IDLE.isdisjoint(names)


def keep_environment(config: pytest.Config) -> None:
    """Let the environment stay as it is to the end of the run, whose threads start processes.

    pytest names the test at work in PYTEST_CURRENT_TEST, and removes it after each test. A process that
    a thread starts in that instant would end with "Bad address": execve(2) counts the variables first, and
    copies them then.
    """
    patch = pytest.MonkeyPatch()
    patch.setattr("_pytest.runner._update_current_test_var", _leave_environment, raising=False)
    config.add_cleanup(patch.undo)


def _leave_environment(item: pytest.Item, when: str | None) -> None:
    del item, when


class Background:
    """The trials of a run, and its checks that run ahead, each in its own thread."""

    def __init__(self, fixture: Callable[[str], object]) -> None:
        """`fixture` returns the value of a session fixture by its name: `request.getfixturevalue`."""
        self._fixture = fixture
        self._pool = ThreadPoolExecutor(max_workers=40, thread_name_prefix="trial")
        self._running: dict[str, Future[Any]] = {}

    def begin(self, names: Iterable[str]) -> None:
        """Begin the trials called `names`. One whose fixtures fail is left to the checks that need it."""
        self.run_ahead(_TRIALS[name] for name in names)

    def run_ahead(self, functions: Iterable[Callable[..., object]]) -> None:
        """Begin trials, or checks themselves."""
        for each in functions:
            try:
                self._begin(each)
            except (Exception, pytest.fail.Exception, pytest.skip.Exception):  # noqa: S112 - raised again by result()
                continue

    def run_in_turn(self, calls: Mapping[str, Callable[[], object]]) -> None:
        """Begin `calls`, one after another in one thread; `begun` has the result of each."""
        results: dict[str, Future[Any]] = {name: Future() for name in calls}
        self._running.update(results)

        def run() -> None:
            for name, call in calls.items():
                try:
                    results[name].set_result(call())
                except BaseException as error:
                    results[name].set_exception(error)

        self._pool.submit(run)

    def begun(self, name: str) -> Future[Any] | None:
        """The result to come of what `run_in_turn` has begun under `name`."""
        return self._running.get(name)

    def result(self, trial: Callable[..., T]) -> T:
        """The result of `trial`; waits for it, and begins it if nothing has. Raises what the trial raised."""
        return cast("T", self._begin(trial).result())

    def close(self) -> None:
        """Wait for the trials that still run."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, trial: Callable[..., Any]) -> Future[Any]:
        name = f"{trial.__module__}.{trial.__qualname__}"
        if name not in self._running:
            arguments = [self._fixture(each) for each in inspect.signature(trial).parameters]
            self._running[name] = self._pool.submit(trial, *arguments)
        return self._running[name]
