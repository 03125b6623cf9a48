"""Membership: the hosts that a command works on, while the platform adds hosts and takes hosts away."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar, cast

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import FleetError, FleetHost
from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.settings import ReleaseFailed, Role
from slipway.stack import LiveStack

T = TypeVar("T")


class Membership:
    """The hosts that run the app. A host that leaves is dropped; one that joins is brought along.

    Where only `slipway up` adds and removes hosts, no question is ever put to the platform.
    """

    def __init__(
        self, stack: LiveStack, names: Collection[str], progress: Progress, warnings: list[str]
    ) -> None:
        self.all = [host for host in stack.app_hosts if host.name in names]
        self._stack, self._progress, self._warnings = stack, progress, warnings

    @property
    def web(self) -> list[FleetHost]:
        """Hosts that take traffic."""
        return self._running("web")

    @property
    def workers(self) -> list[FleetHost]:
        """Hosts that run workers; where roles share a host, it takes traffic too."""
        return self._running("worker")

    @property
    def roles(self) -> list[Role]:
        """Roles of the hosts that run the app's processes."""
        app = self._stack.app
        return sorted({app.role_of(name) for name in app.processes})

    def _running(self, role: Role) -> list[FleetHost]:
        return [host for host in self.all if role in self.roles and host.facts.is_any(role)]

    def each(self, hosts: Sequence[FleetHost], work: Callable[[FleetHost], T], *, doing: str) -> dict[str, T]:
        """Do `work` on all `hosts` at once, with progress; returns results by host name.

        ReleaseFailed: some hosts failed and are still in the fleet. Its details hold the app's last log lines
        where the agent sent some.
        """

        def reported(host: FleetHost) -> T:
            self._progress.host(host.name, f"{doing} …")
            began = time.monotonic()
            result = work(host)
            self._progress.host(host.name, f"{doing} took {time.monotonic() - began:.2f} s")
            return result

        try:
            return self.ask(hosts, reported)
        except FleetError as failure:
            raise self._explain(failure, doing) from failure

    def ask(self, hosts: Sequence[FleetHost], work: Callable[[FleetHost], T]) -> dict[str, T]:
        """As `each`, without progress, and with FleetError for the hosts that fail."""
        fleet = self._stack.fleet
        results = fleet.each_that_stays(hosts, work)
        if not fleet.is_static:
            self._drop_leavers()
        return results

    def take_in_joiners(self, live: int | None, bring: Callable[[FleetHost], T]) -> dict[str, T]:
        """Find the hosts of this moment; call `bring` for each new one and add it. Returns results by name.

        A new host starts, by itself, the release that its boot document names. One that has done so and
        serves `live` is brought along. One that is still starting is left alone: within a minute it finds the
        document of this command's release, which is written before the head moves. A new host that fails does
        not fail the command: it serves what it served, and follows its boot document.
        """
        fleet = self._stack.fleet
        if fleet.is_static:
            return {}
        fleet.refresh()
        self._drop_leavers()
        known, roles = {host.name for host in self.all}, self.roles
        joiners = [host for host in fleet.hosts if host.facts.is_any(*roles) and host.name not in known]

        def bring_one(host: FleetHost) -> T | None:
            if serving(host.agent.status()) != live:
                self._progress.host(host.name, "has joined and is starting; it follows its boot document")
                return None
            self._progress.host(host.name, "has joined; bringing it along")
            return bring(host)

        try:
            results = fleet.each_that_stays(joiners, bring_one)
        except FleetError as failure:
            results = cast("dict[str, T | None]", failure.results)
            for name, error in failure.failures.items():
                why = self._stack.redact(str(error))
                self._warnings.append(f"{name} joined and could not be brought along: {why}")
        brought = {name: result for name, result in results.items() if result is not None}
        self.all = [*self.all, *(host for host in joiners if host.name in brought)]
        return brought

    def cron_kinds(self, host: FleetHost) -> list[str]:
        """Kinds of cron entries that `host` owns: the first web host owns `path`, the first worker `command`.

        Hosts that come and go elect the owner by name (hosts/agent/cron_owner.py); here it must be the same.
        """
        web, workers = self.web, self.workers
        if not self._stack.fleet.is_static:
            web, workers = (sorted(hosts, key=lambda each: each.name) for hosts in (web, workers))
        owners = {"path": (web or workers)[:1], "command": (workers or web)[:1]}
        return [kind for kind, owner in owners.items() if host in owner]

    def _drop_leavers(self) -> None:
        """Go on without the hosts that have left the fleet; ReleaseFailed if no web host is left."""
        here = {host.name for host in self._stack.fleet.hosts}
        gone = [host for host in self.all if host.name not in here]
        if not gone:
            return
        had_web = bool(self.web)
        self.all = [host for host in self.all if host.name in here]
        for host in gone:
            self._progress.host(host.name, "has left the fleet; going on without it")
            self._warnings.append(f"{host.name} left the fleet during this command; it went on without it")
        if had_web and not self.web:
            names = ", ".join(host.name for host in gone)
            raise ReleaseFailed(
                "no web host is left in the fleet",
                details=[f"{names} left during this command"],
                remedy="when new hosts have started (see slipway status), run the command again",
            )

    def _explain(self, failure: FleetError, doing: str) -> ReleaseFailed:
        redact = self._stack.redact
        details: list[str] = []
        for name, error in failure.failures.items():
            details.append(f"{name}: {redact(str(error))}")
            if isinstance(error, AgentError):
                details.extend(f"  | {line}" for line in redact("\n".join(error.log)).splitlines())
        return ReleaseFailed(f"{doing} failed on {', '.join(failure.failures)}", details=details)


def serving(status: Status) -> int | None:
    """The release that a host routes to; None: none."""
    active = status.slots.get(status.active or "")
    return active.release if active else None
