"""Agreement of rights: each role may do what code does in its name, and policies still refuse what they must.

What a table here names is written in infra/aws/iam/ too: one of the two alone is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from infra.policies.reading import statements, table, words
from infra.proofs.facts import Facts, Said, allows

_ROLE, _SECRET, _BUCKET = "aws:iam/role:Role", "aws:secretsmanager/secret:Secret", "aws:s3/bucket:Bucket"
_ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"

_READ = "secretsmanager:DescribeSecret secretsmanager:GetSecretValue"
_SAY = "secretsmanager:DescribeSecret secretsmanager:PutSecretValue secretsmanager:UpdateSecretVersionStage"
_FIND = (
    "autoscaling:DescribeAutoScalingGroups ec2:DescribeInstances elasticloadbalancing:DescribeTargetHealth"
)
_SESSIONS = (
    "ssm:UpdateInstanceInformation ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel"
    " ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel"
)
RIGHTS: tuple[tuple[str, str, str, str], ...] = (
    ("deploy", "s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload", "{builds}/x",
     "keeps builds and the ledger there"),
    ("deploy", "s3:ListBucket", "{builds}", "lists builds and the ledger"),
    ("deploy", _READ, "{app}", "reads the app's secrets"),
    ("deploy", _SAY, "{boot_web}", "says what a new web host starts"),
    ("deploy", _SAY, "{boot_worker}", "says what a new worker starts"),
    ("deploy", "kms:Decrypt kms:GenerateDataKey", "{key}", "reads and writes what the key encrypts"),
    ("deploy", _FIND, "*", "finds the hosts"),
    ("deploy", "rds:CreateDBSnapshot rds:DeleteDBSnapshot rds:AddTagsToResource", "{snapshot}",
     "takes a snapshot before a migration and keeps the newest"),
    ("deploy", "rds:CreateDBSnapshot rds:DescribeDBSnapshots", "{database}",
     "takes a snapshot before a migration"),
    ("deploy", "cloudwatch:DescribeAlarms", "{alarm}", "finds the alarms"),
    ("deploy", "cloudwatch:EnableAlarmActions", "{alarm}", "switches alarms on with the first release"),
    ("deploy", "ssm:GetParameter", "{outputs}", "reads the stack's outputs"),
    ("deploy", "ssm:StartSession ec2-instance-connect:SendSSHPublicKey", "{instance}", "reaches hosts"),
    ("deploy", "ssm:StartSession", "{ssh_document}", "reaches hosts by ssh"),
    ("deploy", "ssm:TerminateSession ssmmessages:OpenDataChannel", "{session}",
     "speaks in and ends its own sessions"),
    ("web worker", "s3:GetObject", "{builds}/x", "fetches builds"),
    ("web worker", "s3:ListBucket", "{builds}", "fetches builds"),
    ("web worker", "s3:PutObject", "{builds}/hosts/${{aws:userid}}", "publishes its ssh key"),
    ("web worker", "kms:Decrypt kms:GenerateDataKey", "{key}", "reads and writes what the key encrypts"),
    ("web worker", "logs:CreateLogStream logs:PutLogEvents", "{logs}", "sends its journal"),
    ("web worker", "cloudwatch:PutMetricData", "*", "publishes metrics"),
    ("web worker", "autoscaling:CompleteLifecycleAction", "{group}", "says that it has drained"),
    ("web worker", "sts:AssumeRole", "{app_role}", "gets the app's credentials"),
    ("web worker", _SESSIONS, "*", "lets operators in"),
    ("web", "secretsmanager:GetSecretValue", "{boot_web}", "reads which release to start"),
    ("worker", "secretsmanager:GetSecretValue", "{boot_worker}", "reads which release to start"),
    ("web", "s3:DeleteObject", "{uploads}/users/pr-1/x", "removes the uploads of a preview that is closed"),
    ("web", "s3:ListBucket", "{uploads}", "finds the uploads of a preview that is closed"),
    ("app", "s3:GetObject s3:PutObject s3:DeleteObject", "{uploads}/users/x", "keeps uploads"),
    ("app", "s3:ListBucket", "{uploads}", "lists uploads"),
    ("app", "kms:Decrypt kms:GenerateDataKey", "{uploads_key}", "reads and writes encrypted uploads"),
    ("app", "ses:SendEmail ses:SendRawEmail", "{mail}", "sends mail"),
    ("app", "ses:SendEmail", "{mail_rules}", "sends mail by the stack's configuration set"),
    ("proxy", "secretsmanager:GetSecretValue", "{database_secret}", "signs in to the database"),
    ("proxy", "kms:Decrypt", "{key}", "reads its encrypted login"),
)  # fmt: skip
"""Roles, actions, on what, and what code does with it. A place that the stack has not is passed over."""

OTHERS = (
    "secretsmanager:*", "kms:CreateGrant kms:Decrypt kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt*", "s3:*",
    "ssm:GetParameter* ssm:PutParameter ssm:DeleteParameter*", "iam:PassRole", "sts:AssumeRole",
)  # fmt: skip
"""What roles that run code are denied on everything that is not theirs, whatever a later policy allows."""
NO_DATA = (
    "ec2:GetConsoleOutput ec2:GetPasswordData kms:Decrypt kms:GenerateDataKey* logs:FilterLogEvents"
    " logs:GetLogEvents logs:StartQuery rds:DownloadDBLogFilePortion secretsmanager:GetSecretValue"
    " ssm:GetParameter* ssm:StartSession ssm:SendCommand sts:AssumeRole",
    "s3:GetObject* s3:ListBucket*",
)
"""What a role that looks at infrastructure is denied: it runs the code of pull requests."""
DENIED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("deploy", "web", "worker", "app", "proxy"), OTHERS), "preview": NO_DATA,
    "web worker": ("s3:PutObject* s3:DeleteObject* s3:PutBucket* s3:DeleteBucket*",),
}  # fmt: skip

_FLEET = "aws:PrincipalTag/slipway:fleet"
_ALL_OF_SECRETS = (
    "secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecretVersionStage"
)
SHUT: dict[str, tuple[tuple[str, str], ...]] = {
    "aws:s3/bucketPolicy:BucketPolicy": (
        ("s3:*", "Bool aws:SecureTransport"), ("s3:*", "NumericLessThan s3:TlsVersion"),
        ("s3:*", f"StringNotEquals {_FLEET}, Null {_FLEET}"),
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": (
        (_ALL_OF_SECRETS, f"StringNotEquals {_FLEET}, Null {_FLEET}"),
        (_ALL_OF_SECRETS, "StringNotEquals aws:PrincipalAccount"),
    ),
    "aws:kms/key:Key": (
        ("kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt*",
         f"StringNotEquals {_FLEET}, Null {_FLEET}"),
    ),
    "aws:sns/topicPolicy:TopicPolicy": (("sns:Publish", "Bool aws:SecureTransport"),),
}  # fmt: skip
"""By type: the actions that its policy denies everyone, and the whole condition under which it does."""

BOUND: tuple[tuple[str, str, str], ...] = (
    ("kms:Decrypt", "", "kms:ViaService"), ("kms:GenerateDataKey", "", "kms:ViaService"),
    ("ssm:StartSession", ":instance/", "ssm:resourceTag/slipway:fleet ssm:SessionDocumentAccessCheck"),
    ("ec2-instance-connect:SendSSHPublicKey", "", "aws:ResourceTag/slipway:fleet ec2:osuser"),
    ("cloudwatch:PutMetricData", "", "cloudwatch:namespace"),
    ("ses:SendEmail", "", "ses:FromAddress"), ("ses:SendRawEmail", "", "ses:FromAddress"),
    ("s3:ListBucket", "uploads-bucket", "s3:prefix"),
)  # fmt: skip
"""Actions that need a condition, a text in their resource, and the keys of that condition."""
_ALL_USES = "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt*"
_ASG, _CALLER = "AWSServiceRoleForAutoScaling", "kms:CallerAccount aws:PrincipalArn"
KEY_USERS: tuple[tuple[str, str, str], ...] = (
    ("logs.", _ALL_USES, "kms:EncryptionContext:aws:logs:arn"),
    ("cloudtrail.amazonaws.com", "kms:GenerateDataKey* kms:DescribeKey", "aws:SourceArn"),
    ("cloudwatch.amazonaws.com", "kms:Decrypt kms:GenerateDataKey*", "aws:SourceAccount"),
    (_ASG, _ALL_USES, _CALLER), (_ASG, "kms:CreateGrant", f"{_CALLER} kms:GrantIsForAWSResource"),
)  # fmt: skip
"""Whom the key serves, by what stands in the statement; what each may do, and the keys of its condition."""
OURS = {
    "aws:SourceAccount", "aws:SourceArn", "aws:PrincipalArn", "kms:EncryptionContext:aws:logs:arn",
}  # fmt: skip
"""By one of these a service of AWS proves for whom it acts; else another account could have it act here.

