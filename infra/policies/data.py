"""Rules on database, Redis, buckets, secrets and Pulumi's state that need more than one input."""

import re
from collections.abc import Iterable
from typing import Any

from infra.policies.reading import at, entries, is_open, parameters, statements, table, texts, words
from infra.policies.rule import Alone, Together, World
from infra.recording.graph import Resource
from slipway.settings.aws_data_rules import daily_span, overlap, weekly_span
from slipway.settings.controls import tokens as on

PARAMETER = "aws:ssm/parameter:Parameter"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
SECRET_INPUTS = frozenset({
    "password", "passwordWo", "masterPassword", "authToken", "authTokenWo", "secretString", "secretStringWo",
    "secretBinary", "privateKey", "privateKeyWo", "tunnelSecret", "secretText", "clientSecret", "apiToken",
    "apiKey", "secretKey",
})  # fmt: skip
"""Inputs that are secret whatever their value, at any depth."""
_DAILY = re.compile(r"\d\d:\d\d-\d\d:\d\d")
_WEEKLY = re.compile(r"[a-z]{3}:\d\d:\d\d-[a-z]{3}:\d\d:\d\d")


def force_tls(group: Resource) -> Iterable[str]:
    values = parameters(group)
    if values.get("rds.force_ssl") != "1":
        yield f"rds.force_ssl is {values.get('rds.force_ssl', 'not set')}"


def database_parameters(instance: Resource, stack: World) -> Iterable[str]:
    if not stack.behind(instance, "parameterGroupName", on.DATABASE_PARAMETERS):
        yield "parameterGroupName is not a parameter group of this stack"


def database_password(instance: Resource) -> Iterable[str]:
    for name in ("password", "passwordWo"):
        if instance.inputs.get(name):
            yield f"{name} is set: its value would be stored in the state"


def windows_apart(instance: Resource) -> Iterable[str]:
    backup, maintenance = instance.inputs.get("backupWindow"), instance.inputs.get("maintenanceWindow")
    if not backup or not maintenance:
        yield "backupWindow or maintenanceWindow is not set"
    elif _DAILY.fullmatch(str(backup)) and _WEEKLY.fullmatch(str(maintenance)):
        daily, weekly = daily_span(backup), weekly_span(maintenance)
        if daily and weekly and overlap(daily, weekly):
            yield f"backup {backup} overlaps maintenance {maintenance}"


def redis_password(group: Resource) -> Iterable[str]:
    for name in ("authToken", "authTokenWo"):
        if group.inputs.get(name):
            yield f"{name} is set: its value would be stored in the state"
    if not any(path.startswith("authToken") for path in group.ignore_changes):
        yield "changes of authToken are not ignored: the next update would remove the password"


def not_sharded(group: Resource) -> Iterable[str]:
    if group.inputs.get("clusterMode") in {"enabled", "compatible"}:
        yield f"clusterMode is {group.inputs['clusterMode']}"
    if (group.inputs.get("numNodeGroups") or 1) > 1:
        yield f"numNodeGroups is {group.inputs['numNodeGroups']}"


def evicts_nothing(group: Resource) -> Iterable[str]:
    values = parameters(group)
    policy = values.get("maxmemory-policy")
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy or 'not set (volatile-lru)'}"
    if values.get("cluster-enabled") == "yes":
        yield "cluster-enabled is yes"


def redis_parameters(group: Resource, stack: World) -> Iterable[str]:
    if not stack.behind(group, "parameterGroupName", on.REDIS_PARAMETERS):
        yield "parameterGroupName is not a parameter group of this stack"


def shut_to_the_public(bucket: Resource, stack: World) -> Iterable[str]:
    blocks = stack.linked(bucket, on.PUBLIC_ACCESS_BLOCK, by="bucket")
    if not blocks:
        yield "has no BucketPublicAccessBlock"
    for block in blocks:
        for name in BLOCKS:
            if block.inputs.get(name) is not True:
                yield f"{name} is {block.inputs.get(name)}"


def no_public_acl(acl: Resource) -> Iterable[str]:
    yield f"ACL {acl.inputs.get('acl', 'set')}"


def tls_only(bucket: Resource, stack: World) -> Iterable[str]:
    found = [
        statement
        for policy in stack.linked(bucket, on.BUCKET_POLICY, by="bucket")
        for statement in statements(policy.inputs.get("policy"))
    ]
    if not any(_denies_plain(each) for each in found):
        yield "its policy does not deny plain HTTP"


