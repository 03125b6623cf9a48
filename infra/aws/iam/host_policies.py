"""IAM policies of a stack's hosts and its database proxy: least privilege, and no access to other stacks.

Pure functions from ARNs to policy documents. Every document ends with `not_others`, an explicit deny of all
other stacks' secrets, keys, buckets and parameters, which no policy attached later can override (I7, I8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.aws.iam.document import Statement, arn, document, iam_arn
from slipway.settings.aws_names import HOST_KEYS, HOST_ROLES, AwsNames

METRICS = "slipway"
"""CloudWatch namespace of the hosts' metrics: `slipway/<fleet>`."""


@dataclass(frozen=True)
class Estate:
    """ARNs of what a stack's roles may use."""

    names: AwsNames
    key: str
    app_secret: str
    database_secret: str
    boot_secrets: Mapping[str, str]
    """ARN of the boot secret, by role."""
    builds: str
    uploads: str = ""
    """ARN of the uploads bucket; empty: none on S3."""
    uploads_prefix: str = ""
    """Prefix of the app's uploads: `users/`."""
    mail_domain: str = ""
    """Domain that the app may send from; empty: it sends no mail."""


def host_policy(estate: Estate, role: str) -> dict[str, Any]:
    """A web or worker host: its boot secret, builds, uploads under the prefix, logs, sessions, leaving."""
    names, own_key = estate.names, f"{estate.builds}/{HOST_KEYS}/${{aws:userid}}"
    logs = arn(names, "logs", f"log-group:{names.log_group('*')}")
    return document(
        Statement("ReadOwnBootSecret", _READ_SECRET, [estate.boot_secrets[role]]),
        _use_key(estate, "kms:Decrypt", "kms:GenerateDataKey"),
        Statement("ReadBuilds", ["s3:GetObject"], [f"{estate.builds}/*"]),
        Statement("ListBuilds", ["s3:ListBucket"], [estate.builds]),
        # Who signs the kit that it sets itself up with.
        Statement(
            "ReadSigners", ["ssm:GetParameter"], [arn(names, "ssm", f"parameter{names.setup_parameter}")]
        ),
        Statement("PublishOwnHostKey", ["s3:PutObject"], [own_key]),
        *_uploads(estate),
        Statement(
            "WriteNothingElse",
            ["s3:PutObject*", "s3:DeleteObject*", "s3:PutBucket*", "s3:DeleteBucket*"],
            not_resources=[own_key, *_upload_objects(estate)],
            effect="Deny",
        ),
        Statement(
            "WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"], [logs],
        ),
        Statement(
            "Measure", ["cloudwatch:PutMetricData"], ["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": f"{METRICS}/{names.fleet}"}},
        ),
        # For its own group only: reports that the host has drained.
        Statement("Leave", ["autoscaling:CompleteLifecycleAction"], [_own_group(names, role)]),
        # The agent passes the app's credentials on; the app cannot reach the host's own.
        Statement("ActAsApp", ["sts:AssumeRole"], [app_role(names)]) if has_app_role(estate) else None,
        # What sessions need of AmazonSSMManagedInstanceCore, without its ssm:GetParameter on everything.
        Statement(
            "Sessions",
            [
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
            ],
            ["*"],
        ),
        _mail(estate),
        *not_others(estate, assumes=has_app_role(estate)),
    )  # fmt: skip


def app_policy(estate: Estate) -> dict[str, Any]:
    """The app itself, on every host: uploads under the prefix, mail from its domain, nothing else."""
    return document(
        _use_key(estate, "kms:Decrypt", "kms:GenerateDataKey", services=("s3",)),
        *_uploads(estate),
        _mail(estate),
        *not_others(estate),
    )  # fmt: skip


def app_trust(names: AwsNames) -> dict[str, Any]:
    """Trust policy of the app's role: this stack's hosts only."""
    hosts = [iam_arn(names, f"role/{names.fleet}-{role}") for role in HOST_ROLES]
    return document(
        # In the condition: AWS rejects a principal that does not exist yet.
        Statement(
            "Hosts", ["sts:AssumeRole"], principals={"AWS": iam_arn(names, "root")},
            conditions={"ArnEquals": {"aws:PrincipalArn": hosts}},
        )
    )  # fmt: skip


