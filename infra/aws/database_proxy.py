"""The pooler: RDS Proxy, which limits connections to the database and keeps clients through a failover."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.security_groups import let_in
from slipway.settings.aws_names import AwsNames

_PORT = 5432


@dataclass(frozen=True)
class DatabaseProxyArgs:
    """The proxy's database, role, secret, network and clients."""

    names: AwsNames
    vpc_id: pulumi.Input[str]
    subnet_ids: list[Output[str]]
    role_arn: pulumi.Input[str]
    """Role with which it reads the secret."""
    secret_arn: pulumi.Input[str]
    """Secret with the app role's name and password."""
    instance_identifier: pulumi.Input[str]
    database_group_id: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    """By description, the security group of each client that may connect."""


class DatabaseProxy(pulumi.ComponentResource):
    """An RDS Proxy that accepts TLS only (RDS.43) and signs in as the app's role.

    Amazon's public authority issues its certificate, and RDS's own authority the database's: a client that
    verifies (`verify-full`) must trust both, since migrations connect to the database directly. Until
    `slipway up` has filled the secret, the proxy accepts no connection.
    """

    name: Output[str]
    host: Output[str]
    security_group_id: Output[str]

    def __init__(self, name: str, args: DatabaseProxyArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:DatabaseProxy", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        group = self._security_group()
        proxy = aws.rds.Proxy(
            f"{name}-proxy",
            name=args.names.fleet,
            engine_family="POSTGRESQL",
            require_tls=True,
            debug_logging=False,
            idle_client_timeout=1800,
            role_arn=args.role_arn,
            auths=[
                aws.rds.ProxyAuthArgs(
                    auth_scheme="SECRETS",
                    iam_auth="DISABLED",
                    client_password_auth_type="POSTGRES_SCRAM_SHA_256",  # noqa: S106 - a method
                    secret_arn=args.secret_arn,
                )
            ],
            vpc_subnet_ids=args.subnet_ids,
            vpc_security_group_ids=[group.id],
            opts=self._child,
        )
        targets = aws.rds.ProxyDefaultTargetGroup(
            f"{name}-targets",
            db_proxy_name=proxy.name,
            connection_pool_config=aws.rds.ProxyDefaultTargetGroupConnectionPoolConfigArgs(
                # The rest is for migrations and operators, which connect directly.
                max_connections_percent=80,
                max_idle_connections_percent=40,
                connection_borrow_timeout=30,
            ),
            opts=self._child,
        )
        aws.rds.ProxyTarget(
            f"{name}-target",
            db_proxy_name=proxy.name,
            target_group_name=targets.name,
            db_instance_identifier=args.instance_identifier,
            opts=self._child,
        )
        self.name, self.host, self.security_group_id = proxy.name, proxy.endpoint, group.id
        self.register_outputs({"host": self.host})

    def _security_group(self) -> aws.ec2.SecurityGroup:
        args = self._args
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            vpc_id=args.vpc_id,
            description="Proxy of the database",
            tags={"Name": f"{args.names.fleet}-database-proxy"},
            opts=self._child,
        )
        let_in(self._name, group.id, args.clients, _PORT, self._child)
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-to-database",
            security_group_id=group.id,
            description="To the database",
            referenced_security_group_id=args.database_group_id,
            ip_protocol="tcp",
            from_port=_PORT,
            to_port=_PORT,
            opts=self._child,
        )
        return group
