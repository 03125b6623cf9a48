"""Rollback: back to a release that was promoted before; a switch while its slot is warm. And the brake.

First it is proved on every host that the target can serve. Only then does any host switch.

The brake: a rollback does not wait for a release that runs. It takes the lease under a greater fence, writes
that fence into the head and shows it to every host, in this order. From then on the release changes nothing:
its lease is not renewed, ledger and hosts refuse its fence. What it has done by then is known for certain:

- build, publish, migrate, stage, boot, smoke: users still have the release before it. It is undone, and the
  rollback goes back from what users have, as if nothing had run.
- switch, observe, prove, its own undo: users have it, or had it. The rollback goes to the release before it,
  which the head still names, and closes its record. That release ran on today's schema until the switch, so
  no contract migration bars the way.
- promote: the head names it or does not, by one conditional write. If it does, it is the last known good, and
  the rollback goes back from it; if not, see above, and its own write is refused.

Only a release yields like this. Another rollback is waited for: what it does is what this one is for, and
after it this one would go back two releases. So is a recovery, which ends what another command began.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from slipway.fleet.fleet import answers
from slipway.progress import Progress
from slipway.release.boot import Boot
from slipway.release.phases import Phases, Report
from slipway.release.promote import ReturnTo
from slipway.release.protocol import users_have, view
from slipway.release.recover import recover
from slipway.release.rollout import Phase, Rollout, open_rollout
from slipway.release.smoke import Smoke
from slipway.release.stage import Stage
from slipway.release.switch import Cutover, Switch, prepare, switch_to
from slipway.settings import BadInput, ReleaseFailed, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.records import Release


def go_back(stack: LiveStack, *, to: int | None, wait_seconds: float, progress: Progress) -> Report:
    """Roll the stack back to release `to`, or to the last known good one before what users have."""
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="status") as aside:
        asked = aside.submit(stack.statuses)
        if stack.ledger.head().live is None:
            raise _nothing_live()
        with stack.lease(wait_seconds, preempts=True) as lease:
            # What hosts said before another command had ended is of no use.
            statuses = stack.statuses if wait_seconds else asked.result
            return _roll(open_rollout(stack, lease, progress, statuses), to, began)


def _roll(rollout: Rollout, to: int | None, began: float) -> Report:
    stopped = _stop(rollout, to)
    rollout, gone = stopped.rollout, stopped.gone
    if gone is not None and to in (None, rollout.live):
        target = rollout.ledger.get(rollout.live or 0)
    else:
        target, gone = choose(rollout, to), rollout.live
    hosts = [view(rollout.statuses[host.name]) for host in rollout.hosts.all]
    warm = all(host.can_serve(target.number) for host in hosts)
    if not warm:
        _refuse_forged(rollout, target)
    record = rollout.ledger.create(
        kind="rollback",
        build=target.build,
        config=target.config,
        git_sha=target.git_sha,
        dirty=target.dirty,
        schema_head=target.schema_head,
        migrations=target.migrations,
        contracts=target.contracts,
        target=target.number,
        gone=gone,
    )
    shipment = rollout.shipment(target, record)
    with Phases(rollout, record) as phases:
        if not warm:
            phases.run(Stage(shipment))
            phases.run(Boot(shipment))
            phases.run(Smoke(shipment))
        cutover = phases.run(SwitchBack(shipment))
        promote = ReturnTo(shipment, record.number)
        phases.run(promote)
        if stopped.abandoned is not None:
            phases.run(EmptySlots(stopped.abandoned))
    return phases.report({**cutover.web, **promote.joined}, time.monotonic() - began, warm=warm)


@dataclass(frozen=True)
class Stopped:
    """The rollout once nothing of another command is under way."""

    rollout: Rollout
    gone: int | None = None
    """The release that users leave for the live one; None: they have the live one, and are to leave it."""
    abandoned: int | None = None
    """The release that was under way."""


def _stop(rollout: Rollout, to: int | None) -> Stopped:
    """End what is unfinished.

    If all hosts can go back at once from a release under way, that is left to the rollback's own switch;
    otherwise it is undone here, as by any other command. A rollback that was killed is finished here; this
    one wants the same, and does not go back once more.
    """
    running = rollout.ledger.unfinished()
    _note_stop(rollout, running)
    is_release = running is not None and running.kind != "rollback"
    if is_release or rollout.lease.preempted is not None:
        rollout = _fence_hosts(rollout)
    if running is None:
        return Stopped(recover(rollout).rollout)
    if not is_release:
        rollout = recover(rollout).rollout
        return Stopped(rollout, running.gone if rollout.live == running.target else None)
    live, hosts = rollout.live, [view(status) for status in rollout.statuses.values()]
    have = users_have(running, hosts)
    at_once = not rollout.away and live is not None and all(host.can_serve(live) for host in hosts)
    if not (have and at_once and to in (None, live)):
        rollout = recover(rollout).rollout
    return Stopped(rollout, running.number if have or to == live else None, running.number)


def _fence_hosts(rollout: Rollout) -> Rollout:
    """Ask every host again under this command's order: what it says holds, as it obeys no older command."""
    order = rollout.next_order()
    hosts = [host for host in rollout.hosts.all if host.name not in rollout.away]
    statuses, lost = answers(lambda: rollout.hosts.ask(hosts, lambda host: host.agent.status(order=order)))
    return replace(rollout, statuses=statuses, away={**rollout.away, **lost})


