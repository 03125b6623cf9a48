"""What a stack on platform aws consists of, in the order in which its parts depend on each other."""

from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws
from pulumi import ProviderResource, ResourceOptions

from infra.aws.alarms import Alarms, AlarmsArgs
from infra.aws.audit import Audit, AuditArgs
from infra.aws.buckets import Storage, StorageArgs
from infra.aws.budget import Budget, BudgetArgs
from infra.aws.cache import Cache, CacheArgs, node_suffixes
from infra.aws.compute import Compute, ComputeArgs, deregistration_seconds
from infra.aws.database import Database, DatabaseArgs
from infra.aws.domain import Certificate, CertificateArgs, SiteName, SiteNameArgs, proof_records
from infra.aws.iam.roles import Identity, IdentityArgs
from infra.aws.listeners import Listeners, ListenersArgs
from infra.aws.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.aws.mail import Mail, MailArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.outputs import CloudParts, OutputsArgs, PublishedOutputs, uploads_output
from infra.aws.security_groups import HostAccess, HostAccessArgs
from infra.aws.vault import Vault, VaultArgs
from infra.cloudflare.front import Front, FrontArgs, Proofs, ProofsArgs, cloudflare_provider
from infra.cloudflare.origin import IPV4, IPV6, origin_ca
from infra.cloudflare.realtime import Realtime, RealtimeArgs, worker_variables
from infra.cloudflare.uploads import Uploads, UploadsArgs
from slipway.settings import BadInput, Project
from slipway.settings.aws import Alerts, Aws
from slipway.settings.aws_fit import most_connections
from slipway.settings.aws_names import AwsNames
from slipway.settings.aws_offered import zone_ids


