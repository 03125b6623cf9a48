"""Repair of a ledger: what is damaged or lost is rebuilt from the other objects and from what hosts hold.

What was damaged is kept beside the ledger (`stacks/<stack>/damaged/`). Where it is not known what an object
said, the careful answer is written: no rollback chooses a release whose record was lost.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slipway.storage.bucket import Bucket, Damaged
from slipway.storage.hold import Holds, hold, hold_key
from slipway.storage.lease import Lease, LeaseRecord, current_actor, lease_key
from slipway.storage.records import ROLLBACK, Event, Head, Progress, Release, head_key
from slipway.storage.survey import Survey


@dataclass(frozen=True)
class OnHosts:
    """What the hosts that could be reached know."""

    fence: int = 0
    """The greatest fence that any of them has seen."""
    held: Mapping[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    """By release, build and config of a slot that holds it."""
    serving: Mapping[str, int] = field(default_factory=dict[str, int])
    """By web host, the release that it serves."""


Describe = Callable[[str], Mapping[str, object]]
"""What a build's manifest adds to a lost record: schema_head, migrations, contracts; empty without one."""


def needs_repair(found: Survey, hosts: OnHosts) -> bool:
    """Is anything damaged or lost, or does the head name nothing while hosts serve a release?"""
    served = set(hosts.serving.values())
    lost = bool(served) and (found.head is None or (isinstance(found.head, Head) and found.head.live is None))
    unfinished = found.newest > 0 and not found.progress(found.newest).ended
    return bool(found.damaged) or (lost and not unfinished) or bool(served - set(found.records))


def free_lease(bucket: Bucket, found: Survey, hosts: OnHosts) -> list[str]:
    """Make the lease readable, and its next fence newer than what any host or object has seen.

    A valid lease that a command holds is left alone: `Lease.acquire` then refuses.
    """
    now, fence = bucket.server_time(), max(found.fence, hosts.fence)
    lease = found.lease
    if isinstance(lease, LeaseRecord) and (lease.fence >= fence or not lease.is_free(now)):
        return []
    key = lease_key(found.stack)
    if isinstance(lease, Damaged):
        _keep(bucket, found.stack, key)
    free = LeaseRecord(
        fence=fence,
        owner=current_actor(),
        command="slipway ledger repair",
        acquired=now,
        heartbeat=now,
        expires=now,
        released=True,
        nonce=secrets.token_hex(8),
    )
    bucket.put_json(key, free.model_dump())
    was = "was damaged" if isinstance(lease, Damaged) else "was lost" if lease is None else "was too old"
    return [f"lease: it {was}; it is free now, and the next fence is {fence + 1}"]