def app_role(names: AwsNames) -> str:
    """ARN of the app's role."""
    return iam_arn(names, f"role/{names.fleet}-app")


def has_app_role(estate: Estate) -> bool:
    """Does the app use S3 or mail by AWS's credentials?"""
    return bool(estate.uploads or estate.mail_domain)


def proxy_policy(estate: Estate) -> dict[str, Any]:
    """RDS Proxy: the secret with the app role's name and password only."""
    return document(
        Statement("ReadDatabaseSecret", _READ_SECRET, [estate.database_secret]),
        Statement(
            "DecryptIt", ["kms:Decrypt"], [estate.key],
            conditions={"StringEquals": {"kms:ViaService": _via(estate.names, "secretsmanager")}},
        ),
        *not_others(estate),
    )  # fmt: skip


def not_others(estate: Estate, *, assumes: bool = False) -> tuple[Statement, ...]:
    """Denies for everything that does not belong to this stack; `assumes`: except to become the app."""
    names = estate.names
    own = (names.outputs_parameter, names.setup_parameter)
    buckets = [estate.builds, f"{estate.builds}/*"]
    buckets += [estate.uploads, f"{estate.uploads}/*"] if estate.uploads else []
    return (
        Statement(
            "NotOthersSecrets", ["secretsmanager:*"],
            not_resources=[arn(names, "secretsmanager", f"secret:{names.path}/*")], effect="Deny",
        ),
        Statement("NotOthersKeys", _KEY_USES, not_resources=[estate.key], effect="Deny"),
        Statement(
            "NotOthersBuckets", ["s3:*"], not_resources=buckets, effect="Deny",
            # AWS's own buckets, which its agents read, are in other accounts.
            conditions={"StringEquals": {"s3:ResourceAccount": names.account}},
        ),
        Statement(
            "NotOthersParameters", ["ssm:GetParameter*", "ssm:PutParameter", "ssm:DeleteParameter*"],
            not_resources=[arn(names, "ssm", f"parameter{each}") for each in own], effect="Deny",
        ),
        *_no_other_role(names, assumes),
    )  # fmt: skip


def _no_other_role(names: AwsNames, assumes: bool) -> tuple[Statement, ...]:
    every = [iam_arn(names, "role/*")]
    if not assumes:
        return (Statement("NoOtherRole", ["sts:AssumeRole", "iam:PassRole"], every, effect="Deny"),)
    return (
        Statement("NoOtherRole", ["sts:AssumeRole"], not_resources=[app_role(names)], effect="Deny"),
        Statement("NoRolePassed", ["iam:PassRole"], every, effect="Deny"),
    )


_READ_SECRET = ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue")
_KEY_USES = ("kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def _use_key(
    estate: Estate, *actions: str, services: tuple[str, ...] = ("s3", "secretsmanager")
) -> Statement:
    """Use of the key, but only through the services that encrypt with it."""
    via = [_via(estate.names, service) for service in services]
    return Statement("UseKey", actions, [estate.key], conditions={"StringEquals": {"kms:ViaService": via}})


def _uploads(estate: Estate) -> tuple[Statement, ...]:
    if not estate.uploads:
        return ()
    return (
        Statement(
            "Uploads",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            _upload_objects(estate),
        ),
        Statement(
            "ListUploads", ["s3:ListBucket"], [estate.uploads],
            conditions={"StringLike": {"s3:prefix": [f"{estate.uploads_prefix}*"]}},
        ),
    )  # fmt: skip


def _upload_objects(estate: Estate) -> list[str]:
    return [f"{estate.uploads}/{estate.uploads_prefix}*"] if estate.uploads else []


def _own_group(names: AwsNames, role: str) -> str:
    return arn(names, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{names.group(role)}")


def _mail(estate: Estate) -> Statement | None:
    if not estate.mail_domain:
        return None
    resources = [
        arn(estate.names, "ses", f"identity/{estate.mail_domain}"),
        arn(estate.names, "ses", f"configuration-set/{estate.names.fleet}"),
    ]
    return Statement(
        "SendMail", ["ses:SendEmail", "ses:SendRawEmail"], resources,
        conditions={"StringLike": {"ses:FromAddress": f"*@{estate.mail_domain}"}},
    )  # fmt: skip


def _via(names: AwsNames, service: str) -> str:
    return f"{service}.{names.region}.amazonaws.com"
