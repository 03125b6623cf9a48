"""Records a locust run into `Samples`, in whichever process it runs: alone, as a worker, or as the master.

A worker sends what came in to the master every second, so that one that is lost takes at most a second with
it. The master asks for the rest when the run ends, and waits: locust itself waits half a second.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from slipway.traffic.samples import Reading, Samples

HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What locust's own HTTP users give as the type of a request."""
TICK_SECONDS = 0.1
SEND_SECONDS = 1.0
FLUSH_SECONDS = 10.0
"""How long the master waits for the last samples of its workers."""


def record(
    environment: Environment, samples: Samples | None = None, sockets: Callable[[], int] = lambda: 0
) -> Recorder:
    """Record whatever `environment` runs from now on; call it when locust has made the runner (event `init`).

    `samples`: where to; arrivals and drops may go there too. `sockets`: how many are open in this process.
    """
    recorder = Recorder(environment, samples if samples is not None else Samples(), sockets)
    recorder.listen()
    return recorder


class Recorder:
    """What this process saw; in the master and alone, `samples` is the whole run."""

    def __init__(self, environment: Environment, samples: Samples, sockets: Callable[[], int]) -> None:
        self.samples = samples
        self.started: float | None = None
        """When locust started the test, in seconds since 1970."""
        self.stopped: float | None = None
        self.lost: list[str] = []
        """Workers that went missing."""
        self._environment = environment
        self._sockets = sockets
        self._runner = environment.runner
        self._source = getattr(self._runner, "client_id", f"{socket.gethostname()}-local")
        self._awaited: set[str] = set()
        self._releases: set[str] = set()

    def mark(self, text: str, at: float | None = None) -> None:
        """Something happened to the stack, now or `at`: the reports show it over the charts."""
        self.samples.mark(text, at=time.time() if at is None else at)

    def watch(self) -> None:
        """To be called every second: who is lost, and that memory stays bounded."""
        if isinstance(self._runner, MasterRunner):
            self._note_lost(self._runner)
        self.samples.compact()

    def listen(self) -> None:
        """To all that locust tells."""
        events: Any = self._environment.events  # locust's hooks and messages are untyped
        runner: Any = self._runner
        events.request.add_listener(self._on_request)
        events.test_start.add_listener(self._on_start)
        events.test_stopping.add_listener(self._on_stopping)
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
        if not isinstance(self._runner, MasterRunner):
            gevent.spawn(self._read, self.started)

    def _on_stopping(self, **_: object) -> None:
        self.stopped = time.time()

    def _on_stop(self, **_: object) -> None:
        if isinstance(self._runner, WorkerRunner):
            self._send()
        elif isinstance(self._runner, MasterRunner):
            self._collect(self._runner)

    def _read(self, started: float) -> None:
        """Every second: processor time of this process, lag of its event loop, open sockets."""
        while self.stopped is None and self.started == started:
            wall, cpu, lag = time.perf_counter(), time.process_time(), 0.0
            while (passed := time.perf_counter() - wall) < SEND_SECONDS:
                before = time.perf_counter()
                gevent.sleep(TICK_SECONDS)
                lag = max(lag, time.perf_counter() - before - TICK_SECONDS)
            share = (time.process_time() - cpu) / passed
            self.samples.read(
                self._source, Reading(self._sockets(), round(share, 3), round(lag * 1000, 1)), at=time.time()
            )
            if isinstance(self._runner, WorkerRunner):
                self._send()

    def _note_lost(self, master: MasterRunner) -> None:
        for worker in master.clients.all:
            if worker.state == STATE_MISSING:
                self._lose(worker.id)

    def _lose(self, worker: str) -> None:
        if worker not in self.lost:
            self.lost.append(worker)
            self.mark(f"worker {worker.rpartition('_')[0] or worker} lost")

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
        self._note_lost(master)
        self._awaited = {each.id for each in master.clients.all if each.state != STATE_MISSING}
        if self._awaited:
            master.send_message("slipway-flush")
        until = time.monotonic() + FLUSH_SECONDS
        while self._awaited and time.monotonic() < until:
            gevent.sleep(0.02)
        for silent in sorted(self._awaited):
            self._lose(silent)


def reason_of(error: BaseException | str) -> str:
    """Why a sample was not good, so that equal failures have equal reasons."""
    text = str(error) if isinstance(error, str | CatchResponseError) else f"{type(error).__name__}: {error}"
    return re.sub(r"0x[0-9a-f]{6,}", "0x…", " ".join(text.split())).removesuffix(": ")
