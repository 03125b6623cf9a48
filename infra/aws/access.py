"""Who may connect to what: rules between security groups, each a resource of its own.

A rule inside a security group and one beside it would take each other away at every update.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions


def let_in(
    name: str,
    group_id: pulumi.Input[str],
    clients: Mapping[str, pulumi.Input[str]],
    port: int,
    opts: ResourceOptions,
) -> None:
    """Let each of `clients` (what it is → its security group) connect to `group_id` on `port`."""
    for who, client in clients.items():
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-{who}",
            security_group_id=group_id,
            description=f"From {who}",
            referenced_security_group_id=client,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=opts,
        )
