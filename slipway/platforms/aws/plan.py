"""What a stack's hosts on AWS are to be set up with, and the digest by which one is known to be so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hosts.plan import FleetPlan, LoadBalancer
from slipway.platforms.aws.ca_bundle import ca_bundle
from slipway.platforms.aws.open import builds_bucket
from slipway.platforms.aws.session import session_of
from slipway.settings.outputs import Outputs, Role
from slipway.settings.project import Project

ROLES: tuple[Role, ...] = ("web", "worker")


def fleet_plan(project: Project, outputs: Outputs, secrets: Mapping[str, str], ca_file: Path) -> FleetPlan:
    """The plan. `ca_file` holds the certificates of RDS' authorities."""
    aws = project.stack.aws
    assert aws is not None, "a stack on AWS has slipway:aws"
    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=project.stack,
        secrets=secrets,
        ca_file=ca_file,
        # The load balancer shows the site's certificate, and no host has one of its own.
        site_pem=Path(os.devnull),
        host_pems={},
        ssh_access="loopback",
        load_balancer=LoadBalancer(aws.network.cidr, aws.load_balancer.idle_seconds),
        hosts_come_and_go=True,
    )


def setup_digests(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
    """By host, the digest that a host has once it was set up for the settings of this moment."""
    from hosts.kit.archive import kit_digest  # noqa: PLC0415 - only a release asks

    bucket = builds_bucket(session_of(project), outputs)
    bundle = ca_bundle(bucket, project.state_dir.resolve(), project.stack.name)
    plan = fleet_plan(project, outputs, secrets, bundle)
    by_role = {role: kit_digest(plan, role) for role in ROLES}
    return {host.name: by_role[host.role] for host in outputs.hosts}