def _denies_plain(statement: dict[str, Any]) -> bool:
    secure = table(at(statement, "Condition.Bool"))
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and bool({"s3:*", "*"} & set(words(statement.get("Action"))))
        and words(secure.get("aws:SecureTransport")) == ["false"]
    )


def policy_not_public(policy: Resource) -> Iterable[str]:
    for statement in statements(policy.inputs.get("policy")):
        if is_open(statement):
            actions = ", ".join(words(statement.get("Action")))
            yield f"statement {statement.get('Sid', '')} allows everyone {actions}"


def has(type_: str) -> Together:
    """The bucket has a resource of `type_`."""

    def judge(bucket: Resource, stack: World) -> Iterable[str]:
        if not stack.linked(bucket, type_, by="bucket"):
            yield f"has no {type_.rpartition(':')[2]}"

    return judge


def cors_names_origins(cors: Resource, stack: World) -> Iterable[str]:
    """Previews' names are known only later: where they have a DNS record, so may have their origins."""
    records = stack.graph.of(on.DNS_RECORD, on.ROUTE53_RECORD) if stack.purpose != "production" else ()
    below = {f"https://{name}" for each in records if (name := str(each.inputs.get("name"))).startswith("*.")}
    for each in entries(cors.inputs.get("corsRules")) + entries(cors.inputs.get("rules")):
        for origin in texts(each.get("allowedOrigins") or at(each, "allowed.origins")):
            if origin not in below and ("*" in origin or not origin.startswith("https://")):
                yield f"allows origin {origin}"


def by_own_key(secret: Resource, stack: World) -> Iterable[str]:
    if not stack.behind(secret, "kmsKeyId", on.KEY):
        yield "kmsKeyId is not a key of this stack"


def no_versions(_: Resource) -> Iterable[str]:
    yield "would store a secret's value in the state"


def protected(resource: Resource) -> Iterable[str]:
    if not resource.protect:
        yield "is not protected"


def never_deleted_first(resource: Resource) -> Iterable[str]:
    if resource.delete_before_replace:
        yield "is deleted before it is replaced"


def no_secret_inputs(resource: Resource) -> Iterable[str]:
    plain = resource.type == PARAMETER and resource.inputs.get("type") == "String"
    for path in resource.secret_inputs:
        if not (plain and path == "value"):  # the SDK marks every parameter's value
            yield f"{path} is a secret value"
    for path in _secret_by_name(resource.inputs, ""):
        yield f"{path} is set"
    if resource.type == PARAMETER and resource.inputs.get("type") == "SecureString":
        yield "a SecureString's value passes through Pulumi"


def _secret_by_name(value: object, path: str) -> Iterable[str]:
    if isinstance(value, dict):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            place = f"{path}.{key}" if path else str(key)  # pyright: ignore[reportUnknownArgumentType]
            if key in SECRET_INPUTS and each:
                yield place
            yield from _secret_by_name(each, place)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, each in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from _secret_by_name(each, f"{path}[{index}]")  # pyright: ignore[reportUnknownArgumentType]


def no_secret_outputs(resource: Resource, stack: World) -> Iterable[str]:
    # Reported once, with the first resource: outputs belong to the stack.
    if stack.graph.resources and resource is stack.graph.resources[0]:
        for path in stack.graph.secret_outputs:
            yield f"the stack's output {path} is a secret value"


ALONE: dict[str, Alone] = {
    "database-force-tls": force_tls,
    "database-password-never-in-state": database_password,
    "database-windows-apart": windows_apart,
    "redis-password-never-in-state": redis_password,
    "redis-not-sharded": not_sharded,
    "redis-evicts-nothing": evicts_nothing,
    "bucket-no-public-acl": no_public_acl,
    "bucket-policy-not-public": policy_not_public,
    "no-secret-versions": no_versions,
    "stateful-protected": protected,
    "never-deleted-first": never_deleted_first,
    "no-secret-inputs": no_secret_inputs,
}
TOGETHER: dict[str, Together] = {
    "database-own-parameters": database_parameters,
    "redis-own-parameters": redis_parameters,
    "bucket-shut-to-the-public": shut_to_the_public,
    "bucket-tls-only": tls_only,
    "bucket-cors-names-origins": cors_names_origins,
    "bucket-owned": has(on.BUCKET_OWNERSHIP),
    "bucket-versioned": has(on.BUCKET_VERSIONING),
    "bucket-tidied": has(on.BUCKET_LIFECYCLE),
    "bucket-encrypted": has(on.BUCKET_ENCRYPTION),
    "secret-by-own-key": by_own_key,
    "no-secret-outputs": no_secret_outputs,
}
