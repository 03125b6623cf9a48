"""The stack outputs: what platform aws provides to the release pipeline, in their shared model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from infra.aws.cache import PORT as REDIS_PORT, Cache
from infra.aws.database import PORT as DATABASE_PORT, Database as MadeDatabase
from infra.cloudflare.uploads import SECRET as R2_SECRET, Uploads as R2Uploads
from slipway.settings import Bucket, Cloud, Outputs, Redis, SecretStore
from slipway.settings.aws_names import AwsNames
from slipway.settings.outputs import Database, Output as Part

CA_FILE = "/etc/slipway/ca.pem"
"""Authorities on hosts: RDS's own, which certify the database, and the public ones, which certify RDS Proxy,
ElastiCache and S3."""
DATABASE_PASSWORD = "PLATFORM_DATABASE_APP_PASSWORD"  # noqa: S105 - the name of an entry, not its value
OWNER_PASSWORD = "PLATFORM_DATABASE_OWNER_PASSWORD"  # noqa: S105 - the name of an entry, not its value
REDIS_PASSWORD = "PLATFORM_REDIS_PASSWORD"  # noqa: S105 - the name of an entry, not its value


@dataclass(frozen=True)
class CloudParts:
    """The parts of `Outputs.cloud`; None: the stack has no such part."""

    group_names: Mapping[str, Input[str]]
    boot_secret_arns: Mapping[str, Input[str]]
    role_ids: Mapping[str, Input[str]]
    app_role_arn: Input[str] | None
    key_arn: Input[str]
    target_group_arn: Input[str]
    database_secret_arn: Input[str]
    database: MadeDatabase | None
    cache: Cache | None


@dataclass(frozen=True)
class OutputsArgs:
    """The parts of the outputs; None: the stack has no such part."""

    names: AwsNames
    builds_bucket: Input[str]
    uploads: Input[Mapping[str, Any]] | None
    """From `uploads_output`."""
    app_secret_arn: Input[str]
    cloud: CloudParts


class PublishedOutputs(pulumi.ComponentResource):
    """The stack outputs, each field of `Outputs` by its name, and all of them in one SSM parameter.

    slipway and the hosts read the parameter, so neither needs Pulumi's command line or state. It holds names,
    addresses and the locations of secrets, but no secret value.
    """

    fields: dict[str, Output[Any]]

    def __init__(self, name: str, args: OutputsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:PublishedOutputs", name, None, opts)
        stack = args.names.stack
        self.fields = {
            "stack": Output.from_input(stack.name),
            "platform": Output.from_input(stack.platform),
            "url": Output.from_input(f"https://{stack.domain}"),
            "builds": _s3_bucket(args.names, args.builds_bucket),
            "uploads": Output.from_input(args.uploads),
            "database": _database(args.cloud.database),
            "redis": _redis(args.names, args.cloud.cache),
            "secrets": Output.from_input(args.app_secret_arn).apply(
                lambda arn: _plain(SecretStore(kind="aws", location=arn))
            ),
            "cloud": _cloud(args.names, args.cloud),
        }
        for field, info in Outputs.model_fields.items():
            self.fields.setdefault(field, Output.from_input(info.get_default(call_default_factory=True)))
        aws.ssm.Parameter(
            f"{name}-parameter",
            name=args.names.outputs_parameter,
            description=f"What {args.names.fleet} is made of: no secrets",
            type="String",
            tier="Intelligent-Tiering",
            value=Output.all(**self.fields).apply(
                lambda fields: Outputs.model_validate(fields).model_dump_json()
            ),
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})


def uploads_output(
    names: AwsNames, on_s3: Output[str] | None, on_r2: R2Uploads | None
) -> Output[Mapping[str, Any]] | None:
    """Where uploads are kept: the stack's S3 bucket, R2 with its own token, or nowhere."""
    if on_r2 is None:
        return None if on_s3 is None else _s3_bucket(names, on_s3)
    return Output.all(on_r2.bucket, on_r2.access_key).apply(
        lambda known: _plain(
            Bucket(
                bucket=known[0],
                region="auto",
                endpoint=on_r2.endpoint,
                access_key=known[1],
                secret_key_secret=R2_SECRET,
            )
        )
    )


def _s3_bucket(names: AwsNames, bucket: Input[str]) -> Output[Mapping[str, Any]]:
    """A bucket that operators and hosts use with their AWS credentials."""
    return Output.from_input(bucket).apply(lambda name: _plain(Bucket(bucket=name, region=names.region)))


def _database(made: MadeDatabase | None) -> Output[Mapping[str, Any] | None]:
    if made is None:
        return Output.from_input(None)
    name = made.database_name

    def url(role: str, secret: str, host: str) -> str:
        return f"postgres://{role}:${{secret:{secret}}}@{host}:{DATABASE_PORT}/{name}?sslmode=verify-full"

    return Output.all(made.proxy_host or made.endpoint_host, made.endpoint_host).apply(
        lambda hosts: _plain(
            Database(
                url=url(f"{name}_app", DATABASE_PASSWORD, hosts[0]),
                migrate_url=url(f"{name}_owner", OWNER_PASSWORD, hosts[1]),
                app_role=f"{name}_app",
                name=name,
                ca_file=CA_FILE,
            )
        )
    )


def _redis(names: AwsNames, made: Cache | None) -> Output[Mapping[str, Any] | None]:
    if made is None:
        return Output.from_input(None)
    return made.primary_endpoint.apply(
        lambda host: _plain(
            Redis(url=f"rediss://:${{secret:{REDIS_PASSWORD}}}@{host}:{REDIS_PORT}/0", namespace=names.fleet)
        )
    )


def _cloud(names: AwsNames, parts: CloudParts) -> Output[Mapping[str, Any]]:
    database, cache = parts.database, parts.cache
    return Output.all(
        groups=dict(parts.group_names),
        boot_secrets=dict(parts.boot_secret_arns),
        roles=dict(parts.role_ids),
        app_role=parts.app_role_arn or "",
        key=parts.key_arn,
        target_group=parts.target_group_arn,
        database=database.identifier if database else "",
        database_host=database.endpoint_host if database else "",
        master_secret=database.master_secret_arn if database else "",
        database_secret=parts.database_secret_arn if database and database.proxy_host is not None else "",
        cache=cache.id if cache else "",
    ).apply(lambda known: _plain(Cloud(region=names.region, account=names.account, **known)))


def _plain(part: Part) -> Mapping[str, Any]:
    return part.model_dump(mode="json")
