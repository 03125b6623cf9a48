"""Recovery: what an earlier command left unfinished is finished or undone by the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from slipway.fleet.fleet import FleetError
from slipway.release.promote import keep_boot_documents
from slipway.release.protocol import Goal, HostView, Way, is_astray, view, way_back, way_out
from slipway.release.rollout import Rollout
from slipway.release.settle import Settled, settle
from slipway.settings import NeedsPerson
from slipway.storage.records import Head, Release


@dataclass(frozen=True)
class Recovered:
    """The rollout with head and hosts as they are now, and what was done for that."""

    rollout: Rollout
    what: str | None = None
    """None: nothing was left behind."""


def recover(rollout: Rollout) -> Recovered:
    """Finish or undo the newest unfinished record, and send astray hosts to what the head names.

    Raises FleetError if hosts could not be asked, after doing what can be done without them. NeedsPerson: a
    host failed; the record stays open, and the next command tries again.
    """
    record, views = rollout.ledger.unfinished(), _views(rollout)
    if record is not None:
        recovered = _close(rollout, record, views)
    elif astray := [name for name, host in views.items() if is_astray(host, rollout.live)]:
        _refuse_lost_ledger(rollout, astray)
        recovered = _send_home(rollout, astray)
    else:
        recovered = Recovered(rollout)
    if rollout.away:
        raise FleetError(rollout.away, recovered.rollout.statuses)
    return recovered


def _refuse_lost_ledger(rollout: Rollout, serving: list[str]) -> None:
    """Raises NeedsPerson if hosts serve a release and the ledger knows none at all: it was lost, not they."""
    if rollout.live is None and rollout.ledger.is_empty:
        raise NeedsPerson(
            f"the ledger of stack {rollout.stack.name} is empty, but {', '.join(serving)} serve a release",
            remedy=f"slipway ledger repair --stack {rollout.stack.name}",
        )


def _close(rollout: Rollout, record: Release, views: Mapping[str, HostView]) -> Recovered:
    way = way_out(record, rollout.live, views.values())
    what = _in_words(way, record)
    head = rollout.head
    with rollout.progress.phase("recover", what):
        settled = settle(rollout, way.goal)
        if way.is_forward and settled.failures and record.target != rollout.live:
            way = way_back(record, rollout.live)
            what = _in_words(way, record)
            rollout.progress.line(f"{'; '.join(settled.reasons(rollout))}: {what}")
            settled = settle(rollout, way.goal)
        _refuse_incomplete(rollout, settled, what)
        if settled.is_complete:
            head = _record(rollout, record, way, what)
    return Recovered(_as_now(rollout, head), what)


def _record(rollout: Rollout, record: Release, way: Way, what: str) -> Head:
    """Boot documents first: a host that starts just now must not come up with another release."""
    release, ledger = way.goal.release, rollout.ledger
    keep_boot_documents(rollout, rollout.shipped(release) if release else None)
    if way.is_forward:
        head = ledger.roll_back(release, record=record.number)
        ledger.event(record.number, "promote", "done", {"recovered": what})
        return head
    ledger.undo(record, release or None, {"recovered": what})
    return rollout.head


def _send_home(rollout: Rollout, astray: list[str]) -> Recovered:
    """Hosts that no open record explains, such as one that was away while all others went back."""
    goal = Goal(rollout.live or 0)
    what = f"sent {', '.join(astray)} to {f'release {goal.release}' if goal.release else 'no release'}"
    with rollout.progress.phase("recover", what):
        _refuse_incomplete(rollout, settle(rollout, goal), what)
    return Recovered(_as_now(rollout, rollout.head), what)


def _refuse_incomplete(rollout: Rollout, settled: Settled, what: str) -> None:
    """Raises NeedsPerson if hosts failed that could be asked when the command began."""
    failed = [name for name in settled.failures if name not in rollout.away]
    if failed:
        raise NeedsPerson(
            f"{', '.join(failed)} failed while this command recovered an earlier one ({what})",
            remedy=settled.remedy(rollout.stack.name),
            details=settled.reasons(rollout),
        )


def _as_now(rollout: Rollout, head: Head) -> Rollout:
    hosts = [host for host in rollout.hosts.all if host.name not in rollout.away]
    return replace(rollout, head=head, statuses=rollout.hosts.ask(hosts, lambda host: host.agent.status()))


def _views(rollout: Rollout) -> Mapping[str, HostView]:
    return {name: view(status) for name, status in rollout.statuses.items()}


def _in_words(way: Way, record: Release) -> str:
    if way.is_forward:
        return f"finished the rollback to release {way.goal.release}"
    if record.kind == "rollback":
        return f"undid the rollback to release {record.target}, which was left unfinished"
    return f"undid release {record.number}, which was left unfinished"
