"""The database: PostgreSQL on RDS, encrypted, backed up, reachable from the stack's own hosts only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.database_proxy import DatabaseProxy, DatabaseProxyArgs
from infra.aws.iam.document import Statement, as_json, document
from infra.aws.limits import FINAL_SNAPSHOT, final_snapshot, retention_days
from infra.aws.security_groups import let_in
from slipway.settings.aws import Database as DatabaseSettings
from slipway.settings.aws_names import AwsNames

PORT = 5432
MASTER = "postgres"
"""The master user: RDS sets and rotates its password; only `slipway up` uses it, to make the app's roles."""
LOGS = ("postgresql", "upgrade")


@dataclass(frozen=True)
class DatabaseArgs:
    """Settings of the database, its network, proxy and clients."""

    names: AwsNames
    settings: DatabaseSettings
    vpc_id: pulumi.Input[str]
    subnet_ids: list[Output[str]]
    """Data subnets, one for each zone."""
    key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    """By description, the security group of each client that may connect."""
    proxy_role_arn: pulumi.Input[str] | None
    """Role with which the proxy reads `proxy_secret_arn`; None: no proxy."""
    proxy_secret_arn: pulumi.Input[str]
    log_days: int
    protect: bool
    """Does Pulumi refuse to delete it?"""


class Database(pulumi.ComponentResource):
    """RDS for PostgreSQL in subnets without a route to the internet, and a proxy in front if set.

    Not public (RDS.2), encrypted with the stack's key (RDS.3), TLS only (RDS.38), a standby if set (RDS.5),
    enhanced monitoring (RDS.6), deletion protection if set (RDS.8), its logs in CloudWatch (RDS.9, RDS.36),
    automated backups that outlive it and carry its tags (RDS.11, RDS.17), automatic minor version upgrades
    (RDS.13). Three protections against deletion, each with its own setting: Pulumi's `protect`, AWS's
    deletion protection, and a final snapshot. RDS keeps the master password in Secrets Manager; Pulumi never
    has its value. `slipway up` makes the app's roles.
    """

    identifier: Output[str]
    endpoint_host: Output[str]
    proxy_host: Output[str] | None
    master_secret_arn: Output[str]
    security_group_id: Output[str]
    database_name: str
    proxy_name: Output[str] | None
    log_group: Output[str]
    """CloudWatch log group of PostgreSQL's log."""

    def __init__(self, name: str, args: DatabaseArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Database", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self.database_name = database_name(args.names)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            vpc_id=args.vpc_id,
            description="PostgreSQL",
            tags={"Name": f"{args.names.fleet}-database"},
            opts=self._child,
        )
        logs = self._logs()
        instance = self._instance(group, logs)
        proxy = self._proxy(instance, group) if args.proxy_role_arn is not None else None
        from_proxy = {"proxy": proxy.security_group_id} if proxy else {}
        let_in(name, group.id, {**args.clients, **from_proxy}, PORT, self._child)
        self.identifier = instance.identifier
        self.endpoint_host = instance.address
        self.proxy_host = proxy.host if proxy else None
        self.proxy_name = proxy.name if proxy else None
        self.log_group = logs[0].name
        self.master_secret_arn = instance.master_user_secrets[0].secret_arn
        self.security_group_id = group.id
        self.register_outputs({"identifier": self.identifier})

    def _instance(
        self, group: aws.ec2.SecurityGroup, logs: list[aws.cloudwatch.LogGroup]
    ) -> aws.rds.Instance:
        name, args, settings = self._name, self._args, self._args.settings
        fleet = args.names.fleet
        return aws.rds.Instance(
            f"{name}-instance",
            identifier=fleet,
            engine="postgres",
            engine_version=settings.version,
            instance_class=settings.type,
            db_name=self.database_name,
            port=PORT,
            username=MASTER,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key_arn,
            storage_type="gp3",
            allocated_storage=settings.storage_gb,
            max_allocated_storage=settings.max_storage_gb,
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            db_subnet_group_name=self._subnets(),
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            multi_az=settings.multi_az,
            parameter_group_name=database_parameters(f"{name}-parameters", args.names, settings, self._child),
            ca_cert_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=settings.backup_days,
            backup_window=settings.backup_window,
            maintenance_window=settings.maintenance_window,
            # Backups of a stack that goes would keep its subnets and its name in the way.
            delete_automated_backups=not settings.final_snapshot,
            copy_tags_to_snapshot=True,
            skip_final_snapshot=not settings.final_snapshot,
            final_snapshot_identifier=final_snapshot(fleet) if settings.final_snapshot else None,
            deletion_protection=settings.deletion_protection,
            # If the settings pin a minor version, RDS must not upgrade it.
            auto_minor_version_upgrade=settings.version == major_version(settings.version),
            allow_major_version_upgrade=False,
            apply_immediately=False,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.key_arn,
            performance_insights_retention_period=settings.insights_days,
            monitoring_interval=60,
            monitoring_role_arn=metrics_role(f"{name}-metrics", args.names, self._child),
            enabled_cloudwatch_logs_exports=list(LOGS),
            opts=ResourceOptions(
                parent=self, protect=args.protect, depends_on=logs, ignore_changes=[FINAL_SNAPSHOT]
            ),
        )

    def _subnets(self) -> Output[str]:
        return aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            name=self._args.names.fleet,
            subnet_ids=self._args.subnet_ids,
            opts=self._child,
        ).name

    def _logs(self) -> list[aws.cloudwatch.LogGroup]:
        """Made here because RDS would make log groups without retention."""
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-log-{log}",
                name=f"/aws/rds/instance/{self._args.names.fleet}/{log}",
                retention_in_days=retention_days(self._args.log_days),
                kms_key_id=self._args.key_arn,
                opts=self._child,
            )
            for log in LOGS
        ]

    def _proxy(self, instance: aws.rds.Instance, group: aws.ec2.SecurityGroup) -> DatabaseProxy:
        args = self._args
        return DatabaseProxy(
            f"{self._name}-proxy",
            DatabaseProxyArgs(
                names=args.names,
                vpc_id=args.vpc_id,
                subnet_ids=args.subnet_ids,
                role_arn=args.proxy_role_arn or "",
                secret_arn=args.proxy_secret_arn,
                instance_identifier=instance.identifier,
                database_group_id=group.id,
                clients=args.clients,
            ),
            self._child,
        )


