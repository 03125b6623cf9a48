"""Buckets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from infra.policies.entries import entries, table, texts
from infra.policies.policy_text import is_open, statements, words
from infra.policies.rule import Rule, World, at, holds, made, rule, world
from infra.recording.graph import Resource

BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
ACL = "aws:s3/bucketAcl:BucketAcl"

FOUR = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_BUCKET = made(BUCKET, "uploads")
_SHUT = dict.fromkeys(FOUR, True)

SETTINGS = [
    holds(
        "bucket-never-emptied", BUCKET, "forceDestroy", good=False, bad=True, absent_is_good=True,
        says="Pulumi never empties a bucket.", controls=("I12",), severity="high",
    ),
    holds(
        "bucket-owner-enforced", OWNERSHIP, "rule.objectOwnership", good="BucketOwnerEnforced",
        bad="ObjectWriter", says="ACLs mean nothing: the owner of the bucket owns what is in it.",
        controls=("S3.12",), severity="medium",
    ),
    holds(
        "bucket-versioning-on", VERSIONING, "versioningConfiguration.status", good="Enabled", bad="Suspended",
        says="What is overwritten or deleted can be brought back.", controls=("S3.14", "I12"),
        severity="medium",
    ),
]  # fmt: skip


def _with(type_: str, **inputs: Any) -> World:
    return world(_BUCKET, made(type_, inputs=inputs, links={"bucket": _BUCKET}))


@rule(
    "bucket-shut-to-the-public", BUCKET,
    controls=("S3.1", "S3.2", "S3.3", "S3.8", "I6"), severity="critical",
    remedy="give it a BucketPublicAccessBlock with all four set to true",
    passing=[_with(BLOCK, **_SHUT)],
    failing=[world(_BUCKET), *(_with(BLOCK, **{**_SHUT, each: False}) for each in FOUR)],
)  # fmt: skip
def shut_to_the_public(bucket: Resource, stack: World) -> Iterable[str]:
    """No policy and no ACL can make a bucket public."""
    blocks = stack.linked(bucket, BLOCK, by="bucket")
    if not blocks:
        yield "has no BucketPublicAccessBlock"
    for block in blocks:
        for name in FOUR:
            if block.inputs.get(name) is not True:
                yield f"{name} is {block.inputs.get(name)}"


@rule(
    "bucket-no-public-acl", ACL,
    controls=("S3.2", "S3.3", "S3.12"), severity="critical", remedy="remove the ACL: ownership is enforced",
    passing=[world(_BUCKET)],
    failing=[_with(ACL, acl="public-read")],
)  # fmt: skip
def no_public_acl(acl: Resource, _: World) -> Iterable[str]:
    """Buckets have no ACLs."""
    yield f"ACL {acl.inputs.get('acl', 'given')}"


def _document(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


_TLS_ONLY = _document(
    Effect="Deny", Principal="*", Action="s3:*", Resource="*",
    Condition={"Bool": {"aws:SecureTransport": "false"}},
)  # fmt: skip


@rule(
    "bucket-tls-only", BUCKET,
    controls=("S3.5",), severity="high",
    remedy="deny s3:* to everyone when aws:SecureTransport is false, in the bucket's policy",
    passing=[_with(POLICY, policy=_TLS_ONLY)],
    failing=[
        world(_BUCKET),
        _with(POLICY, policy=_document(Effect="Allow", Principal={"AWS": "1"}, Action="s3:*", Resource="*")),
        _with(POLICY, policy=_TLS_ONLY.replace('"s3:*"', '"s3:GetObject"')),
    ],
)  # fmt: skip
def tls_only(bucket: Resource, stack: World) -> Iterable[str]:
    """A bucket is reached by TLS only."""
    said = [
        one
        for each in stack.linked(bucket, POLICY, by="bucket")
        for one in statements(each.inputs.get("policy"))
    ]
    if not any(_denies_plain(one) for one in said):
        yield "its policy does not refuse plain HTTP"


def _denies_plain(statement: dict[str, Any]) -> bool:
    secure = table(at(statement, "Condition.Bool"))
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and bool({"s3:*", "*"} & set(words(statement.get("Action"))))
        and words(secure.get("aws:SecureTransport")) == ["false"]
    )


@rule(
    "bucket-policy-not-public", POLICY,
    controls=("S3.2", "S3.3", "S3.6", "I6"), severity="critical",
    remedy="allow named principals, or a condition that only they can meet",
    passing=[_with(POLICY, policy=_TLS_ONLY)],
    failing=[
        _with(POLICY, policy=_document(Effect="Allow", Principal="*", Action="s3:GetObject", Resource="*")),
        _with(POLICY, policy=_document(Effect="Allow", Principal={"AWS": ["*"]}, Action="s3:*")),
    ],
)  # fmt: skip
def policy_not_public(policy: Resource, _: World) -> Iterable[str]:
    """A bucket's policy lets in nobody but those it names."""
    for statement in statements(policy.inputs.get("policy")):
        if is_open(statement):
            actions = ", ".join(words(statement.get("Action")))
            yield f"statement {statement.get('Sid', '')} allows everyone {actions}"


