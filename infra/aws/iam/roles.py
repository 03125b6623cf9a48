"""IAM roles: the hosts', the database proxy's, and those that workflows assume by OIDC."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.iam.document import as_json
from infra.aws.iam.host_policies import Estate, app_policy, app_trust, host_policy, proxy_policy
from infra.aws.iam.release_policies import (
    AUDIENCE,
    GITHUB,
    deploy_policy,
    github_trust,
    preview_policy,
    service_trust,
)
from slipway.settings.aws import GitHub
from slipway.settings.aws_names import HOST_ROLES, ROLE_TAG, AwsNames

_RELEASE_SECONDS = 3600
"""Lifetime of a workflow's credentials: AWS's minimum for a role's maximum session."""


@dataclass(frozen=True)
class IdentityArgs:
    """ARNs of what the roles may use, and who may assume them."""

    names: AwsNames
    key_arn: pulumi.Input[str]
    app_secret_arn: pulumi.Input[str]
    database_secret_arn: pulumi.Input[str]
    boot_secret_arns: Mapping[str, pulumi.Input[str]]
    builds_arn: pulumi.Input[str]
    uploads_arn: pulumi.Input[str] | None = None
    """None: the stack has no uploads bucket on S3."""
    uploads_prefix: str = ""
    """Prefix of the app's uploads: `users/`."""
    mail_domain: str = ""
    """Domain that the app may send from; empty: it sends no mail."""
    github: GitHub | None = None
    proxy: bool = True
    """Is there an RDS Proxy?"""


class Identity(pulumi.ComponentResource):
    """Roles of one stack; none has an access key (IAM.3), each has least privilege (I7).

    web, worker: one role and one instance profile each. app: what the agent on these hosts passes on to the
    app, if it uses S3 or mail. proxy: RDS Proxy's, if there is one. deploy,
    preview: with `github`, assumed by its workflows with OIDC; the trust policies require exactly this
    repository, and its environment (deploy) or a pull request (preview).
    """

    profiles: dict[str, pulumi.Output[str]]
    """ARN of the instance profile, by role."""
    role_arns: dict[str, pulumi.Output[str]]
    role_ids: dict[str, pulumi.Output[str]]
    """Unique id, `AROA…`, by role."""
    app_role_arn: pulumi.Output[str] | None = None
    proxy_role_arn: pulumi.Output[str] | None = None
    deploy_role_arn: pulumi.Output[str] | None = None
    preview_role_arn: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Identity", name, None, opts)
        self._name, self._args = name, args
        self._estate = _estate(args)
        self.profiles, self.role_arns, self.role_ids = {}, {}, {}
        for role in HOST_ROLES:
            self._host_role(role)
        if args.uploads_arn or args.mail_domain:
            self.app_role_arn = self._role("app", app_trust(args.names), app_policy, {ROLE_TAG: "app"}).arn
        if args.proxy:
            trust = service_trust(args.names, "rds.amazonaws.com")
            self.proxy_role_arn = self._role("proxy", trust, proxy_policy).arn
        if args.github:
            self._workflow_roles(args.github)
        self.register_outputs({
            "profiles": self.profiles,
            "roleArns": self.role_arns,
            "deployRoleArn": self.deploy_role_arn,
            "previewRoleArn": self.preview_role_arn,
        })  # fmt: skip

    def _host_role(self, role: str) -> None:
        trust = service_trust(self._args.names, "ec2.amazonaws.com")
        made = self._role(role, trust, lambda estate: host_policy(estate, role), {ROLE_TAG: role})
        profile = aws.iam.InstanceProfile(
            f"{self._name}-{role}-profile",
            name=f"{self._args.names.fleet}-{role}",
            role=made.name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.profiles[role] = profile.arn
        self.role_arns[role] = made.arn
        self.role_ids[role] = made.unique_id

    def _workflow_roles(self, github: GitHub) -> None:
        names = self._args.names
        after: list[pulumi.Resource] = []
        if github.provider == "create":
            after.append(
                aws.iam.OpenIdConnectProvider(
                    f"{self._name}-github",
                    url=f"https://{GITHUB}",
                    client_id_lists=[AUDIENCE],
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        environment = github.environment or names.stack.name
        deploy = github_trust(names, github, f"environment:{environment}")
        preview = github_trust(names, github, "pull_request")
        self.deploy_role_arn = self._role("deploy", deploy, deploy_policy, after=after).arn
        self.preview_role_arn = self._role("preview", preview, preview_policy, after=after).arn

    def _role(
        self,
        what: str,
        trust: Mapping[str, Any],
        policy: Callable[[Estate], Mapping[str, Any]],
        tags: Mapping[str, str] | None = None,
        after: list[pulumi.Resource] | None = None,
    ) -> aws.iam.Role:
        role = aws.iam.Role(
            f"{self._name}-{what}-role",
            name=f"{self._args.names.fleet}-{what}",
            assume_role_policy=as_json(trust),
            max_session_duration=_RELEASE_SECONDS,
            tags={**self._args.names.tags, **(tags or {})},
            opts=pulumi.ResourceOptions(parent=self, depends_on=after or []),
        )
        aws.iam.RolePolicy(
            f"{self._name}-{what}-policy",
            name="slipway",
            role=role.name,
            policy=self._estate.apply(lambda estate: as_json(policy(estate))),
            opts=pulumi.ResourceOptions(parent=role),
        )
        return role


def _estate(args: IdentityArgs) -> pulumi.Output[Estate]:
    roles = sorted(args.boot_secret_arns)

    def resolved(parts: list[str]) -> Estate:
        key, app, database, builds, uploads, *boot = parts
        return Estate(
            names=args.names,
            key=key,
            app_secret=app,
            database_secret=database,
            boot_secrets=dict(zip(roles, boot, strict=True)),
            builds=builds,
            uploads=uploads,
            uploads_prefix=args.uploads_prefix,
            mail_domain=args.mail_domain,
        )

    return pulumi.Output.all(
        args.key_arn,
        args.app_secret_arn,
        args.database_secret_arn,
        args.builds_arn,
        args.uploads_arn or "",
        *(args.boot_secret_arns[role] for role in roles),
    ).apply(resolved)
