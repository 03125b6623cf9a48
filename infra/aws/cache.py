"""Redis: ElastiCache for queues, cache and rate limits."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.limits import FINAL_SNAPSHOT, REPLICATION_GROUP, final_snapshot, retention_days, short_name
from infra.aws.security_groups import let_in
from slipway.settings.aws import Cache as CacheSettings
from slipway.settings.aws_names import AwsNames

PORT = 6379
SHARDS = 2
"""Number of shards in cluster mode."""


def node_suffixes(settings: CacheSettings) -> list[str]:
    """What ElastiCache adds to a group's id for each node: `001`; with shards `0001-001`.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.html
    """
    nodes = [f"{number:03}" for number in range(1, settings.replicas + 2)]
    if not settings.cluster_mode:
        return nodes
    return [f"{shard:04}-{node}" for shard in range(1, SHARDS + 1) for node in nodes]


@dataclass(frozen=True)
class CacheArgs:
    """Settings of Redis, its network and its clients."""

    names: AwsNames
    settings: CacheSettings
    vpc_id: pulumi.Input[str]
    subnet_ids: list[Output[str]]
    """Data subnets, one for each zone."""
    key_arn: pulumi.Input[str]
    clients: Mapping[str, pulumi.Input[str]]
    """By description, the security group of each client that may connect."""
    log_days: int
    protect: bool
    """Does Pulumi refuse to delete it?"""


class Cache(pulumi.ComponentResource):
    """A Redis replication group in subnets without a route to the internet.

    Daily snapshots (ElastiCache.1), automatic minor version upgrades (.2), failover to another zone if it has
    replicas (.3), encryption at rest with the stack's key (.4), TLS required (.5), a password (.6), and
    `noeviction`, so that no queued job is lost when memory is full.

    The password (AUTH token) is not set here: a value that Pulumi knows is stored in its state. The group is
    made with TLS required and without a token, and `slipway up` sets the token (ModifyReplicationGroup:
    ROTATE, then SET) before any host has an env that names this Redis. Pulumi ignores changes of the token,
    so no update removes it; and only the stack's hosts can connect at all.
    """

    id: Output[str]
    primary_endpoint: Output[str]
    security_group_id: Output[str]

    def __init__(self, name: str, args: CacheArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Cache", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            vpc_id=args.vpc_id,
            description="Redis",
            tags={"Name": f"{args.names.fleet}-cache"},
            opts=self._child,
        )
        let_in(name, group.id, args.clients, PORT, self._child)
        redis = self._replication_group(group)
        self.id = redis.replication_group_id
        self.primary_endpoint = (
            redis.configuration_endpoint_address
            if args.settings.cluster_mode
            else redis.primary_endpoint_address
        )
        self.security_group_id = group.id
        self.register_outputs({"id": self.id})

    def _replication_group(self, group: aws.ec2.SecurityGroup) -> aws.elasticache.ReplicationGroup:
        name, args, settings = self._name, self._args, self._args.settings
        fleet, sharded = args.names.fleet, settings.cluster_mode
        several = settings.replicas > 0
        return aws.elasticache.ReplicationGroup(
            f"{name}-redis",
            replication_group_id=short_name(fleet, REPLICATION_GROUP),
            description=f"Redis of {fleet}",
            engine="redis",
            engine_version=settings.version,
            node_type=settings.type,
            num_cache_clusters=None if sharded else 1 + settings.replicas,
            num_node_groups=SHARDS if sharded else None,
            replicas_per_node_group=settings.replicas if sharded else None,
            automatic_failover_enabled=several or sharded,
            multi_az_enabled=several,
            port=PORT,
            parameter_group_name=self._parameters(),
            subnet_group_name=self._subnets(),
            security_group_ids=[group.id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            snapshot_retention_limit=settings.snapshot_days,
            snapshot_window="01:00-02:00",
            maintenance_window="sun:05:00-sun:06:00",
            final_snapshot_identifier=final_snapshot(fleet) if settings.final_snapshot else None,
            auto_minor_version_upgrade=True,
            apply_immediately=False,
            log_delivery_configurations=[
                aws.elasticache.ReplicationGroupLogDeliveryConfigurationArgs(
                    log_type="slow-log",
                    log_format="json",
                    destination_type="cloudwatch-logs",
                    destination=self._log(),
                )
            ],
            opts=ResourceOptions(
                parent=self,
                protect=args.protect,
                ignore_changes=["authToken", "authTokenUpdateStrategy", FINAL_SNAPSHOT],
            ),
        )

    def _parameters(self) -> Output[str]:
        settings, fleet = self._args.settings, self._args.names.fleet
        cluster = "yes" if settings.cluster_mode else "no"
        family = f"redis{settings.version.partition('.')[0]}"
        return aws.elasticache.ParameterGroup(
            f"{self._name}-parameters",
            name=f"{fleet}-{family}",
            family=family,
            description=f"Redis of {fleet}",
            parameters=[
                aws.elasticache.ParameterGroupParameterArgs(name="maxmemory-policy", value=settings.eviction),
                aws.elasticache.ParameterGroupParameterArgs(name="cluster-enabled", value=cluster),
            ],
            opts=self._child,
        ).name

    def _subnets(self) -> Output[str]:
        return aws.elasticache.SubnetGroup(
            f"{self._name}-subnets",
            name=self._args.names.fleet,
            subnet_ids=self._args.subnet_ids,
            opts=self._child,
        ).name

    def _log(self) -> Output[str]:
        return aws.cloudwatch.LogGroup(
            f"{self._name}-log",
            name=self._args.names.log_group("redis"),
            retention_in_days=retention_days(self._args.log_days),
            kms_key_id=self._args.key_arn,
            opts=self._child,
        ).name
