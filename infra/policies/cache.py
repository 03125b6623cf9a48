"""Redis: queues, cache and rate limits."""

from __future__ import annotations

from collections.abc import Iterable

from infra.policies.entries import parameters
from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
PARAMETERS = "aws:elasticache/parameterGroup:ParameterGroup"

SETTINGS = [
    holds(
        "redis-tls", GROUP, "transitEncryptionEnabled", good=True, bad=False,
        says="Connections to Redis are encrypted.", controls=("ElastiCache.5", "I4"), severity="high",
    ),
    holds(
        "redis-tls-required", GROUP, "transitEncryptionMode", good="required", bad="preferred",
        says="Redis takes no connection without TLS.", controls=("ElastiCache.5", "I4"), severity="high",
    ),
    holds(
        "redis-encrypted-at-rest", GROUP, "atRestEncryptionEnabled", good=True, bad=False,
        says="What Redis writes to disk is encrypted.", controls=("ElastiCache.4",), severity="high",
    ),
    holds(
        "redis-fails-over", GROUP, "automaticFailoverEnabled", good=True, bad=False, production_only=True,
        says="Production's Redis fails over by itself.", controls=("ElastiCache.3", "I4"), severity="medium",
    ),
    holds(
        "redis-in-two-zones", GROUP, "multiAzEnabled", good=True, bad=False, production_only=True,
        says="Production's Redis survives the loss of a zone.", controls=("ElastiCache.3", "I4"),
        severity="medium",
    ),
    holds(
        "redis-snapshots", GROUP, "snapshotRetentionLimit", good=7, bad=0,
        when=lambda value: isinstance(value, int) and value >= 1,
        says="Redis is backed up every day.", controls=("ElastiCache.1", "I12"), severity="high",
    ),
    holds(
        "redis-final-snapshot", GROUP, "finalSnapshotIdentifier", good="board-prod-final", bad="",
        when=bool, production_only=True,
        says="Production's Redis leaves a snapshot behind when it is deleted.",
        controls=("ElastiCache.1", "I12"), severity="medium",
    ),
    holds(
        "redis-minor-upgrades", GROUP, "autoMinorVersionUpgrade", good=True, bad=False,
        says="Redis takes security fixes by itself.", controls=("ElastiCache.2",), severity="medium",
    ),
    holds(
        "redis-seven", GROUP, "engineVersion", good="7.1", bad="6.2",
        when=lambda value: str(value).split(".")[0].isdigit() and int(str(value).split(".")[0]) >= 7,
        says="Redis is of version 7 or later.", controls=("I4",), severity="low",
    ),
    holds(
        "redis-later", GROUP, "applyImmediately", good=False, bad=True, absent_is_good=True,
        says="Changes wait for the maintenance window.", controls=("I4",), severity="low",
        production_only=True,
    ),
]  # fmt: skip


def _group(ignored: tuple[str, ...] = ("authToken",), **inputs: object) -> World:
    return world(made(GROUP, inputs=inputs, ignore_changes=ignored))


@rule(
    "redis-password-never-in-state", GROUP,
    controls=("ElastiCache.6", "I4", "I9"), severity="critical",
    remedy="leave auth_token out and ignore its changes: `slipway up` sets it, from the secret store",
    passing=[_group()],
    failing=[_group(authToken="x" * 32), _group(ignored=())],
)  # fmt: skip
def password_never_in_state(group: Resource, _: World) -> Iterable[str]:
    """Redis' password does not pass through Pulumi, and Pulumi does not take it away again."""
    for name in ("authToken", "authTokenWo"):
        if group.inputs.get(name):
            yield f"{name} is given: its value would lie in the state"
    if not any(path.startswith("authToken") for path in group.ignore_changes):
        yield "changes of authToken are not ignored: the next update would take the password away"


@rule(
    "redis-not-sharded", GROUP,
    controls=("I4",), severity="high",
    remedy="set cache.cluster_mode to false: BullMQ cannot use a sharded Redis",
    passing=[_group(), _group(numNodeGroups=1)],
    failing=[_group(numNodeGroups=3), _group(clusterMode="enabled")],
)  # fmt: skip
def not_sharded(group: Resource, _: World) -> Iterable[str]:
    """Redis has one shard, so that queues' scripts find all their keys."""
    if group.inputs.get("clusterMode") in {"enabled", "compatible"}:
        yield f"clusterMode is {group.inputs['clusterMode']}"
    if (group.inputs.get("numNodeGroups") or 1) > 1:
        yield f"numNodeGroups is {group.inputs['numNodeGroups']}"


def _parameters(**values: str) -> World:
    given = [{"name": key.replace("_", "-"), "value": value} for key, value in values.items()]
    return world(made(PARAMETERS, inputs={"family": "redis7", "parameters": given}))


@rule(
    "redis-evicts-nothing", PARAMETERS,
    controls=("I4", "S10"), severity="high",
    remedy="set maxmemory-policy to noeviction: queues lose jobs with any other (bullmq#2215)",
    passing=[_parameters(maxmemory_policy="noeviction")],
    failing=[_parameters(maxmemory_policy="allkeys-lru"), _parameters()],
)  # fmt: skip
def evicts_nothing(group: Resource, _: World) -> Iterable[str]:
    """When memory is full Redis refuses to write, and throws nothing away."""
    values = parameters(group)
    policy = values.get("maxmemory-policy")
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy or 'not set (volatile-lru)'}"
    if values.get("cluster-enabled") == "yes":
        yield "cluster-enabled is yes"


_PARAMETERS = made(PARAMETERS, "own")


@rule(
    "redis-own-parameters", GROUP,
    controls=("I4",), severity="medium", remedy="set parameter_group_name to the stack's own group",
    passing=[world(_PARAMETERS, made(GROUP, links={"parameterGroupName": _PARAMETERS}))],
    failing=[world(_PARAMETERS, made(GROUP, inputs={"parameterGroupName": "default.redis7"}))],
)  # fmt: skip
def own_parameters(group: Resource, stack: World) -> Iterable[str]:
    """Redis uses the stack's own parameter group."""
    if not stack.behind(group, "parameterGroupName", PARAMETERS):
        yield "parameterGroupName is not a parameter group of this stack"


RULES = [*SETTINGS, password_never_in_state, not_sharded, evicts_nothing, own_parameters]
