"""Rollback: back to a release that was promoted before; a switch while its slot is warm.

First it is proved on every host that the target can serve. Only then does any host switch.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.release.boot import Boot
from slipway.release.engine import execute
from slipway.release.joiners import take_in_joiners
from slipway.release.phase import Phase
from slipway.release.promoted import move_head
from slipway.release.recover import recover
from slipway.release.report import Report, report_on
from slipway.release.rollout import Options, Rollout, open_rollout
from slipway.release.smoke import Smoke
from slipway.release.stage import Stage
from slipway.release.switch import Switch
from slipway.release.switch_to import switch_to
from slipway.settings.errors import BadInput, ReleaseFailed
from slipway.settings.project import Project
from slipway.stack import LiveStack
from slipway.storage.records import Release


class ReturnTo(Phase):
    """The last write of a rollback: the head names the release that serves again."""

    name = "promote"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Newcomers come along, then the head moves back."""
        take_in_joiners(rollout, switched=True)
        record = rollout.record.number if rollout.record else None
        move_head(rollout, rollout.release, lambda: rollout.ledger.roll_back(rollout.number, record=record))


class RollbackSwitch(Switch):
    """All hosts at once, and workers hand over in the background: users have waited long enough."""

    def run(self, rollout: Rollout) -> None:
        """Switch every host in one go."""
        take_in_joiners(rollout, switched=False)
        switched = rollout.each(
            rollout.app_hosts, lambda host: switch_to(rollout, host, rollout.number), doing="switching"
        )
        web = {host.name for host in rollout.web_hosts}
        rollout.switched = {name: reply for name, reply in switched.items() if name in web}


def go_back(project: Project, *, to: int | None, wait_seconds: float, progress: Progress) -> Report:
    """Roll the stack back to release `to`, or to the last known good one before the live one."""
    began = time.monotonic()
    stack = LiveStack(project)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="status") as aside:
        asked = aside.submit(stack.statuses)
        with stack.lease(wait_seconds) as lease:
            rollout = open_rollout(stack, lease, progress, Options())
            rollout.statuses = asked.result()
            recover(rollout)
            return _roll(rollout, to, began)


def _roll(rollout: Rollout, to: int | None, began: float) -> Report:
    ledger = rollout.ledger
    live = rollout.live
    if live is None:
        raise BadInput("nothing is live on this stack, so there is nothing to go back from")
    target = _choose(rollout, live, to)
    _refuse_past_contract(rollout, live, target)
    warm = all(is_warm(rollout.statuses[host.name], target.number) for host in rollout.app_hosts)
    rollout.release = target
    rollout.record = ledger.create(
        kind="rollback",
        build=target.build,
        config=target.config,
        git_sha=target.git_sha,
        schema_head=target.schema_head,
        migrations=target.migrations,
        contracts=target.contracts,
        target=target.number,
    )
    phases: list[Phase] = [RollbackSwitch(), ReturnTo()]
    if not warm:
        rollout.config = target.config
        rollout.load_build(target.build)
        phases = [Stage(), Boot(), Smoke(), *phases]
    took = execute(rollout, phases)
    return report_on(rollout, target.build, took, time.monotonic() - began, came_from=live, warm=warm)


def is_warm(status: Status, release: int) -> bool:
    """Does the host hold `release` in a slot that could serve this very second?"""
    slot = status.holding(release)
    return slot is not None and slot.is_running


def _choose(rollout: Rollout, live: int, to: int | None) -> Release:
    if to is None:
        target = rollout.ledger.previous_good(before=live)
        if target is None:
            raise ReleaseFailed(
                f"release {live} is the only good one; there is none to go back to",
                remedy=f"mend forward: slipway release --stack {rollout.outputs.stack}",
            )
        return target
    if to == live:
        raise BadInput(f"release {to} is the live one already")
    target = rollout.ledger.find(to)
    if target is None or target.kind == "rollback" or not target.was_promoted:
        raise BadInput(
            f"release {to} was never promoted on stack {rollout.outputs.stack}",
            remedy=f"slipway history --stack {rollout.outputs.stack} shows which were",
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
            remedy="mend forward with a new release, or restore the backup taken before the migration",
        )
