"""Steps of releases become annotations over a load test's charts: each once, at its own time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from slipway.settings import SlipwayError
from slipway.storage.reading import Reading
from slipway.storage.records import Event, Kind, Progress, Release, What
from slipway.traffic.progress import ReleaseEvents

START = 1_760_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


class Ledger:
    """What a reader sees of a ledger, as far as annotations need it."""

    def __init__(self) -> None:
        self.records: list[Release] = []
        self.of: dict[int, list[Event]] = {}
        self.broken = False
        self.asked = 0

    def begin(self, number: int, kind: Kind = "release", target: int | None = None) -> None:
        record = Release(
            number=number, stack="s", kind=kind, build="b", config="c", actor="me", created=at(0), fence=1,
            target=target,
        )  # fmt: skip
        self.records.append(record)
        self.of[number] = []

    def add(self, number: int, phase: str, what: What, seconds: float) -> None:
        place = next(i for i, each in enumerate(self.records) if each.number == number)
        progress = self.records[place].progress.after(phase, what)
        self.records[place] = self.records[place].model_copy(update={"progress": progress})
        self.of[number].append(
            Event(at=at(seconds), phase=phase, event=what, fence=1, actor="me", progress=Progress())
        )

    def history(self, limit: int) -> list[Release]:
        if self.broken:
            raise SlipwayError("the bucket does not answer")
        return sorted(self.records, key=lambda each: -each.number)[:limit]

    def events(self, number: int) -> list[Event]:
        self.asked += 1
        return list(self.of[number])


def events_of(ledger: Ledger) -> ReleaseEvents:
    return ReleaseEvents(cast("Reading", ledger), START)


def test_a_release_under_load_is_told_step_by_step_at_the_time_of_each() -> None:
    ledger = Ledger()
    ledger.begin(7)
    looking = events_of(ledger)
    ledger.add(7, "stage", "done", 1)
    ledger.add(7, "switch", "started", 2)
    assert looking.look() == [(START + 2, "release 7: switch begins")]
    ledger.add(7, "switch", "done", 2.5)
    ledger.add(7, "promote", "done", 3)
    assert looking.look() == [(START + 2.5, "release 7: switched"), (START + 3, "release 7: promoted")]
    assert looking.look() == []


def test_what_happened_before_the_run_is_not_told() -> None:
    ledger = Ledger()
    ledger.begin(6)
    ledger.add(6, "switch", "done", -100)
    ledger.add(6, "promote", "done", -99)
    assert events_of(ledger).look() == []


def test_a_release_that_is_sent_back_and_a_rollback_are_told() -> None:
    ledger = Ledger()
    looking = events_of(ledger)
    ledger.begin(7)
    ledger.add(7, "switch", "undone", 5)
    ledger.add(7, "end", "undone", 6)
    ledger.begin(8, "rollback", target=5)
    ledger.add(8, "switch", "done", 9)
    assert [mark.text for mark in looking.look()] == [
        "release 7: switched back",
        "release 7: undone",
        "rollback to release 5: switched",
    ]


def test_records_that_are_over_are_not_read_again() -> None:
    ledger = Ledger()
    ledger.begin(7)
    ledger.add(7, "promote", "done", 1)
    ledger.add(7, "retire", "done", 2)
    looking = events_of(ledger)
    looking.look()
    read = ledger.asked
    looking.look()
    assert ledger.asked == read


def test_a_ledger_that_is_out_of_reach_ends_no_load_test() -> None:
    ledger = Ledger()
    ledger.broken = True
    looking = events_of(ledger)
    assert looking.look() == []
    ledger.broken = False
    ledger.begin(7)
    ledger.add(7, "switch", "done", 1)
    assert len(looking.look()) == 1
