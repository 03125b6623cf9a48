"""Records a locust run into `Samples`, in whichever process it runs: alone, as a worker, or as the master.

A worker sends what came in to the master every second, so that one that is lost takes at most a second with
it. The master asks for the rest when the run ends, and waits: locust itself waits half a second.
"""

import re
import socket
import time
from collections.abc import Mapping
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import CatchResponseError
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from slipway.traffic.run import LoadRun
from slipway.traffic.samples import Reading, Samples

HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What locust's own HTTP users give as the type of a request."""
TICK_SECONDS = 0.1
SEND_SECONDS = 1.0
FLUSH_SECONDS = 10.0
"""How long the master waits for the last samples of its workers."""
SETTLE_SECONDS = 8.0
"""How long a worker waits for the visits that are under way before it sends its last samples."""


def record(environment: Environment, run: LoadRun | None = None) -> "Recorder":
    """Record whatever `environment` runs from now on; call it when locust has made the runner (event `init`).

    `run`: the run of our users, if it is one; it adds arrivals, drops and open sockets.
    """
    recorder = Recorder(environment, run)
    recorder.listen()
    return recorder


class Recorder:
    """What this process saw; in the master and alone, `samples` is the whole run."""

    def __init__(self, environment: Environment, run: LoadRun | None) -> None:
        self.samples = run.samples if run else Samples()
        self.started: float | None = None
        """When locust started the test, in seconds since 1970."""
        self.stopped: float | None = None
        self.lost: list[str] = []
        """Workers that went missing."""
        self._environment = environment
        self._run = run
        self._runner = environment.runner
        self._source = getattr(self._runner, "client_id", f"{socket.gethostname()}-local")
        self._awaited: set[str] = set()
        self._releases: set[str] = set()

    def annotate(self, text: str, at: float | None = None) -> None:
        """Something happened to the stack, now or `at`: the reports show it over the charts."""
        self.samples.annotate(text, at=time.time() if at is None else at)

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
            runner.register_message("slipway-flush", self._on_flush, concurrent=True)
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
                self.annotate(f"release {release} answers")
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
            sockets = self._run.sockets_open if self._run else 0
            reading = Reading(sockets, round(share, 3), round(lag * 1000, 1))
            self.samples.read(self._source, reading, at=time.time())
            if isinstance(self._runner, WorkerRunner):
                self._send()

    def _note_lost(self, master: MasterRunner) -> None:
        for worker in master.clients.all:
            if worker.state == STATE_MISSING:
                self._lose(worker.id)

    def _lose(self, worker: str) -> None:
        if worker not in self.lost:
            self.lost.append(worker)
            self.annotate(f"worker {worker.rpartition('_')[0] or worker} lost")

    def _send(self, *, last: bool = False) -> None:
        assert isinstance(self._runner, WorkerRunner)
        self._runner.send_message("slipway-samples", {"samples": self.samples.take().to_json(), "last": last})

    def _on_flush(self, **_: object) -> None:
        if self._run:
            self._run.settle(SETTLE_SECONDS)
        self._send(last=True)

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