def database_name(names: AwsNames) -> str:
    """Name of the database and prefix of its roles: unquoted names in PostgreSQL have no hyphens."""
    return names.stack.project.replace("-", "_")


PARAMETERS: tuple[tuple[str, str, Literal["immediate", "pending-reboot"]], ...] = (
    # TLS only (RDS.38).
    ("rds.force_ssl", "1", "immediate"),
    # For operators: connections, slow statements, lock waits, spills to disk.
    ("log_connections", "1", "immediate"),
    ("log_disconnections", "1", "immediate"),
    ("log_min_duration_statement", "500", "immediate"),
    ("log_lock_waits", "1", "immediate"),
    ("log_temp_files", "10240", "immediate"),
    ("log_autovacuum_min_duration", "10000", "immediate"),
    # An abandoned transaction holds locks and blocks vacuum.
    ("idle_in_transaction_session_timeout", "60000", "immediate"),
    ("shared_preload_libraries", "pg_stat_statements", "pending-reboot"),
)
"""Name, value and when it takes effect. Times in milliseconds, sizes in kB."""


def database_parameters(
    name: str, names: AwsNames, settings: DatabaseSettings, opts: ResourceOptions
) -> Output[str]:
    """Make a parameter group of `PARAMETERS`; returns its name.

    The name contains the major version, so that the group of the next version can exist beside it.
    """
    major = major_version(settings.version)
    return aws.rds.ParameterGroup(
        name,
        name=f"{names.fleet}-postgres{major}",
        family=f"postgres{major}",
        description=f"PostgreSQL {major} of {names.fleet}",
        parameters=[
            aws.rds.ParameterGroupParameterArgs(name=parameter, value=value, apply_method=method)
            for parameter, value, method in PARAMETERS
        ],
        opts=opts,
    ).name


def major_version(version: str) -> str:
    """`16` of `16.4`."""
    return version.partition(".")[0]


_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
"""AWS's managed policy: allows writing to the log group RDSOSMetrics only."""


def metrics_role(name: str, names: AwsNames, opts: ResourceOptions) -> Output[str]:
    """Make the role for enhanced monitoring; the ARN is known once its policy is attached."""
    role = aws.iam.Role(
        f"{name}-role",
        name=f"{names.fleet}-metrics",
        description="RDS writes the database machine's metrics",
        assume_role_policy=as_json(
            document(
                Statement(
                    "Rds",
                    ["sts:AssumeRole"],
                    principals={"Service": "monitoring.rds.amazonaws.com"},
                    conditions={"StringEquals": {"aws:SourceAccount": names.account}},
                )
            )
        ),
        opts=opts,
    )
    attached = aws.iam.RolePolicyAttachment(f"{name}-policy", role=role.name, policy_arn=_POLICY, opts=opts)
    return Output.all(role.arn, attached.id).apply(lambda parts: str(parts[0]))
