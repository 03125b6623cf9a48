"""What a local fleet's hosts are doing, as docker sees it; for `slipway doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from slipway.platforms.local.containers import Fleet
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.local.layout import lay_out
from slipway.settings.project import Project


@dataclass(frozen=True)
class HostState:
    """One host: `state` is running, exited, restarting, …, or missing."""

    name: str
    state: str
    since: str = ""
    address: str = ""


@dataclass(frozen=True)
class FleetState:
    """`problem` says why docker cannot tell; then there are no hosts."""

    hosts: tuple[HostState, ...]
    problem: str = ""


def fleet_state(project: Project) -> FleetState:
    """The state of every host that the stack should have, and of any other container of the fleet."""
    binary = find_docker()
    problem = Docker(binary).problem() if binary else "Docker is not installed"
    if binary is None or problem:
        return FleetState((), problem or "")
    states = Fleet(Docker(binary), project).states()
    wanted = [host.name for host in lay_out(project.stack, IPv4Network("192.0.2.0/24"))]
    names = [*wanted, *sorted(states.keys() - set(wanted))]
    return FleetState(
        tuple(
            HostState(name, states[name].state, states[name].since, states[name].address)
            if name in states
            else HostState(name, "missing")
            for name in names
        )
    )
