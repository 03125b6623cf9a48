"""The state of a local fleet's containers.

`python -m slipway.platforms.local.status <stack>` prints it with the stack outputs as JSON, for the Pulumi
provider of the local fleet (`infra/local/provider.py`).
"""

import json
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network

from slipway.platforms.local.containers import Containers
from slipway.platforms.local.docker import Docker, find_docker
from slipway.platforms.local.network import lay_out
from slipway.settings import OUTPUTS_FILE, Project, SlipwayError, open_project


@dataclass(frozen=True)
class HostState:
    """One host: `state` is running, exited, restarting, …, or missing."""

    name: str
    state: str
    since: str = ""
    address: str = ""


@dataclass(frozen=True)
class FleetState:
    """`problem`: why docker does not answer; then there are no hosts."""

    hosts: tuple[HostState, ...]
    problem: str = ""


def fleet_state(project: Project) -> FleetState:
    """The state of every host that the stack should have, and of any other container of the fleet."""
    binary = find_docker()
    problem = Docker(binary).problem() if binary else "Docker is not installed"
    if binary is None or problem:
        return FleetState((), problem or "")
    states = Containers(Docker(binary), project).states()
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


def report(project: Project) -> dict[str, object]:
    """The fleet as JSON: `outputs` (null before the first `up`), `states` by host, `problem`."""
    try:
        outputs: object = json.loads((project.state_dir / OUTPUTS_FILE).read_bytes())
    except FileNotFoundError:
        outputs = None
    now = fleet_state(project)
    return {
        "outputs": outputs,
        "states": {host.name: host.state for host in now.hosts},
        "problem": now.problem,
    }


def main(stack: str) -> int:
    """Print the report, or the error as every command does with --json. Returns the exit code."""
    try:
        document, code = report(open_project(stack)), 0
    except SlipwayError as error:
        wrong = {"message": error.message, "remedy": error.remedy, "details": list(error.details)}
        document, code = {"error": wrong}, error.exit_code
    sys.stdout.write(json.dumps(document) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