class Rebuild:
    """One repair, under the lease. `done` says what was done, a line for each object."""

    def __init__(
        self, bucket: Bucket, lease: Lease, found: Survey, hosts: OnHosts, describe: Describe
    ) -> None:
        self._bucket, self._lease, self._found = bucket, lease, found
        self._hosts, self._describe = hosts, describe
        self._root = f"stacks/{found.stack}/releases/"
        self.done: list[str] = []

    def run(self) -> list[str]:
        """Records first, then the events that say how far they came, then the head that names one of them."""
        served = set(self._hosts.serving.values())
        lost = [number for number, record in self._found.records.items() if isinstance(record, Damaged)]
        for number in sorted({*lost, *(served - set(self._found.records))}):
            self._rebuild_record(number)
        head = self._found.head
        live = head.live if isinstance(head, Head) and head.live else self._live()
        for number, events in self._found.events.items():
            for key, event in events.items():
                if isinstance(event, Damaged):
                    self._rebuild_event(number, key, live)
        if not isinstance(head, Head) or (head.live is None and live is not None):
            self._rebuild_head(live)
        if isinstance(self._found.hold, Damaged):
            self._rebuild_hold()
        return self.done

    def _rebuild_record(self, number: int) -> None:
        found = self._found
        events = [event for event in found.events.get(number, {}).values() if isinstance(event, Event)]
        key = f"{self._root}{number:08d}.json"
        if number in found.records:
            _keep(self._bucket, found.stack, key)
        build, config = self._hosts.held.get(number, ("", ""))
        record = Release.model_validate(
            {
                "number": number,
                "stack": found.stack,
                "kind": "release",
                "build": build,
                "config": config,
                "actor": events[0].actor if events else current_actor(),
                "created": events[0].at if events else self._now(),
                "fence": events[0].fence if events else self._lease.check(),
                **(self._describe(build) if build else {}),
            }
        )
        self._lease.check()
        self._bucket.put_json(key, record.model_dump(mode="json"))
        found.records[number] = record
        if build and number in self._hosts.serving.values() and not events:
            progress = Progress(status="promoted", ended=True, was_promoted=True)
            self._append(number, "promote", progress)
        elif not build:
            before = found.progress(number)
            self._append(number, ROLLBACK, before.model_copy(update={"status": "rolled_back", "ended": True}))
        what = (
            f"build {build}, as hosts hold it" if build else "its build is not known: no rollback chooses it"
        )
        self.done.append(f"release {number}: its record was lost; it is written again ({what})")

    def _rebuild_event(self, number: int, key: str, live: int | None) -> None:
        found = self._found
        events = found.events[number]
        before = Progress()
        for name, event in events.items():
            if name == key:
                break
            before = event.progress if isinstance(event, Event) else before
        is_last = key == list(events)[-1]
        after = progress_after_loss(number, before, live=live, newest=found.newest) if is_last else before
        _keep(self._bucket, found.stack, key)
        events[key] = self._write(key, "repair", after)
        said = f"; the release counts as {after.status.replace('_', ' ')}" if is_last else ""
        self.done.append(f"release {number}: event {key[-9:-5]} was damaged; it is replaced{said}")

    def _rebuild_head(self, live: int | None) -> None:
        found, key = self._found, head_key(self._found.stack)
        if isinstance(found.head, Damaged) and "missing" not in found.head.message:
            _keep(self._bucket, found.stack, key)
        schema = schema_head(found)
        decided = [
            number
            for number, record in found.records.items()
            if isinstance(record, Release) and record.target == live and found.progress(number).was_promoted
        ]
        head = Head(
            live=live,
            record=max(decided, default=live) if live else None,
            last_known_good=live,
            schema_head=schema,
            newest=found.newest,
            fence=self._lease.check(),
            updated=self._now(),
        )
        self._bucket.put_json(key, head.model_dump(mode="json"))
        served = sorted(set(self._hosts.serving.values()))
        by = f"web hosts serve {', '.join(map(str, served))}" if served else "no web host said what it serves"
        names = f"it names release {live or 'none'} as live"
        self.done.append(f"head: it was lost; {names} (schema {schema or 'unknown'}; {by})")

    def _rebuild_hold(self) -> None:
        """Whether it stood is not known, so the stack is held until a person resumes it."""
        stack = self._found.stack
        _keep(self._bucket, stack, hold_key(stack))
        self._bucket.put_json(hold_key(stack), Holds().model_dump(mode="json"))
        hold(self._bucket, stack, current_actor(), "the record of its holds was damaged")
        self.done.append("hold: its record was damaged; the stack is held until `slipway resume`")

    def _live(self) -> int | None:
        """The release that the head is to name: by the records, unless hosts serve another good one."""
        by_records = live_by_records(self._found)
        served = set(self._hosts.serving.values())
        if by_records is None or by_records not in served:
            known = [number for number in served if self._found.progress(number).was_promoted]
            if len(served) == 1 and known:
                return known[0]
        return by_records

    def _append(self, number: int, phase: str, progress: Progress) -> None:
        events = self._found.events.setdefault(number, {})
        key = f"{self._root}{number:08d}/events/{len(events) + 1:04d}.json"
        events[key] = self._write(key, phase, progress)

    def _write(self, key: str, phase: str, progress: Progress) -> Event:
        event = Event(
            at=self._now(),
            phase=phase,
            event="done",
            fence=self._lease.check(),
            actor=current_actor(),
            detail={"by": "slipway ledger repair"},
            progress=progress,
        )
        self._bucket.put_json(key, event.model_dump(mode="json"))
        return event

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._bucket.server_time(), UTC)


def live_by_records(found: Survey) -> int | None:
    """The release that the newest promotion or rollback made live; None: nothing was ever promoted."""
    live = None
    for number, record in sorted(found.records.items()):
        if isinstance(record, Release) and found.progress(number).was_promoted:
            live = record.target or number
    return live


def schema_head(found: Survey) -> str | None:
    """The newest migration that was applied, by the releases whose migrate phase ended well."""
    head = None
    for number, record in sorted(found.records.items()):
        events = [event for event in found.events.get(number, {}).values() if isinstance(event, Event)]
        migrated = any((event.phase, event.event) == ("migrate", "done") for event in events)
        if isinstance(record, Release) and (migrated or found.progress(number).was_promoted):
            head = record.schema_head or head
    return head


def progress_after_loss(number: int, before: Progress, *, live: int | None, newest: int) -> Progress:
    """How far a record has come whose newest event is lost; `before` is what the event before it says.

    A record with a newer one after it has ended: a command finishes or undoes what it finds before it begins.
    """
    if number == live:
        return before.model_copy(update={"status": "promoted", "ended": True, "was_promoted": True})
    if before.was_promoted or number == newest:
        return before
    return before.model_copy(update={"status": "failed", "ended": True})


def _keep(bucket: Bucket, stack: str, key: str) -> None:
    """Copy what cannot be read to where a person finds it."""
    content = bucket.get_bytes(key)
    if content is not None:
        name = key.removeprefix(f"stacks/{stack}/").replace("/", "-")
        bucket.put_bytes(f"stacks/{stack}/damaged/{bucket.server_time():.0f}-{name}", content)
