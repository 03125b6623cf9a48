"""What an account needs before a stack's first `up`: state bucket, key for secrets in it, roles, quotas.

Idempotent: what is there is brought in line or left alone, and nothing is ever deleted.
"""

import json
from pathlib import Path
from typing import Any

from infra.aws.iam.document import partition
from infra.aws.iam.release_policies import AUDIENCE, GITHUB, github_provider, github_trust
from slipway.platforms.aws.account import make_linked_roles, request_increases
from slipway.platforms.aws.offered import choose_zones
from slipway.platforms.aws.session import (
    AwsInput,
    AwsRefused,
    AwsSession,
    check_account,
    names_of,
    session_of,
)
from slipway.platforms.interrupts import interrupts_deferred
from slipway.platforms.platform import Bootstrapped
from slipway.progress import Progress
from slipway.settings import BadInput, Project
from slipway.settings.aws import GitHub
from slipway.settings.aws_names import AwsNames
from slipway.settings.stack_file import add_setting

OLD_STATE_DAYS = 90
"""How long states that were replaced are kept."""
SESSION_SECONDS = 7200
"""Longest session of the role that provisions: a first `up` takes 45 to 60 minutes (provision.yml)."""
ADMINISTRATOR = "iam::aws:policy/AdministratorAccess"
PROVISION = "provision"
"""Ending of the GitHub environment whose jobs provision. Jobs that release have another, and fewer rights."""


def bootstrap(project: Project, progress: Progress) -> Bootstrapped:
    """Make what is missing. BadInput: credentials of another account, or a name that somebody else has."""
    session, names = session_of(project), names_of(project.stack)
    with progress.phase("account"):
        check_account(session, project.stack)
        make_linked_roles(session, progress)
        requested = request_increases(session, project.stack, progress)
    with progress.phase("state"):
        bucket = _state_bucket(session, names, progress)
        alias = _state_key(session, names, progress)
    with progress.phase("zones"):
        zones = _keep_zones(session, project, progress)
    query = f"region={names.region}&awssdk=v2"
    backend, provider = f"s3://{bucket}?{query}", f"awskms://{alias}?{query}"
    todo = [_name_provider(project, provider), zones, *requested]
    github = project.stack.aws.github if project.stack.aws else None
    variables: dict[str, dict[str, str]] = {}
    if github:
        with progress.phase("github"):
            made = _github_provider(session, names, progress)
            role = _provision_role(session, names, github, progress)
        if made and github.provider == "create":
            todo.append(
                f"write slipway:aws.github.provider: existing into Pulumi.{project.stack.name}.yaml: the"
                " account's provider is there now, and `up` could not make a second"
            )
        if not github.repository_id:
            todo.append(
                f"slipway github ids {github.repository}: write both numbers into slipway:aws.github and"
                " repeat this, if the repository was created or renamed since 2026-07-15"
            )
        environment = github.environment or project.stack.name
        deploy = role.removesuffix(f"-{PROVISION}") + "-deploy"
        variables = {
            environment: {"AWS_REGION": names.region, "AWS_ROLE": deploy},
            f"{environment}-{PROVISION}": {
                "AWS_REGION": names.region, "AWS_PROVISION_ROLE": role, "PULUMI_BACKEND_URL": backend,
            },
        }  # fmt: skip
    return Bootstrapped(
        environment={"PULUMI_BACKEND_URL": backend},
        repository=github.repository if github else "",
        variables=variables,
        todo=tuple(each for each in todo if each),
    )


# state


def _state_bucket(session: AwsSession, names: AwsNames, progress: Progress) -> str:
    """The bucket of the engine's state and locks: private, encrypted, versioned, by TLS only."""
    bucket = f"{names.stack.project}-state-{names.account}-{names.region}"
    try:
        session.call("s3", "head_bucket", Bucket=bucket, ExpectedBucketOwner=names.account)
    except (AwsInput, AwsRefused) as refused:
        if refused.code in {"403", "AccessDenied"}:
            raise BadInput(
                f"bucket {bucket} is another account's, or these credentials may not see it"
            ) from None
        if refused.code not in {"404", "NoSuchBucket"}:
            raise
        where = {} if names.region == "us-east-1" else {"LocationConstraint": names.region}
        session.call(
            "s3", "create_bucket", Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {})
        )
        progress.line(f"made bucket {bucket}")
    for operation, given in _bucket_settings(names, bucket).items():
        session.call("s3", operation, Bucket=bucket, **given)
    return bucket


def _bucket_settings(names: AwsNames, bucket: str) -> dict[str, dict[str, Any]]:
    arn = f"arn:{partition(names.region)}:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    old = {"NoncurrentDays": OLD_STATE_DAYS}
    return {
        "put_public_access_block": {
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
            )
        },
        "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
        "put_bucket_encryption": {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            }
        },
        "put_bucket_policy": {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})},
        "put_bucket_lifecycle_configuration": {
            "LifecycleConfiguration": {
                "Rules": [{
                    "ID": "old states end", "Status": "Enabled", "Filter": {"Prefix": ""},
                    "NoncurrentVersionExpiration": old,
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                }]
            }
        },
    }  # fmt: skip


