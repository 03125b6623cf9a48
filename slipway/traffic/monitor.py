"""Around a run: its parts, its record, what happened to the stack meanwhile, and a line for the person."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import gevent
from locust.env import Environment
from locust.runners import WorkerRunner

from slipway.settings.errors import SlipwayError
from slipway.stack import LiveStack
from slipway.storage.reading import Reading
from slipway.storage.release import Event, Release, What
from slipway.traffic.ending import Order, report_at_the_end
from slipway.traffic.profile import Profile
from slipway.traffic.recorder import Recorder, record
from slipway.traffic.run import LoadRun
from slipway.traffic.samples import CONNECT, DURATIONS, ECHO, HTTP, Cell, Mark, Samples
from slipway.traffic.thresholds import milliseconds
from slipway.traffic.workers import share_out

__all__ = ["LINE_SECONDS", "LOOK_SECONDS", "ReleaseMarks", "follow", "live_line"]


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
        hide=live.hidden,
    )
    recorder = report_at_the_end(environment, order, run.samples, lambda: run.sockets_open)
    marks: list[ReleaseMarks] = []

    def began(**_: object) -> None:
        marks[:] = [ReleaseMarks(live.opened.ledger, time.time())]
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


LINE_SECONDS = 5
LATE_SECONDS = 2
"""Samples of workers arrive within a second; only seconds that are complete are told."""


def live_line(samples: Samples, profile: Profile, at: float, now: float) -> str:
    """The last whole `LINE_SECONDS`, `at` seconds into the profile, at `now` (since 1970). Pure."""
    end = int(now) - LATE_SECONDS + 1
    begin = end - LINE_SECONDS
    kinds: dict[str, Cell] = {}
    for key, cell in samples.totals(lambda slot: begin <= slot < end).items():
        if key.kind not in DURATIONS:
            kinds.setdefault(key.kind, Cell()).merge(cell)
    parts = [f"{min(at, profile.seconds):4.0f} of {profile.seconds:.0f} s"]
    for kind, cell in sorted(kinds.items()):
        p95 = cell.good.percentile(95)
        parts.append(
            f"{kind} {cell.count / LINE_SECONDS:.0f}/s"
            + (f" p95 {milliseconds(p95)}" if p95 is not None else "")
            + (f" {cell.failed} errors" if cell.failed else "")
        )
    if profile.schedule.peak_sockets:
        open_now = [count for slot, count in samples.sockets().items() if slot < end]
        parts.append(f"{open_now[-1] if open_now else 0} sockets")
    if dropped := sum(slot.dropped for slot in samples.slots.values()):
        parts.append(f"{dropped} visits dropped")
    return "  ".join(parts)


LOOK_SECONDS: Final = 2.0
"""How often to look: marks carry the time of their event, so a later look makes none of them late."""
TOLD: Final[Mapping[tuple[str, What], str]] = {
    ("boot", "started"): "boots",
    ("switch", "started"): "switch begins",
    ("switch", "done"): "switched",
    ("switch", "undone"): "switched back",
    ("promote", "done"): "promoted",
    ("retire", "done"): "done",
    ("end", "failed"): "failed",
    ("end", "undone"): "undone",
}
"""The events that users may feel, or that tell how it ended."""


class ReleaseMarks:
    """Events of all releases since a moment, each told once."""

    def __init__(self, ledger: Reading, since: float) -> None:
        """`since`: seconds since 1970."""
        self._ledger, self._since = ledger, since
        self._seen: dict[int, int] = {}
        """Record → how many of its events were told or are too old."""
        self._over: set[int] = set()

    def look(self) -> list[Mark]:
        """What is new since the last look. A ledger that cannot be read now is asked again next time."""
        try:
            return list(self._new())
        except SlipwayError:
            return []

    def _new(self) -> Iterator[Mark]:
        for release in reversed(self._ledger.history(limit=2)):
            if release.number in self._over:
                continue
            events = self._ledger.events(release.number)
            for event in events[self._seen.get(release.number, 0) :]:
                if event.at.timestamp() >= self._since and (text := told(release, event)):
                    yield Mark(round(event.at.timestamp(), 3), text)
            self._seen[release.number] = len(events)
            # A promoted release is still retired afterwards.
            if release.progress.ended and (not release.was_promoted or "retire" in release.progress.done):
                self._over.add(release.number)


def told(record: Release, event: Event) -> str:
    """The event in a few words; empty for what no user feels. Pure."""
    what = TOLD.get((event.phase, event.event), "")
    who = f"rollback to release {record.target}" if record.kind == "rollback" else f"release {record.number}"
    return f"{who}: {what}" if what else ""