https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html"""
_LIVES_HERE = {"ec2.amazonaws.com"}
"""A role for instances: only who may pass it can have it used."""


def roles_may_do_their_work(facts: Facts) -> Iterator[Said]:
    """Each role may do what code does in its name, on this stack's own things."""
    places = _places(facts)
    for names, actions, on, what in RIGHTS:
        for name in names.split():
            role = facts.named(f"{facts.fleet}-{name}", _ROLE, "name")
            found = {**places, "group": places["groups"] + f"{facts.fleet}-{name}"}
            if role is None or any(f"{{{key}}}" in on and not value for key, value in found.items()):
                continue
            resource = on.format_map(found)
            for action in actions.split():
                if not allows(facts.policy_of(role), action, resource):
                    yield role, "", f"may not {action} on {resource}: it {what}"


def roles_are_kept_from_the_rest(facts: Facts) -> Iterator[Said]:
    """Each role's policy denies what is not its own, and allows some things under a condition only."""
    for names, denied in DENIED.items():
        for name in names.split():
            role = facts.named(f"{facts.fleet}-{name}", _ROLE, "name")
            if role is None:
                continue
            for action in " ".join(denied).split():
                key = "s3:ResourceAccount" if action == "s3:*" else ""
                if not _denies(facts.policy_of(role), action, key):
                    yield role, "", f"is not denied {action} on what is not its own"
    for policy in facts.graph.of(_ROLE_POLICY):
        for said in statements(policy.inputs.get("policy")):
            for action, where, keys in BOUND if said.get("Effect") == "Allow" else ():
                on = any(where in each for each in words(said.get("Resource")))
                missing = {*keys.split()} - _keys(said)
                if on and action in words(said.get("Action")) and missing:
                    what = f"{said.get('Sid')}: allows {action} whatever {', '.join(sorted(missing))} is"
                    yield policy, "policy", what


