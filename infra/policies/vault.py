"""Keys and secrets."""

from __future__ import annotations

from collections.abc import Iterable

from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

KEY = "aws:kms/key:Key"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a token
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"  # noqa: S105

SETTINGS = [
    holds(
        "key-rotates", KEY, "enableKeyRotation", good=True, bad=False,
        says="The stack's key is renewed every year.", controls=("KMS.4",), severity="medium",
    ),
    holds(
        "key-recoverable", KEY, "deletionWindowInDays", good=30, bad=1,
        when=lambda value: isinstance(value, int) and value >= 7,
        says="A deleted key can be brought back for a week.", controls=("KMS.3",), severity="high",
    ),
    holds(
        "secret-recoverable", SECRET, "recoveryWindowInDays", good=30, bad=0,
        when=lambda value: isinstance(value, int) and value >= 7,
        says="A deleted secret can be brought back for a week.", controls=("I9",),
        severity="high",
    ),
]  # fmt: skip


@rule(
    "no-secret-versions", SECRET_VERSION, "aws:secretsmanager/secretRotation:SecretRotation",
    controls=("I9", "P4"), severity="critical",
    remedy="leave values to `slipway secrets set`: what Pulumi knows lies in its state",
    passing=[world(made(SECRET))], failing=[world(made(SECRET_VERSION, inputs={"secretString": "x"}))],
)  # fmt: skip
def no_versions(_: Resource, __: World) -> Iterable[str]:
    """Pulumi makes the shells of secrets and never a value."""
    yield "would carry a secret's value through the state"


_KEY = made(KEY, "vault-key")


@rule(
    "secret-by-own-key", SECRET,
    controls=("I8", "I9"), severity="medium", remedy="set kms_key_id to the stack's key",
    passing=[world(_KEY, made(SECRET, links={"kmsKeyId": _KEY}))], failing=[world(_KEY, made(SECRET))],
)  # fmt: skip
def by_own_key(secret: Resource, stack: World) -> Iterable[str]:
    """A stack's secrets are encrypted with its own key."""
    if not stack.behind(secret, "kmsKeyId", KEY):
        yield "kmsKeyId is not a key of this stack"


RULES = [*SETTINGS, no_versions, by_own_key]