def _state_key(session: AwsSession, names: AwsNames, progress: Progress) -> str:
    """Alias of the key that encrypts what the engine holds to be secret; rotated every year."""
    alias = f"alias/slipway/{names.stack.project}/state"
    try:
        key = session.call("kms", "describe_key", KeyId=alias)["KeyMetadata"]["KeyId"]
    except AwsRefused as refused:
        if refused.code != "NotFoundException":
            raise
        tags = [{"TagKey": "slipway:project", "TagValue": names.stack.project}]
        with interrupts_deferred():  # a key without its alias is paid for, and never found again
            made = session.call(
                "kms", "create_key", Description=f"Pulumi state of {names.stack.project}", Tags=tags
            )
            key = made["KeyMetadata"]["KeyId"]
            session.call("kms", "create_alias", AliasName=alias, TargetKeyId=key)
        progress.line(f"made key {alias}")
    session.call("kms", "enable_key_rotation", KeyId=key)
    return alias


def _name_provider(project: Project, provider: str) -> str:
    """Have Pulumi.<stack>.yaml name the key in place of a passphrase; what is left to do for a person."""
    file: Path = project.root / f"Pulumi.{project.stack.name}.yaml"
    text = file.read_text()
    tops = {line.partition(":")[0]: line for line in text.splitlines() if line[:1].isalpha()}
    if tops.get("secretsprovider") == f"secretsprovider: {provider}":
        return ""
    if "secretsprovider" in tops or "encryptionsalt" in tops:
        return (
            f"{file.name} has another provider of secrets: pulumi stack change-secrets-provider"
            f" --stack {project.stack.name} '{provider}'"
        )
    file.write_text(f"secretsprovider: {provider}\n{text}")
    return f"commit {file.name}, which now names the key in place of a passphrase"


def _keep_zones(session: AwsSession, project: Project, progress: Progress) -> str:
    """Ask AWS once for the stack's zones, and have Pulumi.<stack>.yaml keep them; what is left to do.

    In the settings and not in the engine's state: the drawing, the plan and a review see them, a stack that
    is made again lies where it lay, and nothing has to be ignored when they are changed on purpose.
    """
    stack, aws = project.stack, project.stack.aws
    if aws is None or aws.network.zone_ids:
        return ""
    ids = ", ".join(choose_zones(session, stack, aws))
    file = project.root / f"Pulumi.{stack.name}.yaml"
    if not add_setting(file, ("aws", "network", "zone_ids"), f"[{ids}]"):
        return f"write slipway:aws.network.zone_ids: [{ids}] into {file.name}: `up` makes nothing without it"
    progress.line(f"the stack keeps zones {ids}")
    return f"commit {file.name}, which now names the stack's zones"


# GitHub


def _github_provider(session: AwsSession, names: AwsNames, progress: Progress) -> bool:
    """Was the account's identity provider for GitHub made just now, or by an earlier bootstrap?"""
    arn, mark = github_provider(names), {"Key": "slipway:made-by", "Value": "bootstrap"}
    try:
        found = session.call("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=arn)
    except AwsRefused as refused:
        if refused.code != "NoSuchEntity":
            raise
        given = {"Url": f"https://{GITHUB}", "ClientIDList": [AUDIENCE], "Tags": [mark]}
        session.call("iam", "create_open_id_connect_provider", **given)
        progress.line("made the identity provider for GitHub")
        return True
    if AUDIENCE not in found.get("ClientIDList", []):
        raise BadInput(
            f"the account's identity provider for GitHub does not know the audience {AUDIENCE}",
            remedy="aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn"
            f" {arn} --client-id {AUDIENCE}",
        )
    return mark in found.get("Tags", [])


def _provision_role(session: AwsSession, names: AwsNames, github: GitHub, progress: Progress) -> str:
    """ARN of the role that provisions from one GitHub environment, and from nothing else."""
    environment = f"{github.environment or names.stack.name}-{PROVISION}"
    trust = json.dumps(github_trust(names, github, f"environment:{environment}"))
    name = f"{names.fleet}-{PROVISION}"
    try:
        arn = session.call("iam", "get_role", RoleName=name)["Role"]["Arn"]
    except AwsRefused as refused:
        if refused.code != "NoSuchEntity":
            raise
        tags = [{"Key": key, "Value": value} for key, value in names.tags.items()]
        made = session.call(
            "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags,
            MaxSessionDuration=SESSION_SECONDS,
            Description=f"Provisions {names.fleet} from GitHub environment {environment}",
        )  # fmt: skip
        arn = made["Role"]["Arn"]
        progress.line(f"made role {name}")
    session.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=trust)
    session.call("iam", "update_role", RoleName=name, MaxSessionDuration=SESSION_SECONDS)
    session.call(
        "iam", "attach_role_policy", RoleName=name, PolicyArn=f"arn:{partition(names.region)}:{ADMINISTRATOR}"
    )
    return str(arn)
