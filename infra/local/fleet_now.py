"""A fleet as it is at this moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slipway.platforms.local.status import FleetState, fleet_state
from slipway.platforms.local.up import OUTPUTS
from slipway.settings.project import open_project

UNKNOWN = "unknown"
"""State of a host of which Docker cannot tell, because it does not run: the next update starts it."""


def read_fleet(root: str, stack: str) -> dict[str, Any] | None:
    """`outputs` and `states` of the fleet; None if nothing of it is left."""
    project = open_project(stack, Path(root))
    try:
        outputs: dict[str, Any] = json.loads((project.state_dir / OUTPUTS).read_bytes())
    except FileNotFoundError:
        outputs = {}
    states = host_states(fleet_state(project), [host["name"] for host in outputs.get("hosts", [])])
    gone = not outputs or all(state == "missing" for state in states.values())
    return None if gone else {"outputs": outputs, "states": states}


def host_states(now: FleetState, known: list[str]) -> dict[str, str]:
    """By host, its state; of the hosts that are `known`, unknown where Docker does not answer. Pure."""
    if now.problem:
        return dict.fromkeys(known, UNKNOWN)
    return {host.name: host.state for host in now.hosts}
