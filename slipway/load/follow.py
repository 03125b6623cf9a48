"""Around a run: its parts, its record, what happened to the stack meanwhile, and a line for the person."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import WorkerRunner

from slipway.load.ending import Order, report_at_the_end
from slipway.load.kinds import CONNECT, ECHO, HTTP
from slipway.load.live_line import LINE_SECONDS, live_line
from slipway.load.marks import LOOK_SECONDS, ReleaseMarks
from slipway.load.parts import share_out
from slipway.load.recorder import Recorder, record
from slipway.load.run import LoadRun
from slipway.settings.errors import SlipwayError
from slipway.stack import LiveStack

__all__ = ["follow"]


def follow(environment: Environment, run: LoadRun, live: LiveStack | None, folder: Path | None) -> None:
    """Call it once, on locust's event `init`. `live` is None in a worker, which only records its part."""
    share_out(environment, run)
    if live is None or isinstance(environment.runner, WorkerRunner):
        record(environment, run.samples, lambda: run.sockets_open)
        return
    schedule = run.profile.schedule
    order = Order(
        stack=run.aim.stack,
        profile=run.profile.name,
        folder=folder or live.state_dir / "load",
        load=run.load,
        windows=run.profile.windows,
        lead=lambda: run.lead,
        sockets=schedule.peak_sockets,
        kinds=frozenset(
            [HTTP] * bool(schedule.peak_rate) + [CONNECT, ECHO] * bool(schedule.peak_sockets),
        ),
        min_samples=run.profile.min_samples,
        url=run.aim.url,
        release=_release(live),
        hide=live.redact,
    )
    recorder = report_at_the_end(environment, order, run.samples, lambda: run.sockets_open)
    marks: list[ReleaseMarks] = []

    def began(**_: object) -> None:
        marks[:] = [ReleaseMarks(live.ledger, time.time())]
        gevent.spawn(_mark, recorder, marks[0])
        gevent.spawn(_tell, recorder, run)

    def ends(**_: object) -> None:
        for each in marks:
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


def _mark(recorder: Recorder, marks: ReleaseMarks) -> None:
    started = recorder.started
    while _goes_on(recorder, started):
        _look(recorder, marks)
        gevent.sleep(LOOK_SECONDS)


def _look(recorder: Recorder, marks: ReleaseMarks) -> None:
    for mark in marks.look():
        recorder.mark(mark.text, mark.at)
        sys.stderr.write(f"{mark.text}\n")


def _tell(recorder: Recorder, run: LoadRun) -> None:
    started = recorder.started
    while _goes_on(recorder, started):
        gevent.sleep(LINE_SECONDS)
        if _goes_on(recorder, started):
            sys.stderr.write(live_line(recorder.samples, run.profile, run.at, time.time()) + "\n")
