"""The stack's KMS key and its empty secrets, with the policies of both."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam.document import as_json
from infra.aws.iam.resource_policies import key_policy, secret_policy
from slipway.settings.aws_names import HOST_ROLES, AwsNames

_LEAST_KEY_DAYS = 7
"""KMS keeps a deleted key for 7 days at least; its alias is free at once."""


@dataclass(frozen=True)
class VaultArgs:
    """The stack, and how long a deleted key or secret can be restored."""

    names: AwsNames
    recovery_days: int
    protect: bool = True


class Vault(pulumi.ComponentResource):
    """One KMS key and four Secrets Manager secrets of one stack.

    The key rotates every year (KMS.4); its policy leaves access to the account's IAM policies, but denies it
    to roles of other fleets. The secrets are empty: `slipway secrets` and releases set values, never Pulumi,
    whose state would keep them. Each secret's policy denies access to roles of other fleets and accounts,
    and a boot secret's to hosts of the other role. Deleted keys and secrets can be restored for
    `recovery_days`.
    """

    key_arn: pulumi.Output[str]
    app_secret_arn: pulumi.Output[str]
    database_secret_arn: pulumi.Output[str]
    boot_secret_arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Vault", name, None, opts)
        self._args = args
        names = args.names
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Everything of {names.fleet}",
            enable_key_rotation=True,
            deletion_window_in_days=max(args.recovery_days, _LEAST_KEY_DAYS),
            policy=as_json(key_policy(names)),
            opts=self._kept(),
        )
        aws.kms.Alias(f"{name}-alias", name=names.key_alias, target_key_id=key.key_id, opts=self._child())
        self.key_arn = key.arn
        self.app_secret_arn = self._empty_secret(
            f"{name}-app", names.app_secret, "The app's secrets and the platform's"
        )
        self.database_secret_arn = self._empty_secret(
            f"{name}-database", names.database_secret, "The app's database role, for RDS Proxy"
        )
        self.boot_secret_arns = {
            role: self._empty_secret(
                f"{name}-boot-{role}", names.boot_secret(role), f"What a new {role} host starts", role
            )
            for role in HOST_ROLES
        }
        self.register_outputs({
            "keyArn": self.key_arn,
            "appSecretArn": self.app_secret_arn,
            "databaseSecretArn": self.database_secret_arn,
            "bootSecretArns": self.boot_secret_arns,
        })  # fmt: skip

    def _empty_secret(
        self, name: str, secret_name: str, what: str, role: str | None = None
    ) -> pulumi.Output[str]:
        secret = aws.secretsmanager.Secret(
            name,
            name=secret_name,
            description=what,
            kms_key_id=self.key_arn,
            recovery_window_in_days=self._args.recovery_days,
            opts=self._kept(),
        )
        aws.secretsmanager.SecretPolicy(
            f"{name}-policy",
            secret_arn=secret.arn,
            policy=as_json(secret_policy(self._args.names, role)),
            block_public_policy=True,
            opts=self._child(),
        )
        return secret.arn

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _kept(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, protect=self._args.protect)
