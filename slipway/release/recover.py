"""Recovery: what a killed command left behind is finished or undone by the next one."""

from __future__ import annotations

from slipway.release.keep_documents import keep_boot_documents
from slipway.release.rollout import Rollout
from slipway.release.stage import empty_slots
from slipway.release.switch_to import switch_to


def recover(rollout: Rollout) -> str | None:
    """Finish or undo the newest unfinished record; returns what was done, None if nothing was left.

    Before the head moved, the way is back: the release that served before is known to be good. A rollback's
    way is forward: its target was proved before the record was written.
    """
    record = rollout.ledger.unfinished()
    if record is None:
        return None
    serving = rollout.live or 0
    if record.kind == "rollback" and record.target:
        target, told = record.target, f"finished the rollback to release {record.target}"
    else:
        target, told = serving, f"undid release {record.number}, which a killed command had left unfinished"
    with rollout.progress.phase("recover", told):
        rollout.each(
            [host for host in rollout.app_hosts if _serves_other(rollout, host.name, target)],
            lambda host: switch_to(rollout, host, target, wait=True),
            doing=f"switching to release {target}",
        )
        keep_boot_documents(rollout, rollout.ledger.get(target) if target else None)
        if record.kind == "rollback":
            rollout.head = rollout.ledger.roll_back(target, record=record.number)
            rollout.ledger.event(record.number, "promote", "done", {"told": told})
        else:
            empty_slots(rollout, rollout.app_hosts, record.number)
            rollout.ledger.end(record.number, "undone", {"told": told})
    rollout.statuses = rollout.ask(rollout.app_hosts, lambda host: host.agent.status())
    return told


def _serves_other(rollout: Rollout, host: str, target: int) -> bool:
    status = rollout.statuses[host]
    active = status.slots.get(status.active or "")
    return active is not None and active.release != target