def _each_has(id_: str, type_: str, what: str, says: str, controls: tuple[str, ...], **inputs: Any) -> Rule:
    def judge(bucket: Resource, stack: World) -> Iterable[str]:
        if not stack.linked(bucket, type_, by="bucket"):
            yield f"has no {what}"

    judge.__doc__ = says
    return rule(
        id_, BUCKET, controls=controls, severity="medium", remedy=f"give it a {what}",
        passing=[_with(type_, **inputs)], failing=[world(_BUCKET)],
    )(judge)  # fmt: skip


versioned = _each_has(
    "bucket-versioned", VERSIONING, "BucketVersioning", "Every bucket is versioned.", ("S3.14", "I12")
)
tidied = _each_has(
    "bucket-tidied", LIFECYCLE, "BucketLifecycleConfiguration",
    "Old versions and unfinished uploads are thrown away in time.", ("S3.13",),
)  # fmt: skip
owned = _each_has(
    "bucket-owned", OWNERSHIP, "BucketOwnershipControls", "Every bucket's ownership is set.", ("S3.12",)
)
encrypted = _each_has(
    "bucket-encrypted", ENCRYPTION, "BucketServerSideEncryptionConfiguration",
    "Every bucket says how its objects are encrypted.", ("S3.17",),
)  # fmt: skip


@rule(
    "bucket-cors-names-origins", CORS, "cloudflare:index/r2BucketCors:R2BucketCors",
    controls=("I6", "X3"), severity="high", remedy="list every origin, with its scheme",
    passing=[_with(CORS, corsRules=[{"allowedOrigins": ["https://board.example.com"]}])],
    failing=[
        _with(CORS, corsRules=[{"allowedOrigins": ["*"]}]),
        _with(CORS, corsRules=[{"allowedOrigins": ["https://*.example.com"]}]),
        _with(CORS, corsRules=[{"allowedOrigins": ["http://board.example.com"]}]),
        _with("cloudflare:index/r2BucketCors:R2BucketCors", rules=[{"allowed": {"origins": ["*"]}}]),
    ],
)  # fmt: skip
def cors_names_origins(cors: Resource, _: World) -> Iterable[str]:
    """Only named origins may use a bucket from a browser."""
    for each in entries(cors.inputs.get("corsRules")) + entries(cors.inputs.get("rules")):
        for origin in texts(each.get("allowedOrigins") or at(each, "allowed.origins")):
            if "*" in origin or not origin.startswith("https://"):
                yield f"allows origin {origin}"


RULES = [
    *SETTINGS, shut_to_the_public, no_public_acl, tls_only, policy_not_public, versioned, tidied, owned,
    encrypted, cors_names_origins,
]  # fmt: skip
