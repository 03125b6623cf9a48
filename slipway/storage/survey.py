"""A survey of a stack's ledger: each object is read for itself, so that one damaged object hides no other."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from slipway.storage.bucket import Bucket, Damaged
from slipway.storage.hold import Holds, hold_key
from slipway.storage.lease import LeaseRecord, lease_key
from slipway.storage.records import Event, Head, Progress, Release, Stored, head_key

S = TypeVar("S", bound=Stored)

_READ_AT_ONCE = 8


@dataclass(frozen=True)
class Survey:
    """What the bucket holds of one stack; a damaged object is there as the error that reading it raises."""

    stack: str
    lease: LeaseRecord | Damaged | None
    head: Head | Damaged | None
    """None: neither a head nor a record was ever written."""
    hold: Holds | Damaged | None = None
    records: dict[int, Release | Damaged] = field(default_factory=dict[int, Release | Damaged])
    """By number, without progress."""
    events: dict[int, dict[str, Event | Damaged]] = field(
        default_factory=dict[int, dict[str, Event | Damaged]]
    )
    """By number of the record and key, oldest first."""

    @property
    def damaged(self) -> list[Damaged]:
        """Every object that cannot be read."""
        return [each for each in self._every if isinstance(each, Damaged)]

    @property
    def fence(self) -> int:
        """The greatest fence that any readable object carries."""
        kinds = (LeaseRecord, Head, Release, Event)
        return max((each.fence for each in self._every if isinstance(each, kinds)), default=0)

    @property
    def _every(self) -> list[object]:
        events = [event for found in self.events.values() for event in found.values()]
        return [self.lease, self.head, self.hold, *self.records.values(), *events]

    @property
    def newest(self) -> int:
        """The greatest number of a record."""
        return max(self.records, default=0)

    def progress(self, number: int) -> Progress:
        """How far record `number` has come, by its newest readable event."""
        found = [each for each in self.events.get(number, {}).values() if isinstance(each, Event)]
        return found[-1].progress if found else Progress()


def survey(bucket: Bucket, stack: str, *, newest: int | None = None) -> Survey:
    """Read the lease, the head, the hold and the `newest` records (None: all) with their events."""
    root = f"stacks/{stack}/releases/"
    keys = list(bucket.list(root))
    numbers = sorted({int(key[len(root) :][:8]) for key in keys if re.match(r"\d{8}", key[len(root) :])})
    wanted = set(numbers if newest is None else numbers[-newest:])
    of_record: dict[int, str] = {}
    of_events: dict[int, list[str]] = {}
    for key in keys:
        number = int(key[len(root) :][:8])
        if number not in wanted:
            continue
        if key == f"{root}{number:08d}.json":
            of_record[number] = key
        else:
            of_events.setdefault(number, []).append(key)
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:

        def read(kind: type[S], names: Iterable[str]) -> list[S | Damaged | None]:
            reading = [pool.submit(_read, bucket, kind, key) for key in names]
            return [each.result() for each in reading]

        records = dict(zip(of_record, read(Release, of_record.values()), strict=True))
        events = {
            number: dict(zip(names, read(Event, names), strict=True)) for number, names in of_events.items()
        }
    head = _read(bucket, Head, head_key(stack))
    if head is None and numbers:
        head = Damaged(head_key(stack), "is missing, although the stack has releases")
    return Survey(
        stack=stack,
        lease=_read(bucket, LeaseRecord, lease_key(stack)),
        head=head,
        hold=_read(bucket, Holds, hold_key(stack)),
        records={number: record for number, record in records.items() if record is not None},
        events={
            number: {key: event for key, event in found.items() if event is not None}
            for number, found in events.items()
        },
    )


def _read(bucket: Bucket, kind: type[S], key: str) -> S | Damaged | None:
    try:
        found = bucket.get_json(key)
        return None if found is None else kind.read(key, found[0])
    except Damaged as damage:
        return damage
