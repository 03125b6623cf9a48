"""A run is judged and reported however it ends: on time, by a threshold, a person, SIGTERM or SIGHUP.

Locust by itself ends on SIGTERM without a report and with exit code 0.
"""

import atexit
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from slipway.secrets.redact import Redactor
from slipway.settings import Load, SlipwayError, printable
from slipway.stack import LiveStack
from slipway.traffic.progress import EVENTS_SECONDS, LINE_SECONDS, ReleaseEvents, live_line
from slipway.traffic.recorder import Recorder, record
from slipway.traffic.report.html import write_reports
from slipway.traffic.results import ExitCode, RunResult, result_of
from slipway.traffic.run import LoadRun
from slipway.traffic.thresholds import Plan, certain_failure

LOOK_SECONDS = 1.0
_log = logging.getLogger("slipway.traffic")


def _at_once() -> float:
    return 0.0


@dataclass(frozen=True)
class RunSpec:
    """What a run is to send, how it is judged, and where its reports go."""

    stack: str
    profile: str
    folder: Path
    load: Load
    windows: tuple[tuple[float, float], ...] = ((0.0, inf),)
    """In seconds since second 0 of the profile, as `Profile.windows`."""
    lead: Callable[[], float] = _at_once
    """Seconds from locust's start to second 0."""
    sockets: int = 0
    kinds: frozenset[str] = frozenset()
    min_samples: int | None = None
    url: str = ""
    release: int | None = None
    redact: Callable[[str], str] = str
    """Takes secrets out of a text."""

    def asked(self, started: float) -> Plan:
        """What the run was to bring that locust started then."""
        return Plan(started + self.lead(), self.windows, self.sockets, self.kinds, self.min_samples)


def report_at_the_end(
    environment: Environment,
    order: RunSpec,
    run: LoadRun | None = None,
) -> Recorder:
    """Record what `environment` runs, and report it; call it once, on locust's event `init`.

    In a worker it only records: the master has the numbers of all. `run` as for `record`.
    """
    recorder = record(environment, run)
    if not isinstance(environment.runner, WorkerRunner):
        _Ending(environment, order, recorder).listen()
    return recorder


class _Ending:
    def __init__(self, environment: Environment, order: RunSpec, recorder: Recorder) -> None:
        self._environment = environment
        self._order = order
        self._recorder = recorder
        self._asked: Plan | None = None
        self._aborted = ""
        self._reported = False

    def listen(self) -> None:
        events: Any = self._environment.events  # locust's hooks are untyped
        events.test_start.add_listener(self._on_start)
        events.test_stop.add_listener(self._on_stop)
        events.quitting.add_listener(self._on_quitting)
        if self._headless:
            # Until the contrary is proved: also an error in here must not end with 0.
            self._environment.process_exit_code = int(ExitCode.NO_DATA)
            # When no workers come, locust leaves by sys.exit without an event.
            atexit.register(self._report)
            gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)

    @property
    def _headless(self) -> bool:
        return self._environment.web_ui is None

    def _on_start(self, **_: object) -> None:
        assert self._recorder.started is not None
        self._asked = self._order.asked(self._recorder.started)
        self._aborted, self._reported = "", False
        gevent.spawn(self._look, self._recorder.started)

    def _look(self, started: float) -> None:
        """Ends the run that began then, once it is lost."""
        while self._recorder.stopped is None and self._recorder.started == started:
            self._recorder.watch()
            assert self._asked is not None
            if why := certain_failure(self._recorder.samples, self._order.load, self._asked, time.time()):
                self._aborted = why
                _log.error("ended early: %s", self._order.redact(why))
                runner: Any = self._environment.runner
                (runner.quit if self._headless else runner.stop)()
                return
            gevent.sleep(LOOK_SECONDS)

    def _on_stop(self, **_: object) -> None:
        self._report()

    def _on_quitting(self, **_: object) -> None:
        """Called first on a signal: stop, so that workers send their last samples."""
        runner = self._environment.runner
        if runner is not None and runner.state in {STATE_RUNNING, STATE_SPAWNING}:
            if isinstance(runner, MasterRunner):
                runner.stop(send_stop_to_client=False)
            else:
                runner.stop()
        if self._headless or self._asked is not None:
            self._report()

    def _report(self) -> None:
        """Once a run."""
        if self._reported:
            return
        self._reported = True
        now = time.time()
        stopped = self._recorder.stopped or now
        outcome = result_of(
            self._recorder.samples,
            self._order.load,
            self._asked or self._order.asked(now),
            stack=self._order.stack,
            profile=self._order.profile,
            url=self._order.url,
            release=self._order.release,
            stopped=stopped,
            aborted=self._aborted,
            lost_workers=self._recorder.lost,
            redact=self._order.redact,
        )
        self._environment.process_exit_code = int(outcome.exit_code)
        files = write_reports(outcome, self._recorder.samples, self._order.folder)
        _tell(outcome, files)


def _tell(outcome: RunResult, files: list[Path]) -> None:
    """Log the result, as locust logs everything."""
    for result in outcome.thresholds:
        if result.verdict in {"fail", "no data"}:
            _log.error("%s: %s", result.verdict, result.sentence)
    log = _log.info if outcome.passed else _log.error
    log("%s (exit code %d): %s", outcome.exit_code.meaning, outcome.exit_code, files[0])


def follow(environment: Environment, run: LoadRun, live: LiveStack | None, folder: Path | None) -> None:
    """Call it once, on locust's event `init`. `live` is None in a worker, which only records its part."""
    if live is None or isinstance(environment.runner, WorkerRunner):
        record(environment, run)
        return
    order = RunSpec(
        stack=run.target.stack,
        profile=run.profile.name,
        folder=folder or live.state_dir / "load",
        load=run.load,
        windows=run.profile.windows,
        lead=lambda: run.lead,
        sockets=run.profile.schedule.peak_sockets,
        kinds=run.profile.kinds(run.target.app),
        min_samples=run.profile.min_samples,
        url=run.target.url,
        release=_release(live),
        redact=Redactor({**live.secrets, **run.target.values}).text,  # a preview's values are its own
    )
    recorder = report_at_the_end(environment, order, run)
    annotations: list[ReleaseEvents] = []

    def began(**_: object) -> None:
        annotations[:] = [ReleaseEvents(live.ledger, time.time())]
        gevent.spawn(_mark, recorder, annotations[0])
        gevent.spawn(_show, recorder, run)

    def ends(**_: object) -> None:
        for each in annotations:
            _look(recorder, each)

    events: Any = environment.events  # locust's hooks are untyped
    events.test_start.add_listener(began)
    events.test_stopping.add_listener(ends)


def _release(live: LiveStack) -> int | None:
    try:
        return live.release
    except SlipwayError:
        return None  # the site may be loaded all the same


def _goes_on(recorder: Recorder, started: float | None) -> bool:
    return recorder.stopped is None and recorder.started == started


def _mark(recorder: Recorder, annotations: ReleaseEvents) -> None:
    started = recorder.started
    while _goes_on(recorder, started):
        _look(recorder, annotations)
        gevent.sleep(EVENTS_SECONDS)


def _look(recorder: Recorder, annotations: ReleaseEvents) -> None:
    for mark in annotations.look():
        recorder.annotate(mark.text, mark.at)
        sys.stderr.write(f"{printable(mark.text)}\n")


def _show(recorder: Recorder, run: LoadRun) -> None:
    started = recorder.started
    while _goes_on(recorder, started):
        gevent.sleep(LINE_SECONDS)
        if _goes_on(recorder, started):
            sys.stderr.write(live_line(recorder.samples, run.profile, run.at, time.time()) + "\n")
