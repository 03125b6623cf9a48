"""Joiners: hosts that came to the fleet while a command was at work are brought along.

A new host starts, by itself, the release that its boot document names. One that has done so is taken through
the same steps as the others. One that is still at it is left alone: it finds the document of this command's
release, which is written before the head moves, within a minute.
"""

from __future__ import annotations

from slipway.fleet.fleet import FleetError, FleetHost
from slipway.fleet.replies import Status, Switched
from slipway.release.leavers import drop_leavers
from slipway.release.rollout import Rollout
from slipway.release.stage import stage_on
from slipway.release.switch_to import switch_to


def take_in_joiners(rollout: Rollout, *, switched: bool) -> None:
    """Look who is there; bring newcomers to where the others are: booted, or `switched` as well.

    A newcomer that fails does not fail the release: it serves what it served, and follows its boot document.
    """
    if rollout.fleet.is_static:
        return
    rollout.fleet.refresh()
    rollout.outputs = rollout.fleet.outputs
    drop_leavers(rollout)
    known = {host.name for host in rollout.app_hosts}
    joiners = [host for host in rollout.fleet.hosts if host.role in rollout.roles and host.name not in known]
    if not joiners:
        return
    _know_the_build(rollout)

    def bring(host: FleetHost) -> Switched | None:
        if not _serves(host.agent.status(), rollout.live):
            rollout.progress.host(host.name, "has joined and is starting; it follows its boot document")
            return None
        rollout.progress.host(host.name, "has joined; bringing it along")
        stage_on(rollout, host)
        host.agent.boot(fence=rollout.lease.fence, release=rollout.number)
        if not switched:
            return Switched(slot=None, switched_ms=0, to=rollout.number)
        return switch_to(rollout, host, rollout.number, wait=host.role != "web")

    try:
        brought = rollout.fleet.each_that_stays(joiners, bring)
    except FleetError as failure:
        brought = {
            name: reply for name, reply in failure.results.items() if isinstance(reply, Switched | None)
        }
        for name, error in failure.failures.items():
            why = rollout.redactor.text(str(error))
            rollout.warnings.append(f"{name} joined and could not be brought along: {why}")
    for host in joiners:
        reply = brought.get(host.name)
        if reply is not None:
            rollout.app_hosts.append(host)
            if switched and host.role == "web":
                rollout.switched[host.name] = reply


def _serves(status: Status, release: int | None) -> bool:
    """Has it started what its boot document names: the live release, or nothing where none was live?"""
    active = status.slots.get(status.active or "")
    return (active.release if active else None) == release


def _know_the_build(rollout: Rollout) -> None:
    """A warm rollback has not looked at its target's build until here: nobody had to be given it."""
    if rollout.build is None and rollout.release is not None:
        rollout.load_build(rollout.release.build)
        rollout.config = rollout.release.config