def resources_shut_others_out(facts: Facts) -> Iterator[Said]:
    """Policies of buckets, secrets, keys and topics deny what they must."""
    for resource in facts.graph:
        found = statements(resource.inputs.get("policy"))
        # A bucket, and its objects.
        whole = 2 if resource.type == "aws:s3/bucketPolicy:BucketPolicy" else 1
        for actions, condition in SHUT.get(resource.type, ()):
            wanted = {(*each.split(" ", 1),) for each in condition.split(", ")}
            if not any(
                _shuts(said, actions.split(), wanted) and len({*words(said.get("Resource"))}) >= whole
                for said in found
            ):
                yield resource, "policy", f"does not deny everyone {actions} where {condition}"
    key = "aws:PrincipalTag/slipway:role"
    for boot, secret in product(
        ("web", "worker"), facts.graph.of("aws:secretsmanager/secretPolicy:SecretPolicy")
    ):
        if secret.name.endswith(f"boot-{boot}-policy") and not any(
            _shuts(each, _ALL_OF_SECRETS.split(), {("StringNotEquals", key), ("Null", key)})
            and boot in words(table(table(each.get("Condition")).get("StringNotEquals")).get(key))
            for each in statements(secret.inputs.get("policy"))
        ):
            yield secret, "policy", f"does not deny hosts that are no {boot} the boot secret of {boot}"