def _note_stop(rollout: Rollout, running: Release | None) -> None:
    taken = rollout.lease.preempted
    if taken is not None:
        which = f"release {running.number}" if running else "a release before it had a number"
        what = f"stopped {which} (`{taken.command}` by {taken.owner})"
        rollout.progress.line(what)
        rollout.warnings.append(what)


class SwitchBack(Switch):
    """All hosts at once, and workers hand over in the background: users have waited long enough."""

    def run(self, rollout: Rollout) -> Cutover:
        hosts, shipment = rollout.hosts, self.shipment
        hosts.take_in_joiners(rollout.live, lambda host: prepare(rollout, shipment, host))
        switched = hosts.each(
            hosts.all, lambda host: switch_to(rollout, host, shipment, back=True), doing="switching"
        )
        return Cutover({host.name: switched[host.name] for host in hosts.web})


@dataclass
class EmptySlots(Phase[None]):
    """Where the abandoned release was started and never served, nothing of it stays.

    Where it served, its slot stays warm, so that open requests and sockets end in peace. So it does where
    workers were handing over to it.
    """

    name = "retire"

    abandoned: int

    def run(self, rollout: Rollout) -> None:
        idle = [
            host
            for host in rollout.hosts.all
            if (seen := view(rollout.statuses[host.name])).goes_to is None
            and (slot := seen.holding(self.abandoned))
            and slot.state not in ("live", "warm")
        ]
        try:
            rollout.hosts.each(
                idle,
                lambda host: host.agent.stop(order=rollout.order, release=self.abandoned),
                doing=f"stopping release {self.abandoned}",
            )
        except SlipwayError as failure:
            rollout.warnings.append(f"release {self.abandoned} was not stopped everywhere: {failure.message}")


def choose(rollout: Rollout, to: int | None) -> Release:
    """The release to go back to: `to`, or the last known good one before the live one.

    BadInput, ReleaseFailed: there is none, or it cannot run any more.
    """
    if rollout.live is None:
        raise _nothing_live()
    target = _previous(rollout, rollout.live) if to is None else _named(rollout, rollout.live, to)
    _refuse_past_contract(rollout, rollout.live, target)
    return target


def _nothing_live() -> BadInput:
    return BadInput("nothing is live on this stack, so there is nothing to go back from")


def _previous(rollout: Rollout, live: int) -> Release:
    target = rollout.ledger.previous_good(before=live)
    if target is None:
        raise ReleaseFailed(
            f"release {live} is the only good one; there is none to go back to",
            remedy=f"fix the problem and ship a new release: slipway release --stack {rollout.stack.name}",
        )
    return target


def _named(rollout: Rollout, live: int, to: int) -> Release:
    if to == live:
        raise BadInput(f"release {to} is the live one already")
    target = rollout.ledger.find(to)
    if target is None or target.kind == "rollback" or not target.was_promoted:
        raise BadInput(
            f"release {to} was never promoted on stack {rollout.stack.name}",
            remedy=f"slipway history --stack {rollout.stack.name} shows which were",
        )
    return target


def _refuse_forged(rollout: Rollout, target: Release) -> None:
    """The rollback's record is signed, and its build is what `target` names, which lies in the bucket.

    A warm slot needs no look: hosts compare what is signed with the build that they have in it.
    """
    if not rollout.stack.signing.trusts_record(target):
        raise ReleaseFailed(
            f"release {target.number} is not what was signed under that number: the record "
            "was changed, or its key was taken out since",
            remedy=f"slipway verify {target.number} says more; go back to another one with --to, or ship "
            "the old code as a new release",
        )


def _refuse_past_contract(rollout: Rollout, live: int, target: Release) -> None:
    """A contract migration took away what the target still needs."""
    if target.number > live:
        return
    barred = rollout.ledger.contracts_since(target.number)
    if barred:
        raise ReleaseFailed(
            f"cannot go back to release {target.number}: contract migration {barred[-1]} came after it, "
            "and the older code cannot run on that schema",
            remedy="fix the problem in a new release, or restore the backup taken before the migration",
        )
