"""Rollback: back to a release that was promoted before; a switch while its slot is warm.

First it is proved on every host that the target can serve. Only then does any host switch.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from slipway.progress import Progress
from slipway.release.boot import Boot
from slipway.release.phases import Phases, Report
from slipway.release.promote import ReturnTo
from slipway.release.protocol import view
from slipway.release.recover import recover
from slipway.release.rollout import Rollout, open_rollout
from slipway.release.smoke import Smoke
from slipway.release.stage import Stage
from slipway.release.switch import Cutover, Switch, prepare, switch_to
from slipway.settings import BadInput, ReleaseFailed
from slipway.stack import LiveStack
from slipway.storage.records import Release


def go_back(stack: LiveStack, *, to: int | None, wait_seconds: float, progress: Progress) -> Report:
    """Roll the stack back to release `to`, or to the last known good one before the live one."""
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="status") as aside:
        asked = aside.submit(stack.statuses)
        with stack.lease(wait_seconds) as lease:
            rollout = recover(open_rollout(stack, lease, progress, asked.result)).rollout
            return _roll(rollout, to, began)


def _roll(rollout: Rollout, to: int | None, began: float) -> Report:
    target = choose(rollout, to)
    shipment = rollout.shipment(target)
    hosts = [view(rollout.statuses[host.name]) for host in rollout.hosts.all]
    warm = all(host.can_serve(target.number) for host in hosts)
    record = rollout.ledger.create(
        kind="rollback",
        build=target.build,
        config=target.config,
        git_sha=target.git_sha,
        schema_head=target.schema_head,
        migrations=target.migrations,
        contracts=target.contracts,
        target=target.number,
    )
    with Phases(rollout, record) as phases:
        if not warm:
            phases.run(Stage(shipment))
            phases.run(Boot(shipment))
            phases.run(Smoke(shipment))
        cutover = phases.run(SwitchBack(shipment))
        promote = ReturnTo(shipment, record.number)
        phases.run(promote)
    return phases.report({**cutover.web, **promote.joined}, time.monotonic() - began, warm=warm)


class SwitchBack(Switch):
    """All hosts at once, and workers hand over in the background: users have waited long enough."""

    def run(self, rollout: Rollout) -> Cutover:
        hosts, release = rollout.hosts, self.shipment.number
        hosts.take_in_joiners(rollout.live, lambda host: prepare(rollout, self.shipment, host))
        switched = hosts.each(
            hosts.all, lambda host: switch_to(rollout, host, release, back=True), doing="switching"
        )
        return Cutover({host.name: switched[host.name] for host in hosts.web})


def choose(rollout: Rollout, to: int | None) -> Release:
    """The release to go back to: `to`, or the last known good one before the live one.

    BadInput, ReleaseFailed: there is none, or it cannot run any more.
    """
    if rollout.live is None:
        raise BadInput("nothing is live on this stack, so there is nothing to go back from")
    target = _previous(rollout, rollout.live) if to is None else _named(rollout, rollout.live, to)
    _refuse_past_contract(rollout, rollout.live, target)
    return target


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
