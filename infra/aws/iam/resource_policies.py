"""Policies of keys, secrets, buckets and topics.

They deny access to roles of other fleets in the account, by tag, even if such a role's own IAM policy is too
wide (I8).
"""

from typing import Any

from infra.aws.iam.document import Statement, arn, bucket_arn, document, iam_arn, other_fleet, partition
from slipway.settings.aws_names import ROLE_TAG, AwsNames

_AUTO_SCALING = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
_USE_KEY = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
NOTIFIERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com", "ses.amazonaws.com")
"""Services that publish to the stack's encrypted topic."""


def key_policy(names: AwsNames) -> dict[str, Any]:
    """Key policy: access by the account's IAM policies, never for other fleets; and AWS's services."""
    account = {"StringEquals": {"aws:SourceAccount": names.account}}
    auto_scaling = {
        "StringEquals": {"kms:CallerAccount": names.account},
        "ArnEquals": {"aws:PrincipalArn": iam_arn(names, _AUTO_SCALING)},
    }
    return document(
        Statement("AccountDecides", ["kms:*"], ["*"], principals={"AWS": iam_arn(names, "root")}),
        Statement(
            "NotOtherFleets", _USE_KEY, ["*"],
            principals={"AWS": "*"}, conditions=other_fleet(names), effect="Deny",
        ),
        Statement(
            "LogGroups", _USE_KEY, ["*"],
            principals={"Service": f"logs.{names.region}.amazonaws.com"},
            conditions={
                "ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn(names, "logs", "log-group:*")}
            },
        ),
        Statement(
            "Notifiers", ["kms:Decrypt", "kms:GenerateDataKey*"], ["*"],
            principals={"Service": list(NOTIFIERS)}, conditions=account,
        ),
        Statement(
            "Trail", ["kms:GenerateDataKey*", "kms:DescribeKey"], ["*"],
            principals={"Service": "cloudtrail.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceArn": trail_arn(names)}},
        ),
        # The role is in the condition: AWS rejects a principal that does not exist yet.
        Statement("HostDisks", _USE_KEY, ["*"], principals={"AWS": "*"}, conditions=auto_scaling),
        Statement(
            "HostDiskGrants", ["kms:CreateGrant"], ["*"], principals={"AWS": "*"},
            conditions={**auto_scaling, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    )  # fmt: skip


def secret_policy(names: AwsNames, role: str | None = None) -> dict[str, Any]:
    """Secret policy: no other fleet or account; with `role`, no host of another role either."""
    key = f"aws:PrincipalTag/{ROLE_TAG}"
    other_role = {"StringNotEquals": {key: role or ""}, "Null": {key: "false"}}
    read = [
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ]
    return document(
        Statement(
            "NotOtherFleets", read, ["*"],
            principals={"AWS": "*"}, conditions=other_fleet(names), effect="Deny",
        ),
        Statement(
            "NotOtherAccounts", read, ["*"], principals={"AWS": "*"}, effect="Deny",
            conditions={"StringNotEquals": {"aws:PrincipalAccount": names.account}},
        ),
        Statement(
            "NotOtherRoles", read, ["*"], principals={"AWS": "*"}, conditions=other_role, effect="Deny"
        )
        if role
        else None,
    )  # fmt: skip


def bucket_policy(names: AwsNames, what: str) -> dict[str, Any]:
    """Bucket policy: TLS 1.2 or later (S3.5), no other fleet; `logs` accepts the load balancer's logs."""
    own = bucket_arn(names, what)
    return document(
        *_sealed(names, own),
        *_log_delivery(names, own) if what == "logs" else (),
    )


def trail_bucket_policy(names: AwsNames) -> dict[str, Any]:
    """Bucket policy of the account's trail: only CloudTrail writes."""
    own = bucket_arn(names, "audit")
    source = {"aws:SourceArn": trail_arn(names)}
    service = "cloudtrail.amazonaws.com"
    return document(
        *_sealed(names, own),
        Statement(
            "TrailAsks", ["s3:GetBucketAcl"], [own],
            principals={"Service": service}, conditions={"StringEquals": source},
        ),
        Statement(
            "TrailWrites", ["s3:PutObject"], [f"{own}/AWSLogs/{names.account}/*"],
            principals={"Service": service},
            conditions={"StringEquals": {**source, "s3:x-amz-acl": "bucket-owner-full-control"}},
        ),
    )  # fmt: skip


def topic_policy(names: AwsNames, topic: str) -> dict[str, Any]:
    """Topic policy: this account's alarms, budgets and mail events may publish, over TLS only."""
    return document(
        Statement(
            "Notifiers", ["sns:Publish"], [topic], principals={"Service": list(NOTIFIERS)},
            conditions={"StringEquals": {"aws:SourceAccount": names.account}},
        ),
        Statement(
            "OnlyTls", ["sns:Publish"], [topic], principals={"AWS": "*"}, effect="Deny",
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
    )  # fmt: skip


def trail_arn(names: AwsNames) -> str:
    """ARN of the stack's trail, needed by its key and bucket before it exists."""
    return arn(names, "cloudtrail", f"trail/{names.fleet}")


def _sealed(names: AwsNames, bucket: str) -> tuple[Statement, ...]:
    everything = [bucket, f"{bucket}/*"]
    return (
        Statement(
            "OnlyTls", ["s3:*"], everything, principals={"AWS": "*"}, effect="Deny",
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
        Statement(
            "OnlyModernTls", ["s3:*"], everything, principals={"AWS": "*"}, effect="Deny",
            conditions={"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        ),
        Statement(
            "NotOtherFleets", ["s3:*"], everything,
            principals={"AWS": "*"}, conditions=other_fleet(names), effect="Deny",
        ),
    )  # fmt: skip


def _log_delivery(names: AwsNames, bucket: str) -> tuple[Statement, ...]:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    folders = [f"{bucket}/AWSLogs/{names.account}/*", f"{bucket}/*/AWSLogs/{names.account}/*"]
    balancers = (
        f"arn:{partition(names.region)}:elasticloadbalancing:{names.region}:{names.account}:loadbalancer/*"
    )
    return (
        Statement(
            "LoadBalancerWrites", ["s3:PutObject"], folders,
            principals={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            conditions={"ArnLike": {"aws:SourceArn": balancers}},
        ),
    )  # fmt: skip
