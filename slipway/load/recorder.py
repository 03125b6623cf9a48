"""Records a locust run into `Samples`, in whichever process it runs: alone, as a worker, or as the master.

A worker sends what came in to the master every second, so that one that is lost takes at most a second with
it. The master asks for the rest when the run ends, and waits: locust itself waits half a second.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from slipway.load.samples import Reading, Samples

HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What locust's own HTTP users give as the type of a request."""
TICK_SECONDS = 0.1
SEND_SECONDS = 1.0
FLUSH_SECONDS = 10.0
"""How long the master waits for the last samples of its workers."""

_recorders: WeakKeyDictionary[Environment, Recorder] = WeakKeyDictionary()


def record(environment: Environment) -> Recorder:
    """Begin to record whatever `environment` runs; call it once, when locust has made the runner (`init`)."""
    _recorders[environment] = recorder = Recorder(environment)
    return recorder


def recorder_of(environment: Environment) -> Recorder:
    """The recorder of this process: for users and the dispatcher to tell what locust's events do not."""
    return _recorders[environment]


class Recorder:
    """What this process saw; in the master and alone, `samples` is the whole run."""

    def __init__(self, environment: Environment) -> None:
        self.samples = Samples()
        self.sockets = 0
        """Open in this process now."""
        self.started: float | None = None
        """When the run began, in seconds since 1970."""
        self.stopped: float | None = None
        self.lost: list[str] = []
        """Workers that went missing."""
        self._environment = environment
        self._runner = environment.runner
        self._source = getattr(self._runner, "client_id", f"{socket.gethostname()}-local")
        self._awaited: set[str] = set()
        self._releases: set[str] = set()
        self._listen()

    def socket_opened(self) -> None:
        """This process opened a WebSocket."""
        self.sockets += 1

    def socket_closed(self) -> None:
        """One of them ended, however it did."""
        self.sockets -= 1

    def arrived(self, late_ms: float) -> None:
        """A visit began, `late_ms` after the moment the generator meant it to begin."""
        self.samples.arrived(late_ms, at=time.time())

    def dropped(self, count: int = 1) -> None:
        """Visits found no free user in time."""
        self.samples.dropped(count, at=time.time())

    def mark(self, text: str) -> None:
        """Something happened to the stack: the reports show it over the charts."""
        self.samples.mark(text, at=time.time())

    def _listen(self) -> None:
        events: Any = self._environment.events  # locust's hooks and messages are untyped
        runner: Any = self._runner
        events.request.add_listener(self._on_request)
        events.test_start.add_listener(self._on_start)
        events.test_stop.add_listener(self._on_stop)
        if isinstance(self._runner, WorkerRunner):
            runner.register_message("slipway-flush", self._on_last)
            events.quitting.add_listener(self._on_last)
        elif isinstance(self._runner, MasterRunner):
            runner.register_message("slipway-samples", self._on_samples)

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        exception: BaseException | str | None = None,
        response: object = None,
        **_: object,
    ) -> None:
        kind = request_type
        if request_type in HTTP_METHODS:
            kind, name = "HTTP", f"{request_type} {name}"
        self.samples.record(
            kind,
            name,
            response_time or 0.0,
            None if exception is None else reason_of(exception),
            at=time.time(),
        )
        headers: Mapping[str, str] = getattr(response, "headers", None) or {}
        release = headers.get("X-Release")
        if release and release not in self._releases:
            if self._releases:
                self.mark(f"release {release} answers")
            self._releases.add(release)

    def _on_start(self, **_: object) -> None:
        self.samples.take()
        self.lost.clear()
        self.started, self.stopped = time.time(), None
        gevent.spawn(self._watch_workers if isinstance(self._runner, MasterRunner) else self._watch)

    def _on_stop(self, **_: object) -> None:
        self.stopped = time.time()
        if isinstance(self._runner, WorkerRunner):
            self._send()
        elif isinstance(self._runner, MasterRunner):
            self._collect(self._runner)

    def _watch(self) -> None:
        """Every second: processor time of this process, lag of its event loop, open sockets."""
        started = self.started
        while self.stopped is None and self.started == started:
            wall, cpu, lag = time.perf_counter(), time.process_time(), 0.0
            while (passed := time.perf_counter() - wall) < SEND_SECONDS:
                before = time.perf_counter()
                gevent.sleep(TICK_SECONDS)
                lag = max(lag, time.perf_counter() - before - TICK_SECONDS)
            share = (time.process_time() - cpu) / passed
            self.samples.read(
                self._source, Reading(self.sockets, round(share, 3), round(lag * 1000, 1)), at=time.time()
            )
            if isinstance(self._runner, WorkerRunner):
                self._send()
            else:
                self.samples.compact()

    def _watch_workers(self) -> None:
        started = self.started
        while self.stopped is None and self.started == started:
            self._note_lost()
            self.samples.compact()
            gevent.sleep(SEND_SECONDS)

    def _note_lost(self) -> None:
        assert isinstance(self._runner, MasterRunner)
        for worker in self._runner.clients.all:
            if worker.state == STATE_MISSING and worker.id not in self.lost:
                self.lost.append(worker.id)
                self.mark(f"worker {worker.id.rpartition('_')[0] or worker.id} lost")

    def _send(self, *, last: bool = False) -> None:
        assert isinstance(self._runner, WorkerRunner)
        self._runner.send_message("slipway-samples", {"samples": self.samples.take().to_json(), "last": last})

    def _on_last(self, **_: object) -> None:
        self._send(last=True)

    def _on_samples(self, msg: Any, **_: object) -> None:
        data = msg.data
        self.samples.merge(Samples.from_json(data["samples"]))
        if data["last"]:
            self._awaited.discard(msg.node_id)

    def _collect(self, master: MasterRunner) -> None:
        """Ask every worker for its last samples and wait for them."""
        self._note_lost()
        self._awaited = {each.id for each in master.clients.all if each.state != STATE_MISSING}
        if self._awaited:
            master.send_message("slipway-flush")
        until = time.monotonic() + FLUSH_SECONDS
        while self._awaited and time.monotonic() < until:
            gevent.sleep(0.02)
        for silent in sorted(self._awaited - set(self.lost)):
            self.lost.append(silent)
            self.mark(f"worker {silent.rpartition('_')[0] or silent} lost")


def reason_of(error: BaseException | str) -> str:
    """Why a sample was not good, so that equal failures have equal reasons."""
    text = str(error) if isinstance(error, str | CatchResponseError) else f"{type(error).__name__}: {error}"
    return re.sub(r"0x[0-9a-f]{6,}", "0x…", " ".join(text.split())).removesuffix(": ")
