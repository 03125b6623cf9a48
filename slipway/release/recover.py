"""Recovery: what a killed command left behind is finished or undone by the next command."""

from dataclasses import dataclass, replace

from slipway.release.membership import serving
from slipway.release.promote import keep_boot_documents
from slipway.release.rollout import Rollout
from slipway.release.stage import empty_slots
from slipway.release.switch import switch_to
from slipway.storage.records import Release


@dataclass(frozen=True)
class Recovered:
    """The rollout with head and hosts as they are now, and what was done for that."""

    rollout: Rollout
    what: str | None = None
    """None: nothing was left behind."""


@dataclass(frozen=True)
class WayOut:
    """How an unfinished record is closed."""

    target: int
    """The release that is to serve; 0: none."""
    is_forward: bool
    what: str
    """In words."""


def way_out(record: Release, live: int | None) -> WayOut:
    """Decide between finishing and undoing. `live`: what the head names.

    Before the head moved, the way is back: the release that served before is known to be good. A rollback's
    way is forward: its target was proved before the record was written.
    """
    if record.kind == "rollback" and record.target:
        return WayOut(record.target, True, f"finished the rollback to release {record.target}")
    what = f"undid release {record.number}, which a killed command had left unfinished"
    return WayOut(live or 0, False, what)


def recover(rollout: Rollout) -> Recovered:
    """Finish or undo the newest unfinished record."""
    record = rollout.ledger.unfinished()
    if record is None:
        return Recovered(rollout)
    hosts, way = rollout.hosts, way_out(record, rollout.live)
    head = rollout.head
    with rollout.progress.phase("recover", way.what):
        astray = [
            host for host in hosts.all if serving(rollout.statuses[host.name]) not in (None, way.target)
        ]
        hosts.each(
            astray,
            lambda host: switch_to(rollout, host, way.target, wait=True),
            doing=f"switching to release {way.target}",
        )
        target = rollout.shipment(rollout.ledger.get(way.target)) if way.target else None
        keep_boot_documents(rollout, target)
        if way.is_forward:
            head = rollout.ledger.roll_back(way.target, record=record.number)
            rollout.ledger.event(record.number, "promote", "done", {"told": way.what})
        else:
            empty_slots(rollout, hosts.all, record.number)
            rollout.ledger.end(record.number, "undone", {"told": way.what})
    statuses = hosts.ask(hosts.all, lambda host: host.agent.status())
    return Recovered(replace(rollout, head=head, statuses=statuses), way.what)
