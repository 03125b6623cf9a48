"""The fleet: a stack's hosts, and how to work on several at once."""

import resource
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from slipway.fleet.agent import Agent
from slipway.fleet.ssh import Connection
from slipway.settings import Host, Outputs, Role, SlipwayError

T = TypeVar("T")

AT_ONCE = 256
"""The most hosts that are worked on at the same time: each has ssh clients, which share the operator's
processors and take files and memory (`bench/growth.py` shows what a bound costs)."""
_FILES_EACH, _FILES_BESIDE = 8, 128
"""Open files of one exchange with a host, and of all else in this process."""


class FleetError(SlipwayError):
    """Some hosts failed. `failures` and, for the other hosts, `results` are by host name."""

    def __init__(self, failures: Mapping[str, Exception], results: Mapping[str, object]) -> None:
        lines = [f"{name}: {_summary(name, error)}" for name, error in failures.items()]
        total = len(failures) + len(results)
        message = lines[0] if total == 1 else f"{len(failures)} of {total} hosts failed"
        remedies = [e.remedy for e in failures.values() if isinstance(e, SlipwayError) and e.remedy]
        super().__init__(message, remedy=remedies[0] if remedies else "", details=lines)
        self.failures, self.results = dict(failures), dict(results)


def answers(ask: Callable[[], Mapping[str, T]]) -> tuple[Mapping[str, T], Mapping[str, Exception]]:
    """What `ask` returns for the hosts that answered, and why the others did not; by host name."""
    try:
        return ask(), {}
    except FleetError as failure:
        return cast("dict[str, T]", failure.results), failure.failures


class FleetHost:
    """One host: its entry in the stack outputs, its connection, its agent."""

    def __init__(self, facts: Host, connection: Connection) -> None:
        self.facts, self.connection = facts, connection
        self.agent = Agent(connection)

    @property
    def name(self) -> str:
        """Its name, which is also its ssh alias."""
        return self.facts.name

    @property
    def role(self) -> str:
        """Its roles in one word, as people read it."""
        return self.facts.role


class Fleet:
    """All hosts of a stack. Connections open on first use, and ssh keeps them."""

    def __init__(self, outputs: Outputs, discover: Callable[[], Outputs] | None = None) -> None:
        self.outputs = outputs
        self.hosts = [_reached(host, outputs) for host in outputs.hosts]
        self._discover = discover

    @property
    def is_static(self) -> bool:
        """Whether hosts come and go by `slipway up` only."""
        return self._discover is None

    def refresh(self) -> None:
        """Update `hosts` to the current ones; hosts that stay keep their connections.

        Does nothing if static.
        """
        if self._discover is None:
            return
        self.outputs = self._discover()
        known = {host.name: host for host in self.hosts}
        self.hosts = [known.get(host.name) or _reached(host, self.outputs) for host in self.outputs.hosts]

    def by_role(self, role: Role) -> list[FleetHost]:
        """The hosts that have `role`."""
        return [host for host in self.hosts if host.facts.is_any(role)]

    @property
    def web(self) -> list[FleetHost]:
        """The hosts that take traffic."""
        return self.by_role("web")

    @property
    def worker(self) -> list[FleetHost]:
        """The hosts that run workers."""
        return self.by_role("worker")

    def host(self, name: str) -> FleetHost:
        """The host called `name`. Raises KeyError if there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def each(self, hosts: Sequence[FleetHost], work: Callable[[FleetHost], T]) -> dict[str, T]:
        """Do `work` for many hosts at once and return the results by host name.

        Waits for every host, so that FleetError holds all failures. Ctrl-C stops waiting.
        """
        results: dict[str, T] = {}
        failures: dict[str, Exception] = {}
        if not hosts:
            return results
        pool = ThreadPoolExecutor(_at_once(len(hosts)), thread_name_prefix="fleet")
        try:
            futures = [(host, pool.submit(work, host)) for host in hosts]
            for host, future in futures:
                try:
                    results[host.name] = future.result()
                except Exception as error:
                    failures[host.name] = error
        except BaseException:
            for host in hosts:
                host.connection.abort()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if failures:
            raise FleetError(failures, results)
        return results

    def each_that_stays(self, hosts: Sequence[FleetHost], work: Callable[[FleetHost], T]) -> dict[str, T]:
        """As `each`, but a host that fails because it has left the fleet is ignored.

        The current hosts are looked up only after a failure.
        """
        try:
            return self.each(hosts, work)
        except FleetError as failure:
            if self.is_static:
                raise
            self.refresh()
            here = {host.name for host in self.hosts}
            failures = {name: error for name, error in failure.failures.items() if name in here}
            if failures:
                raise FleetError(failures, failure.results) from failure
            return cast("dict[str, T]", failure.results)

    def close(self) -> None:
        self.each(self.hosts, lambda host: host.connection.close())


def _at_once(hosts: int) -> int:
    """How many of `hosts` are worked on at once: as many as open files allow, whose soft limit is raised."""
    wanted = min(hosts, AT_ONCE)
    files = wanted * _FILES_EACH + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(wanted, (soft - _FILES_BESIDE) // _FILES_EACH))
    return wanted


def _reached(host: Host, outputs: Outputs) -> FleetHost:
    sudo = host.ssh_user != "root"
    return FleetHost(host, Connection(host.name, outputs.ssh_config_path, sudo=sudo))


def _summary(name: str, error: Exception) -> str:
    """One line without the host's name; an unexpected exception is given with its type."""
    text = str(error) if isinstance(error, SlipwayError) else f"{type(error).__name__}: {error}"
    first = text.splitlines()[0] if text else type(error).__name__
    return first.removeprefix(f"{name}: ")
