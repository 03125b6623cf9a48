"""IAM policies of a repository's workflows (GitHub OIDC), and the trust policies of all roles.

Pure functions. `deploy` releases to one stack; it cannot change infrastructure. `preview` reads how a stack's
infrastructure is set up, and none of its data.
"""

from typing import Any

from infra.aws.iam.document import Statement, arn, document, iam_arn, partition
from infra.aws.iam.host_policies import Estate, not_others
from slipway.settings.aws import GitHub
from slipway.settings.aws_names import FLEET_TAG, SETUP_KITS, AwsNames

GITHUB = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
SSH_DOCUMENT = "AWS-StartSSHSession"
SSH_USER = "admin"
"""User of Debian's images."""


def deploy_policy(estate: Estate) -> dict[str, Any]:
    """`slipway release` and `rollback`: builds, ledger, the stack's secrets, sessions on its hosts."""
    names = estate.names
    boot = list(estate.boot_secrets.values())
    instances = arn(names, "ec2", "instance/*")
    tagged = {"StringEquals": {f"aws:ResourceTag/{FLEET_TAG}": names.fleet}}
    via = [f"{service}.{names.region}.amazonaws.com" for service in ("s3", "secretsmanager")]
    return document(
        Statement(
            "Builds", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [f"{estate.builds}/*"],
        ),
        Statement("ListBuilds", ["s3:ListBucket", "s3:GetBucketLocation"], [estate.builds]),
        # What new hosts set themselves up with is the work of `slipway up`.
        Statement(
            "NoSetupKits", ["s3:PutObject*", "s3:DeleteObject*"], [f"{estate.builds}/{SETUP_KITS}/*"],
            effect="Deny",
        ),
        Statement(
            "ReadSecrets", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            [estate.app_secret],
        ),
        # Replaced at every promote, on condition that no newer command did; never read.
        Statement(
            "WriteBootSecrets",
            [
                "secretsmanager:PutSecretValue",
                "secretsmanager:DescribeSecret",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            boot,
        ),
        Statement(
            "UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [estate.key],
            conditions={"StringEquals": {"kms:ViaService": via}},
        ),
        # Actions without resource-level permissions; they list resources, not contents.
        Statement(
            "FindHosts",
            [
                "autoscaling:DescribeAutoScalingGroups",
                "ec2:DescribeInstances",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            ["*"],
        ),
        # Before a migration; the newest are kept.
        Statement(
            "SnapshotBeforeMigration",
            ["rds:CreateDBSnapshot", "rds:DeleteDBSnapshot", "rds:AddTagsToResource"],
            [arn(names, "rds", f"snapshot:{names.fleet}-before-*")],
        ),
        Statement(
            "SnapshotOwnDatabase", ["rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"],
            [arn(names, "rds", f"db:{names.fleet}"), arn(names, "rds", f"snapshot:{names.fleet}-before-*")],
        ),
        # Alarms are silent until the first release is live.
        Statement("FindAlarms", ["cloudwatch:DescribeAlarms"], [arn(names, "cloudwatch", "alarm:*")]),
        Statement(
            "TurnOnAlarms", ["cloudwatch:EnableAlarmActions"],
            [arn(names, "cloudwatch", f"alarm:{names.fleet}-*")],
        ),
        Statement(
            "ReadOutputs", ["ssm:GetParameter"], [arn(names, "ssm", f"parameter{names.outputs_parameter}")],
        ),
        # The check applies the document's permission even if no document is named: such a session would be a
        # shell without an ssh key.
        Statement(
            "StartSessions", ["ssm:StartSession"], [instances],
            conditions={
                "StringEquals": {f"ssm:resourceTag/{FLEET_TAG}": names.fleet},
                "BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"},
            },
        ),
        Statement(
            "OnlySshSessions", ["ssm:StartSession"],
            [f"arn:{partition(names.region)}:ssm:{names.region}:*:document/{SSH_DOCUMENT}"],
        ),
        Statement(
            "EndOwnSessions", ["ssm:TerminateSession", "ssm:ResumeSession", "ssmmessages:OpenDataChannel"],
            [arn(names, "ssm", "session/${aws:userid}-*")],
        ),
        Statement(
            "PushSshKeys", ["ec2-instance-connect:SendSSHPublicKey"], [instances],
            conditions={"StringEquals": {**tagged["StringEquals"], "ec2:osuser": SSH_USER}},
        ),
        *not_others(estate),
    )  # fmt: skip


def preview_policy(estate: Estate) -> dict[str, Any]:
    """`pulumi preview` of a pull request: reads configuration; no objects, values, logs or changes."""
    return document(
        Statement("SeeHowThingsAre", _SEEN, ["*"]),
        Statement("SeeNoData", _DATA, ["*"], effect="Deny"),
        Statement(
            "SeeNoObjects", ["s3:GetObject*", "s3:ListBucket*"],
            [f"arn:{partition(estate.names.region)}:s3:::*-{estate.names.account}*"], effect="Deny",
        ),
    )  # fmt: skip


def github_trust(names: AwsNames, github: GitHub, subject: str) -> dict[str, Any]:
    """Trust policy: only jobs of the repository with exactly this `subject` may assume the role.

    `subject`: `environment:prod` or `pull_request`. With the repository's numbers in the settings, both
    forms of its name are trusted, each to the letter: GitHub writes the numbers into tokens of repositories
    that were created or renamed since 2026-07-15 (aws-actions/configure-aws-credentials#1888).
    """
    said = {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": github_subjects(github, subject)}
    return document(
        Statement(
            "GitHub", ["sts:AssumeRoleWithWebIdentity"],
            principals={"Federated": github_provider(names)}, conditions={"StringEquals": said},
        )
    )  # fmt: skip


def github_subjects(github: GitHub, subject: str) -> str | list[str]:
    """The subjects of the repository's tokens: `repo:acme/board:…`, `repo:acme@12/board@34:…`."""
    plain = f"repo:{github.repository}:{subject}"
    if not (github.owner_id and github.repository_id):
        return plain
    owner, _, name = github.repository.partition("/")
    return [plain, f"repo:{owner}@{github.owner_id}/{name}@{github.repository_id}:{subject}"]


def service_trust(names: AwsNames, service: str) -> dict[str, Any]:
    """Trust policy: only AWS's `service` may assume the role, for this account (no confused deputy)."""
    # EC2 sends no source account when it assumes a host's role.
    account = {} if service.startswith("ec2.") else {"StringEquals": {"aws:SourceAccount": names.account}}
    return document(
        Statement("Service", ["sts:AssumeRole"], principals={"Service": service}, conditions=account)
    )


def github_provider(names: AwsNames) -> str:
    """ARN of the account's identity provider for GitHub."""
    return iam_arn(names, f"oidc-provider/{GITHUB}")


_SEEN = (
    "acm:DescribeCertificate", "acm:ListTagsForCertificate",
    "autoscaling:Describe*",
    "budgets:ListTagsForResource", "budgets:ViewBudget",
    "cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrail*",
    "cloudtrail:ListTags",
    "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
    "ec2:Describe*",
    "elasticache:Describe*", "elasticache:ListTagsForResource",
    "elasticloadbalancing:Describe*",
    "iam:GetInstanceProfile", "iam:GetOpenIDConnectProvider", "iam:GetPolicy*", "iam:GetRole*", "iam:List*",
    "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:List*",
    "logs:Describe*", "logs:ListTags*",
    "rds:Describe*", "rds:ListTagsForResource",
    "route53:Get*", "route53:List*",
    "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration",
    "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
    "ses:Get*Configuration*", "ses:GetEmailIdentity", "ses:ListTagsForResource",
    "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:List*",
    "ssm:DescribeParameters", "ssm:ListTagsForResource",
    "wafv2:Get*", "wafv2:List*",
)  # fmt: skip
_DATA = (
    "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan",
    "ec2:GetConsoleOutput", "ec2:GetPasswordData",
    "kms:Decrypt", "kms:GenerateDataKey*",
    "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery",
    "rds:DownloadDBLogFilePortion",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter*", "ssm:StartSession", "ssm:SendCommand",
    "sts:AssumeRole",
)  # fmt: skip
