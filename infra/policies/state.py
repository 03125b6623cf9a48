"""What the engine keeps and may do: no secret in the state, nothing with data deleted by the way."""

from __future__ import annotations

from collections.abc import Iterable

from infra.policies.rule import World, made, rule, world
from infra.recording.graph import Resource

STATEFUL = (
    "aws:rds/instance:Instance",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:secretsmanager/secret:Secret",
    "cloudflare:index/r2Bucket:R2Bucket",
)
"""What holds data that nobody can make again."""

SECRET_INPUTS = frozenset({
    "password", "passwordWo", "masterPassword", "authToken", "authTokenWo", "secretString", "secretStringWo",
    "secretBinary", "privateKey", "privateKeyWo", "tunnelSecret", "secretText", "clientSecret", "apiToken",
    "apiKey", "secretKey",
})  # fmt: skip
"""Inputs that are secret by nature, at whatever depth."""

_DATABASE = "aws:rds/instance:Instance"


@rule(
    "stateful-protected", *STATEFUL,
    controls=("I12",), severity="high", production_only=True,
    remedy="set protect=True: the engine then refuses to delete or replace it",
    passing=[world(made(_DATABASE, protect=True)), world(made(_DATABASE), purpose="preview")],
    failing=[world(made(each)) for each in STATEFUL],
)  # fmt: skip
def protected(resource: Resource, _: World) -> Iterable[str]:
    """Pulumi refuses to delete what holds production's data."""
    if not resource.protect:
        yield "is not protected"


@rule(
    "never-deleted-first", *STATEFUL,
    controls=("I12",), severity="high", remedy="leave delete_before_replace off",
    passing=[world(made(_DATABASE))], failing=[world(made(_DATABASE, delete_before_replace=True))],
)  # fmt: skip
def never_deleted_first(resource: Resource, _: World) -> Iterable[str]:
    """What holds data is not deleted to make room for its successor."""
    if resource.delete_before_replace:
        yield "is deleted before it is replaced"


@rule(
    "no-secret-inputs", "*",
    controls=("I9", "P4"), severity="critical",
    remedy="leave values to `slipway secrets set`: what Pulumi knows lies in its state, encrypted or not",
    passing=[
        world(made(_DATABASE, inputs={"manageMasterUserPassword": True})),
        world(made("aws:ssm/parameter:Parameter", inputs={"type": "String"}, secret_inputs=("value",))),
    ],
    failing=[
        world(made(_DATABASE, inputs={"password": "hunter2"})),
        world(made("aws:ssm/parameter:Parameter", inputs={"type": "SecureString", "value": "x"})),
        world(made("aws:lambda/function:Function", secret_inputs=("environment.variables.KEY",))),
        world(made("aws:x/y:Y", inputs={"bindings": [{"secretText": "x"}]})),
    ],
)  # fmt: skip
def no_secret_inputs(resource: Resource, _: World) -> Iterable[str]:
    """No resource is given the value of a secret."""
    plain = resource.type == "aws:ssm/parameter:Parameter" and resource.inputs.get("type") == "String"
    for path in resource.secret_inputs:
        if not (plain and path == "value"):  # the SDK marks every parameter's value
            yield f"{path} is a secret value"
    for path in _by_nature(resource.inputs, ""):
        yield f"{path} is given"
    if resource.type == "aws:ssm/parameter:Parameter" and resource.inputs.get("type") == "SecureString":
        yield "a SecureString's value passes through Pulumi"


def _by_nature(value: object, path: str) -> Iterable[str]:
    if isinstance(value, dict):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            place = f"{path}.{key}" if path else str(key)  # pyright: ignore[reportUnknownArgumentType]
            if key in SECRET_INPUTS and each:
                yield place
            yield from _by_nature(each, place)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index, each in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from _by_nature(each, f"{path}[{index}]")  # pyright: ignore[reportUnknownArgumentType]


_BUCKET = made("aws:s3/bucket:Bucket", protect=True)


@rule(
    "no-secret-outputs", "*",
    controls=("I9", "P8"), severity="critical", remedy="export the name of the secret, not its value",
    passing=[world(_BUCKET, outputs={"url": "https://board.example.com"})],
    failing=[world(_BUCKET, outputs={"password": "hunter2"}, secret_outputs=("password",))],
)  # fmt: skip
def no_secret_outputs(resource: Resource, stack: World) -> Iterable[str]:
    """The stack exports no value of a secret."""
    # Told once, beside the first resource: exports belong to the stack.
    if stack.graph.resources and resource is stack.graph.resources[0]:
        for path in stack.graph.secret_outputs:
            yield f"the stack's output {path} is a secret value"


RULES = [protected, never_deleted_first, no_secret_inputs, no_secret_outputs]