def program(project: Project) -> Mapping[str, Any]:
    """Declare the stack; returns the stack outputs by name, each a field of `Outputs`."""
    stack, app, settings, cloudflare = project.stack, project.app, project.stack.aws, project.stack.cloudflare
    if settings is None:
        raise BadInput("slipway:aws is required on platform aws", remedy='at least `account: "123456789012"`')
    names = AwsNames(stack, settings.account, settings.region)
    providers: list[ProviderResource] = [aws_provider(names, settings.profile)]
    if cloudflare:
        providers.append(cloudflare_provider())
    here = ResourceOptions(providers=providers)
    log_days, protect = settings.load_balancer.log_days, settings.protect
    origins = settings.buckets.origins or [f"https://{stack.domain}"]
    r2 = cloudflare if cloudflare and cloudflare.uploads == "r2" and stack.uploads else None

    vault = Vault("vault", VaultArgs(names, settings.secret_recovery_days, protect=protect), here)

    storage = Storage("storage", StorageArgs(
        names, settings.buckets, vault.key_arn,
        origins=origins, origins_below=[f"https://*.{stack.domain}"] if stack.previews else [],
        log_days=log_days, uploads=stack.uploads and not r2, protect=protect,
    ), here)  # fmt: skip

    r2_uploads = Uploads("uploads", UploadsArgs(
        r2.account, names.fleet, origins, settings.buckets.unfinished_days, protect=protect
    ), here) if r2 else None  # fmt: skip

    identity = Identity("identity", IdentityArgs(
        names,
        key_arn=vault.key_arn,
        app_secret_arn=vault.app_secret_arn,
        database_secret_arn=vault.database_secret_arn,
        boot_secret_arns=vault.boot_secret_arns,
        builds_arn=storage.builds_arn,
        uploads_arn=storage.uploads_arn,
        uploads_prefix=settings.buckets.uploads_prefix,
        mail_domain=settings.mail.domain if settings.mail else "",
        github=settings.github,
        proxy=stack.database == "postgres" and settings.database.pooler == "rds_proxy",
    ), here)  # fmt: skip

    network = Network(
        "network", NetworkArgs(names, settings.network, zone_ids(settings), vault.key_arn), here
    )

    edge = LoadBalancer("edge", LoadBalancerArgs(
        names, settings.load_balancer,
        vpc_id=network.vpc_id,
        subnet_ids=network.public_subnet_ids,
        deregistration_seconds=deregistration_seconds(settings.load_balancer, app),
        logs_bucket=storage.logs_bucket,
        logs_ready=storage.logs_ready,
        key_arn=vault.key_arn,
        proxy_addresses=(*IPV4, *IPV6) if cloudflare else (),
    ), here)  # fmt: skip

    certificate = Certificate("certificate", CertificateArgs(
        stack.domain, given_arn=settings.certificate, hosted_zone=settings.hosted_zone,
        names_below=stack.previews,
    ), here)  # fmt: skip

    proved = Proofs("proof", ProofsArgs(
        cloudflare.zone, {"certificate": certificate.validation}
    ), here) if cloudflare and certificate.validation else None  # fmt: skip

    Listeners("listeners", ListenersArgs(
        names,
        load_balancer_arn=edge.arn,
        target_group_arn=edge.target_group_arn,
        certificate_arn=certificate.issued(proved.names["certificate"] if proved else None),
        ssl_policy=settings.load_balancer.ssl_policy,
        private_paths=app.private_paths,
        origin_ca=origin_ca() if cloudflare else "",
        bundle_bucket=storage.builds_bucket,
    ), here)  # fmt: skip

    access = HostAccess("access", HostAccessArgs(names, network.vpc_id, edge.security_group_id), here)

    database = Database("database", DatabaseArgs(
        names, settings.database,
        vpc_id=network.vpc_id,
        subnet_ids=network.data_subnet_ids,
        key_arn=vault.key_arn,
        clients=access.group_ids,
        proxy_role_arn=identity.proxy_role_arn,
        proxy_secret_arn=vault.database_secret_arn,
        log_days=log_days, protect=protect,
    ), here) if stack.database == "postgres" else None  # fmt: skip

    # A preview has a Redis process of its own, on the host that carries it.
    cache = Cache("cache", CacheArgs(
        names, settings.cache,
        vpc_id=network.vpc_id,
        subnet_ids=network.data_subnet_ids,
        key_arn=vault.key_arn,
        clients=access.group_ids,
        log_days=log_days, protect=protect,
    ), here) if stack.redis and not stack.previews else None  # fmt: skip

    data = [made for made in (database, cache) if made]
    compute = Compute("compute", ComputeArgs(
        names, settings, app,
        scales=not stack.previews,
        subnet_ids=network.private_subnet_ids,
        profiles=identity.profiles,
        security_group_ids=access.group_ids,
        key_arn=vault.key_arn,
        target_group_arn=edge.target_group_arn,
    ), ResourceOptions.merge(here, ResourceOptions(depends_on=data)))  # fmt: skip

    alarms = Alarms("alarms", AlarmsArgs(
        names, alert_settings(settings), vault.key_arn,
        load_balancer=edge.arn_suffix,
        target_group=edge.target_group_arn_suffix,
        certificate_arn=certificate.requested_arn,
        web_acl=edge.web_acl_name,
        cache=cache.id if cache else None,
        cache_nodes=node_suffixes(settings.cache),
        database=database.identifier if database else None,
        database_log_group=database.log_group if database else None,
        proxy=database.proxy_name if database else None,
        groups=compute.group_names,
        queue=cache is not None,
    ), here)  # fmt: skip

    mail = Mail("mail", MailArgs(names, settings.mail, alarms.topic_arn), here) if settings.mail else None

    if settings.audit:
        Audit("audit", AuditArgs(names, vault.key_arn, protect=protect), here)
    if settings.budget:
        Budget("budget", BudgetArgs(names, settings.budget, alarms.topic_arn, settings.alerts.emails), here)

    if settings.hosted_zone:
        SiteName("site", SiteNameArgs(
            stack.domain, settings.hosted_zone, edge.dns_name, edge.zone_id, names_below=stack.previews
        ), here)  # fmt: skip
        if mail:
            proof_records("mail", settings.hosted_zone, list(mail.records.values()), here)

    if cloudflare:
        front = FrontArgs(cloudflare, stack.domain, edge.dns_name, names_below=stack.previews)
        Front("front", front, here)
    if cloudflare and mail:
        Proofs("mail-proof", ProofsArgs(cloudflare.zone, mail.records), here)
    if cloudflare and cloudflare.worker:
        Realtime("realtime", RealtimeArgs(
            cloudflare, names.fleet, stack.domain, project.app_dir,
            variables=worker_variables(app, stack),
        ), here)  # fmt: skip

    return PublishedOutputs("outputs", OutputsArgs(
        names,
        builds_bucket=storage.builds_bucket,
        uploads=uploads_output(names, storage.uploads_bucket, r2_uploads),
        app_secret_arn=vault.app_secret_arn,
        cloud=CloudParts(
            group_names=compute.group_names,
            boot_secret_arns=vault.boot_secret_arns,
            role_ids=identity.role_ids,
            app_role_arn=identity.app_role_arn,
            key_arn=vault.key_arn,
            target_group_arn=edge.target_group_arn,
            database_secret_arn=vault.database_secret_arn,
            database=database, cache=cache,
        ),
    ), here).fields  # fmt: skip


def alert_settings(settings: Aws) -> Alerts:
    """The alerts' thresholds, with the database's connections from its class if none are set."""
    most = most_connections(settings.database.type)
    given = settings.alerts.database_connections or (most or 0) * 4 // 5
    return settings.alerts.model_copy(update={"database_connections": given or 100})


def aws_provider(names: AwsNames, profile: str) -> aws.Provider:
    """The provider of all AWS resources: it refuses any other account, and tags everything.

    Explicit, so that no environment variable or `aws:region` decides where a stack is.
    """
    return aws.Provider(
        "aws",
        region=names.region,
        profile=profile or None,
        allowed_account_ids=[names.account],
        default_tags=aws.ProviderDefaultTagsArgs(tags=names.tags),
    )
