"""What a fleet's hosts are to be set up with: its outputs, the app's needs, secrets and certificates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hosts.plan import FleetPlan
from slipway.platforms.local.ca import ensure_ca, ensure_leaf
from slipway.platforms.local.versitygw import find_versitygw
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


def fleet_plan(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
    """The plan that `up` brings hosts in line with; missing and ending certificates are made."""
    stack = project.stack
    ca = ensure_ca(project.state_dir, project.fleet_id)
    edge = [host.address for host in outputs.by_role("edge")]
    site = [stack.domain, f"uploads.{stack.domain}", *LOOPBACK_NAMES, "::1", *edge]
    pems: dict[str, Path] = {
        host.name: ensure_leaf(project.state_dir, ca, host.name, [host.name, host.address, *LOOPBACK_NAMES])
        for host in outputs.hosts
    }
    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=stack,
        secrets=secrets,
        ca_file=ca.certificate,
        site_pem=ensure_leaf(project.state_dir, ca, "site", site),
        host_pems=pems,
        versitygw=find_versitygw(),
        ssh_access="published",
        edge_names=(*LOOPBACK_NAMES, *edge, *(host.name for host in outputs.by_role("edge"))),
    )
