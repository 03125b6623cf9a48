"""A world with one clock in which nothing runs but what the kernel resumes: a seed replays everything.

Code under test stays as it is, threads and all: each thread is a greenlet, and each call that would wait
(`sleep`, a lock, an answer) hands over to the kernel, which resumes whoever is next on the virtual clock.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from math import inf
from typing import Any, Generic, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")


class Process:
    """A process of the simulated world: the threads of one command, or one run of an agent."""

    def __init__(self, name: str, pid: int) -> None:
        self.name, self.pid = name, pid
        self.is_alive = True
        self.stopped_until = 0.0
        self.handler: Callable[[int, Any], object] | None = None
        """What a signal calls; None: it raises KeyboardInterrupt in the main thread."""
        self.tasks: list[Task] = []
        self.at_end: list[Callable[[], object]] = []
        """Called when the process has ended or was killed, as the kernel closes files."""


class Task:
    """A thread."""

    def __init__(self, process: Process, run: Callable[[], object], hub: greenlet) -> None:
        self.process = process
        self.turn = 0
        """Counts its waits, so that a resumption that comes too late is recognised."""
        self.greenlet = greenlet(lambda *_: run(), hub)


class Kernel:
    """The clock, the queue of what happens when, and the processes."""

    def __init__(self, seed: object) -> None:
        self.now = 0.0
        self.is_over = False
        self.tasks: list[Task] = []
        self.after_step: Callable[[], object] = lambda: None
        self._ties = random.Random(f"{seed}/ties")
        self._queue: list[tuple[float, float, int, Callable[[], None]]] = []
        self._count = 0
        self._pids = 5_000_000  # beyond any real one
        self._hub = getcurrent()
        self._current: Task | None = None

    # the present

    @property
    def task(self) -> Task:
        """The thread that runs."""
        if self._current is None:
            raise RuntimeError("nothing runs")
        return self._current

    @property
    def process(self) -> Process:
        """The process that runs."""
        return self.task.process

    # what happens when

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Do `act` in `seconds` from now; ties are broken by the seed."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + max(seconds, 0.0), self._ties.random(), self._count, act))

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let the world go on until the clock says `until`, or `done`."""
        while self._queue and self._queue[0][0] <= until and not done():
            when, _, _, act = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            act()
            self.after_step()
        if not done():
            self.now = max(self.now, until)

    # processes

    def start(self, name: str, run: Callable[[], object]) -> Process:
        """A new process whose main thread calls `run`."""
        self._pids += 1
        process = Process(name, self._pids)

        def main() -> None:
            try:
                run()
            finally:
                self._end(process)

        self.spawn(process, main)
        return process

    def spawn(self, process: Process, run: Callable[[], object]) -> Task:
        """A further thread of `process`."""
        task = Task(process, run, self._hub)
        process.tasks.append(task)
        self.tasks.append(task)
        self.at(0, lambda: self._resume(task, 0, None))
        return task

    def kill(self, process: Process) -> None:
        """SIGKILL: no thread of it runs again."""
        self._end(process)

    def stop(self, process: Process, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after `seconds`."""
        process.stopped_until = self.now + seconds

    def raise_in(self, process: Process, error: BaseException) -> None:
        """Have its main thread raise `error` where it waits."""
        task = process.tasks[0]
        if process.is_alive and not task.greenlet.dead:
            turn = task.turn
            self.at(0, lambda: self._resume(task, turn, error))

    def interrupt(self, process: Process) -> None:
        """SIGINT."""
        if process.handler is not None:
            process.handler(2, None)
        else:
            self.raise_in(process, KeyboardInterrupt())

    def finish(self) -> None:
        """Take the world down: every thread ends, and whatever it tries to do then does nothing."""
        self.is_over = True
        for task in self.tasks:
            if task.greenlet and not task.greenlet.dead:
                self._current = task
                task.greenlet.throw(GreenletExit)
        self._current = None

    # waiting

    def sleep(self, seconds: float) -> None:
        """Wait on the virtual clock."""
        self._check()
        task, turn = self.task, self.task.turn
        self.at(seconds, lambda: self._resume(task, turn, None))
        self._pause()

    def wait(self, waiting: list[Callable[[], None]], seconds: float | None = None) -> None:
        """Wait until one of the calls that are added to `waiting` is made, or `seconds` have passed."""
        self._check()
        task, turn = self.task, self.task.turn
        waiting.append(lambda: self.at(0, lambda: self._resume(task, turn, None)))
        if seconds is not None:
            self.at(seconds, lambda: self._resume(task, turn, None))
        self._pause()

    def _pause(self) -> None:
        error = self._hub.switch()
        if error is not None:
            raise cast("BaseException", error)

    def _check(self) -> None:
        if self.is_over:
            raise GreenletExit

    def _resume(self, task: Task, turn: int, error: BaseException | None) -> None:
        process = task.process
        if not process.is_alive or task.turn != turn or task.greenlet.dead:
            return
        if process.stopped_until > self.now:
            self.at(process.stopped_until - self.now, lambda: self._resume(task, turn, error))
            return
        task.turn += 1
        self._current = task
        try:
            task.greenlet.switch(error)
        finally:
            self._current = None

    def _end(self, process: Process) -> None:
        if process.is_alive:
            process.is_alive = False
            for act in process.at_end:
                act()


# what the code under test uses in place of threading, concurrent.futures and time


class Event:
    """threading.Event"""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._is_set = kernel, False
        self._waiting: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            self._kernel.wait(self._waiting, timeout)
        return self._is_set


class Lock:
    """threading.Lock"""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._is_held = kernel, False
        self._waiting: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        while self._is_held:
            self._kernel.wait(self._waiting)
        self._is_held = True

    def __exit__(self, *_: object) -> None:
        self._is_held = False
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


class Thread:
    """threading.Thread"""

    def __init__(self, kernel: Kernel, target: Callable[[], object]) -> None:
        self._kernel, self._target, self._ended = kernel, target, Event(kernel)
        self.task: Task | None = None

    def start(self) -> None:
        def run() -> None:
            try:
                self._target()
            finally:
                self._ended.set()

        self.task = self._kernel.spawn(self._kernel.process, run)

    def join(self, timeout: float | None = None) -> None:
        self._ended.wait(timeout)


class Future(Generic[T]):
    """concurrent.futures.Future"""

    def __init__(self, kernel: Kernel) -> None:
        self.done = Event(kernel)
        self._value: T | None = None
        self._error: BaseException | None = None

    def fill(self, work: Callable[[], T]) -> None:
        try:
            self._value = work()
        except GreenletExit:
            raise
        except BaseException as error:
            self._error = error
        self.done.set()

    def result(self) -> T:
        self.done.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


class Executor:
    """concurrent.futures.ThreadPoolExecutor; without `most`, with as many threads as there is work."""

    def __init__(self, kernel: Kernel, most: float = inf) -> None:
        self._kernel, self._most, self._working = kernel, most, 0
        self._futures: list[Future[Any]] = []
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        future: Future[T] = Future(self._kernel)
        self._futures.append(future)

        def fill() -> None:
            future.fill(lambda: work(*arguments))

        if self._working < self._most:
            self._working += 1
            self._kernel.spawn(self._kernel.process, lambda: self._thread(fill))
        else:
            self._waiting.append(fill)
        return future

    def _thread(self, first: Callable[[], None]) -> None:
        first()
        while self._waiting:
            self._waiting.popleft()()
        self._working -= 1

    def map(self, work: Callable[[Any], T], items: Iterable[Any]) -> Generator[T]:
        futures = [self.submit(work, item) for item in items]
        yield from (future.result() for future in futures)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for future in self._futures[len(self._futures) - len(self._waiting) :]:
                future.done.set()
            self._waiting.clear()
        if wait:
            for future in self._futures:
                future.done.wait()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


@contextmanager
def attributes(changes: Iterable[tuple[object, str, object]]) -> Generator[None]:
    """Set attributes of modules and classes, and restore them."""
    absent, changes = object(), list(changes)
    before = [(owner, name, vars(owner).get(name, absent)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            if value is absent:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