def services_act_for_us(facts: Facts) -> Iterator[Said]:
    """AWS's services may do what they do for this account, and for no other; the key serves each user."""
    for resource in facts.graph:
        trust = statements(resource.inputs.get("assumeRolePolicy"))
        found = [*statements(resource.inputs.get("policy")), *trust]
        for said in found if resource.type.startswith("aws:") else ():
            service = {*words(table(said.get("Principal")).get("Service"))} - _LIVES_HERE
            if said.get("Effect") == "Allow" and service and not _keys(said) & OURS:
                what = f"{said.get('Sid')}: {', '.join(sorted(service))} may act for any account"
                yield resource, "policy", what
        for said in trust:
            if "AWS" in table(said.get("Principal")) and "aws:PrincipalArn" not in _keys(said):
                yield resource, "assumeRolePolicy", "every principal of the account may take the role"
        for who, actions, keys in KEY_USERS if resource.type == "aws:kms/key:Key" else ():
            if not any(
                each.get("Effect") == "Allow"
                and who in str(each)
                and {*actions.split()} <= {*words(each.get("Action"))}
                and {*keys.split()} <= _keys(each)
                for each in found
            ):
                yield resource, "policy", f"does not let {who} {actions} where {keys}"


def _places(facts: Facts) -> Mapping[str, str]:
    """ARNs by the names that RIGHTS has for them; empty: the stack has none."""

    def address(token: str, named: str) -> str:
        found = facts.named(named, token, "bucket" if token == _BUCKET else "name")
        return f"${{{found.address}.arn}}" if found else ""

    app = f"{facts.fleet}-app"  # an app that uses nothing of AWS has no role
    uploads = address(_BUCKET, f"{facts.fleet}-uploads-{facts.account}")
    key = next((f"${{{each.address}.arn}}" for each in facts.graph.of("aws:kms/key:Key")), "")
    mail = next((each.inputs.get("emailIdentity") for each in facts.graph.of(
        "aws:sesv2/emailIdentity:EmailIdentity")), None)  # fmt: skip
    has_database = any(True for _ in facts.graph.of("aws:rds/instance:Instance"))
    return {
        "builds": address(_BUCKET, f"{facts.fleet}-builds-{facts.account}"),
        "uploads": uploads,
        "uploads_key": key if uploads else "",
        "key": key,
        **{
            each.replace("/", "_"): address(_SECRET, f"{facts.path}/{each}")
            for each in ("app", "boot/web", "boot/worker")
        },
        "database_secret": address(_SECRET, f"{facts.path}/database"),
        "database": facts.arn("rds", f"db:{facts.fleet}") if has_database else "",
        "snapshot": facts.arn("rds", f"snapshot:{facts.fleet}-before-1") if has_database else "",
        "alarm": facts.arn("cloudwatch", f"alarm:{facts.fleet}-no-host"),
        "outputs": facts.arn("ssm", f"parameter/{facts.path}/outputs"),
        "instance": facts.arn("ec2", "instance/i-1"),
        "ssh_document": f"arn:aws:ssm:{facts.region}:x:document/AWS-StartSSHSession",
        "session": facts.arn("ssm", "session/${aws:userid}-1"),
        "logs": facts.arn("logs", f"log-group:/{facts.path}/web:log-stream:x"),
        "groups": facts.arn("autoscaling", "autoScalingGroup:x:autoScalingGroupName/"),
        "app_role": f"arn:aws:iam::{facts.account}:role/{app}" if facts.named(app, _ROLE, "name") else "",
        "mail": facts.arn("ses", f"identity/{mail}") if mail else "",
        "mail_rules": facts.arn("ses", f"configuration-set/{facts.fleet}") if mail else "",
    }


def _denies(policy: list[dict[str, Any]], action: str, key: str = "") -> bool:
    """Does a statement deny `action`, with `key` in its condition? Buckets of AWS's own stay open so."""
    return any(
        said.get("Effect") == "Deny"
        and action in words(said.get("Action"))
        and (not key or key in _keys(said))
        for said in policy
    )


def _shuts(said: Mapping[str, Any], actions: Sequence[str], condition: set[tuple[str, ...]]) -> bool:
    """Does the statement deny everyone these actions, under just this condition?"""
    return (
        said.get("Effect") == "Deny"
        and said.get("Principal") in ("*", {"AWS": "*"})
        and {*actions} <= {*words(said.get("Action"))}
        and {*_conditions(said)} == condition
    )


def _keys(said: Mapping[str, Any]) -> set[str]:
    return {key for _, key in _conditions(said)}


def _conditions(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Operator and key of each comparison."""
    for operator, keys in table(said.get("Condition")).items():
        for key in table(keys):
            yield operator, key


AGREEMENTS = (
    roles_may_do_their_work, roles_are_kept_from_the_rest, resources_shut_others_out, services_act_for_us,
)  # fmt: skip
