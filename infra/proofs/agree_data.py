"""Agreement of data, keys, secrets and firewall: settings that must fit together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.policies.reading import at, entries, parameters, statements, table, texts, words
from infra.proofs.facts import Facts, Said, allows, services
from infra.proofs.network_map import first
from infra.recording.graph import Resource

_INSTANCE, _GROUP = "aws:rds/instance:Instance", "aws:rds/parameterGroup:ParameterGroup"
_CACHE, _CACHE_GROUP = (
    "aws:elasticache/replicationGroup:ReplicationGroup", "aws:elasticache/parameterGroup:ParameterGroup",
)  # fmt: skip
_BUCKET, _ENCRYPTION = (
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
)
_ROLE, _SECRET, _TRAIL = "aws:iam/role:Role", "aws:secretsmanager/secret:Secret", "aws:cloudtrail/trail:Trail"
_LOGS = "aws:cloudwatch/logGroup:LogGroup"

POSTGRES: dict[str, tuple[str, bool]] = {
    "rds.force_ssl": ("[01]", False),
    "log_connections": ("[01]", False),
    "log_disconnections": ("[01]", False),
    "log_min_duration_statement": (r"-1|\d+", False),
    "log_lock_waits": ("[01]", False),
    "log_temp_files": (r"-1|\d+", False),
    "log_autovacuum_min_duration": (r"-1|\d+", False),
    "log_statement": ("none|ddl|mod|all", False),
    "idle_in_transaction_session_timeout": (r"\d+", False),
    "statement_timeout": (r"\d+", False),
    "shared_preload_libraries": (
        r"(pg_stat_statements|auto_explain|pg_cron|pgaudit|pg_hint_plan)(,\w+)*",
        True,
    ),
    "max_connections": (r"\d+|.*DBInstanceClassMemory.*", True),
    "shared_buffers": (r"\d+|.*DBInstanceClassMemory.*", True),
    "rds.logical_replication": ("[01]", True),
}
"""Form of the value, and whether it takes effect at a reboot only (static):
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html"""
REDIS: dict[str, str] = {
    "maxmemory-policy": "noeviction|allkeys-l[rf]u|volatile-(lru|lfu|ttl|random)|allkeys-random",
    "cluster-enabled": "yes|no",
    "notify-keyspace-events": "[KEg$lshzxetdmnA]*",
    "timeout": r"\d+",
    "reserved-memory-percent": r"\d{1,2}|100",
}
"""https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html"""


def parameters_are_the_engines(facts: Facts) -> Iterator[Said]:
    """Families fit the engine's version; parameters exist, with valid values and a method that fits."""
    for instance in facts.graph.of(_INSTANCE):
        group = facts.named(instance.inputs.get("parameterGroupName"), _GROUP, "name")
        wanted = f"postgres{str(instance.inputs.get('engineVersion')).partition('.')[0]}"
        if group and group.inputs.get("family") != wanted:
            yield group, "family", f"{group.inputs.get('family')}: the engine's is {wanted}"
    for group in facts.graph.of(_GROUP):
        for each in entries(group.inputs.get("parameters")):
            name, value = str(each.get("name")), str(each.get("value"))
            form, static = POSTGRES.get(name, ("", False))
            if not form:
                yield group, "parameters", f"PostgreSQL on RDS has no parameter {name} that is known here"
            elif not re.fullmatch(form, value):
                yield group, "parameters", f"{name} cannot be {value!r}"
            if static and each.get("applyMethod") != "pending-reboot":
                yield group, "parameters", f"{name} is static: AWS refuses to apply it at once"
    for cache in facts.graph.of(_CACHE):
        yield from _redis(facts, cache)


def _redis(facts: Facts, cache: Resource) -> Iterator[Said]:
    group = facts.named(cache.inputs.get("parameterGroupName"), _CACHE_GROUP, "name")
    major = str(cache.inputs.get("engineVersion")).partition(".")[0]
    wanted = f"{cache.inputs.get('engine')}{major}" if major != "6" else f"{cache.inputs.get('engine')}6.x"
    if group is None:
        return
    if group.inputs.get("family") != wanted:
        yield group, "family", f"{group.inputs.get('family')}: the engine's is {wanted}"
    found = parameters(group)
    for name, value in found.items():
        if name not in REDIS or not re.fullmatch(REDIS[name], value):
            yield group, "parameters", f"{name} cannot be {value!r}"
    sharded = cache.inputs.get("numNodeGroups") is not None
    if (found.get("cluster-enabled") == "yes") != sharded:
        yield (
            group,
            "parameters",
            f"cluster-enabled is {found.get('cluster-enabled')}; shards are {'' if sharded else 'not '}set",
        )


def failover_has_someone(facts: Facts) -> Iterator[Said]:
    """Failover needs a replica; windows do not overlap; storage can grow; monitoring has a role."""
    for cache in facts.graph.of(_CACHE):
        nodes = int(cache.inputs.get("numCacheClusters") or 0)
        shards = int(cache.inputs.get("numNodeGroups") or 0)
        if nodes and shards:
            yield cache, "numCacheClusters", "excludes numNodeGroups"
        if cache.inputs.get("automaticFailoverEnabled") and nodes == 1:
            yield cache, "automaticFailoverEnabled", "needs a replica: AWS refuses it with one node"
        if cache.inputs.get("multiAzEnabled") and not cache.inputs.get("automaticFailoverEnabled"):
            yield cache, "multiAzEnabled", "needs automatic failover"
        yield from _windows(cache, "snapshotWindow", "maintenanceWindow")
    for instance in facts.graph.of(_INSTANCE):
        given = instance.inputs
        yield from _windows(instance, "backupWindow", "maintenanceWindow")
        most, least = int(given.get("maxAllocatedStorage") or 0), int(given.get("allocatedStorage") or 0)
        if most and most < math_ceil(1.1 * least):
            yield instance, "maxAllocatedStorage", f"{most}: AWS wants a tenth more than {least} at least"
        if bool(given.get("monitoringInterval")) != bool(given.get("monitoringRoleArn")):
            yield instance, "monitoringInterval", "enhanced monitoring has an interval and a role, or neither"
        if given.get("skipFinalSnapshot") is False and not given.get("finalSnapshotIdentifier"):
            yield instance, "finalSnapshotIdentifier", "must be given, or deletion fails"
        if given.get("manageMasterUserPassword") and given.get("password"):
            yield instance, "password", "excludes manageMasterUserPassword"


def math_ceil(value: float) -> int:
    """`value` rounded up, but for the noise of floating point."""
    return -int(-round(value, 6) // 1)


def _windows(resource: Resource, daily: str, weekly: str) -> Iterator[Said]:
    day, week = resource.inputs.get(daily), resource.inputs.get(weekly)
    if not isinstance(day, str) or not isinstance(week, str):
        return
    hours = re.findall(r"\d\d:\d\d", week)
    if len(hours) == 2 and _overlap(day.split("-"), hours):
        yield resource, weekly, f"{week} overlaps {daily} {day}: AWS refuses it"


def _overlap(one: list[str], other: list[str]) -> bool:
    start, end = (_minutes(each) for each in one)
    first_, last = (_minutes(each) for each in other)
    return start < (last if last > first_ else last + 1440) and first_ < (end if end > start else end + 1440)


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def keys_serve_their_users(facts: Facts) -> Iterator[Said]:
    """The key's policy lets the account, log groups, the trail and Auto Scaling use it, by name."""
    for key in facts.graph.of("aws:kms/key:Key"):
        policy = statements(key.inputs.get("policy"))
        text = json.dumps(policy)
        if f"arn:aws:iam::{facts.account}:root" not in text:
            yield key, "policy", "the account itself may not use it: no one could ever change it"
        if facts.graph.of(_LOGS) and f"logs.{facts.region}.amazonaws.com" not in services(policy):
            yield key, "policy", f"logs.{facts.region}.amazonaws.com may not use it: no log group can be made"
        if facts.graph.of("aws:autoscaling/group:Group") and (
            "AWSServiceRoleForAutoScaling" not in text or "kms:CreateGrant" not in text
        ):
            yield key, "policy", "Auto Scaling may not grant it to disks: no host could start"
        for trail in facts.graph.of(_TRAIL):
            if facts.arn("cloudtrail", f"trail/{trail.inputs.get('name')}") not in text:
                yield key, "policy", f"names no trail {trail.inputs.get('name')}"


def logs_may_be_written(facts: Facts) -> Iterator[Said]:
    """The load balancer and the trail may write into their buckets, and roles into their log groups."""
    for balancer in facts.graph.of("aws:lb/loadBalancer:LoadBalancer"):
        for kind in ("accessLogs", "connectionLogs"):
            logs = table(balancer.inputs.get(kind))
            bucket = facts.named(logs.get("bucket"), _BUCKET, "bucket")
            if not logs.get("enabled") or bucket is None:
                continue
            place = f"arn:aws:s3:::{bucket.inputs['bucket']}/{logs.get('prefix')}/AWSLogs/{facts.account}/x"
            policy = _policy_of(facts, bucket)
            if not allows(
                policy, "s3:PutObject", place
            ) or "logdelivery.elasticloadbalancing.amazonaws.com" not in services(policy):
                yield bucket, "", f"its policy does not let the load balancer write {kind} to {place}"
            if _algorithm(facts, bucket) != "AES256":
                yield bucket, "", "must be encrypted with S3's own key: a load balancer cannot use another"
    for trail in facts.graph.of(_TRAIL):
        bucket = facts.named(trail.inputs.get("s3BucketName"), _BUCKET, "bucket")
        source = facts.arn("cloudtrail", f"trail/{trail.inputs.get('name')}")
        if bucket and (
            source not in json.dumps(_policy_of(facts, bucket))
            or not allows(
                _policy_of(facts, bucket),
                "s3:PutObject",
                f"arn:aws:s3:::{bucket.inputs['bucket']}/AWSLogs/{facts.account}/x",
            )
        ):
            yield bucket, "", f"its policy does not let {source} write"
    for flow in facts.graph.of("aws:ec2/flowLog:FlowLog"):
        role = facts.graph.by_address(first(flow.inputs.get("iamRoleArn")))
        if role and not allows(
            facts.policy_of(role), "logs:PutLogEvents", f"{flow.inputs.get('logDestination')}:x"
        ):
            yield role, "", "may not write to the flow log's group"


def _policy_of(facts: Facts, bucket: Resource) -> list[dict[str, Any]]:
    return [
        statement
        for each in facts.graph.of("aws:s3/bucketPolicy:BucketPolicy")
        if facts.named(each.inputs.get("bucket"), _BUCKET, "bucket") is bucket
        for statement in statements(each.inputs.get("policy"))
    ]


def _algorithm(facts: Facts, bucket: Resource) -> str:
    for each in facts.graph.of(_ENCRYPTION):
        if facts.named(each.inputs.get("bucket"), _BUCKET, "bucket") is bucket:
            return str(at(each.inputs, "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm"))
    return ""


def hosts_may_do_their_work(facts: Facts) -> Iterator[Said]:
    """Host roles may use what code on hosts uses: boot secret, builds, logs and metrics."""
    names = {str(each.inputs.get("name")): each for each in facts.graph.of(_SECRET)}
    builds = next(
        (each for each in facts.graph.of(_BUCKET) if "-builds-" in str(each.inputs.get("bucket"))), None
    )
    for role in ("web", "worker"):
        holder = facts.named(f"{facts.fleet}-{role}", _ROLE, "name")
        secret = names.get(f"{facts.path}/boot/{role}")
        if holder is None or secret is None or builds is None:
            yield None, "", f"{role}: no role, no boot secret {facts.path}/boot/{role}, or no builds bucket"
            continue
        group = f"/{facts.path}/{role}"
        if group not in {str(each.inputs.get("name")) for each in facts.graph.of(_LOGS)}:
            yield None, "", f"there is no log group {group}, to which {role} hosts send their journal"
        policy, own = facts.policy_of(holder), f"${{{builds.address}.arn}}"
        needed = {
            "secretsmanager:GetSecretValue": f"${{{secret.address}.arn}}",
            "kms:Decrypt": "${aws_kms_key.vault-key.arn}",
            "s3:GetObject": f"{own}/builds/x",
            "s3:ListBucket": own,
            "s3:PutObject": f"{own}/hosts/${{aws:userid}}",
            "cloudwatch:PutMetricData": "*",
            "logs:PutLogEvents": facts.arn("logs", f"log-group:{group}:log-stream:x"),
            "logs:CreateLogStream": facts.arn("logs", f"log-group:{group}:log-stream:x"),
            "ssm:UpdateInstanceInformation": "*",
            "ssmmessages:OpenDataChannel": "*",
        }
        for action, resource in needed.items():
            if not allows(policy, action, resource):
                yield holder, "", f"may not {action} on {resource}: hosts need it"
        spaces = {
            each for said in policy
            for each in words(_equals(said).get("cloudwatch:namespace"))
        }  # fmt: skip
        if spaces != {f"slipway/{facts.fleet}"}:
            yield (
                holder,
                "",
                f"may publish metrics to {sorted(spaces)}: hosts publish to slipway/{facts.fleet}",
            )
    for name in (f"{facts.path}/app", f"{facts.path}/database"):
        if name not in names:
            yield None, "", f"there is no secret {name}, which slipway reads"
    wanted = f"/{facts.path}/outputs"
    if wanted not in {str(each.inputs.get("name")) for each in facts.graph.of("aws:ssm/parameter:Parameter")}:
        yield None, "", f"there is no parameter {wanted}, from which slipway reads the stack's outputs"


_ACROSS = {("ssmmessages", "ssm"), ("ec2-instance-connect", "ec2"), ("ssm", "ec2"), ("sts", "iam")}
"""Actions of a service on the resources of another."""


def arns_fit_their_actions(facts: Facts) -> Iterator[Said]:
    """An action of one service is not allowed on an ARN of another, nor one on objects on a whole bucket."""
    kinds = {
        "aws_s3_bucket": "s3", "aws_kms_key": "kms", "aws_secretsmanager_secret": "secretsmanager",
        "aws_sns_topic": "sns", "aws_cloudwatch_log_group": "logs",
    }  # fmt: skip
    for policy in facts.graph.of("aws:iam/rolePolicy:RolePolicy"):
        for said in statements(policy.inputs.get("policy")):
            if said.get("Effect") != "Allow":
                continue
            for resource in words(said.get("Resource")):
                service = (
                    resource.split(":")[2]
                    if resource.startswith("arn:")
                    else kinds.get(first(resource).split(".")[0], "")
                )
                for action in words(said.get("Action")):
                    prefix = action.partition(":")[0]
                    if service and service != prefix and (prefix, service) not in _ACROSS:
                        yield policy, "policy", f"{said.get('Sid')}: {action} on {resource}"
                    if (
                        service == "s3"
                        and re.search(r"Object|Multipart", action)
                        and not re.search(r"arn}/|:::[^/]+/", resource)
                    ):
                        yield policy, "policy", f"{said.get('Sid')}: {action} is about objects: {resource}/*"
                    if service == "s3" and re.search(r"ListBucket$|GetBucket", action) and "/" in resource:
                        yield (
                            policy,
                            "policy",
                            f"{said.get('Sid')}: {action} is about a bucket, not {resource}",
                        )


def _equals(statement: dict[str, Any]) -> dict[str, Any]:
    """The keys that a statement's condition compares by StringEquals."""
    return table(table(statement.get("Condition")).get("StringEquals"))


def mail_and_budget_are_ours(facts: Facts) -> Iterator[Said]:
    """Mail is sent from the identity that roles may use; the budget counts the stack's own tag."""
    domains = {
        str(each.inputs.get("emailIdentity"))
        for each in facts.graph.of("aws:sesv2/emailIdentity:EmailIdentity")
    }
    for domain in domains:
        for role in ("web", "worker"):
            holder = facts.named(f"{facts.fleet}-{role}", _ROLE, "name")
            if holder and not allows(
                facts.policy_of(holder), "ses:SendEmail", facts.arn("ses", f"identity/{domain}")
            ):
                yield holder, "", f"may not send mail from {domain}"
    region = facts.region
    for each in facts.graph.of("aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes"):
        domain = str(each.inputs.get("mailFromDomain"))
        if not any(domain.endswith(f".{known}") for known in domains):
            yield each, "mailFromDomain", f"{domain} is not below a domain that mail is sent from"
        values = {
            (str(record.inputs.get("type")), str(value))
            for token in ("cloudflare:index/dnsRecord:DnsRecord", "aws:route53/record:Record")
            for record in facts.graph.of(token)
            if record.inputs.get("name") == domain
            for value in (record.inputs.get("content"), *texts(record.inputs.get("records")))
        }
        if not any(
            kind == "MX" and f"feedback-smtp.{region}.amazonses.com" in value for kind, value in values
        ):
            yield each, "mailFromDomain", f"{domain} has no MX record that names SES in {region}"
        if not any(kind == "TXT" and "include:amazonses.com" in value for kind, value in values):
            yield each, "mailFromDomain", f"{domain} has no SPF record that lets SES send"
    for budget in facts.graph.of("aws:budgets/budget:Budget"):
        for each in entries(budget.inputs.get("costFilters")):
            if each.get("name") != "TagKeyValue" or texts(each.get("values")) != [
                f"user:slipway:fleet${facts.fleet}"
            ]:
                yield budget, "costFilters", f"counts {each.get('name')} {each.get('values')}"
        if not entries(budget.inputs.get("notifications")):
            yield budget, "notifications", "notifies no one"


def firewall_fits(facts: Facts) -> Iterator[Said]:
    """Priorities are unique, managed groups exist, and clients are counted by their own address."""
    behind = any(each.type.startswith("cloudflare:") for each in facts.graph)
    for acl in facts.graph.of("aws:wafv2/webAcl:WebAcl"):
        rules = entries(acl.inputs.get("rules"))
        priorities = [each.get("priority") for each in rules]
        if len(set(priorities)) < len(priorities):
            yield acl, "rules", f"two rules have one priority: {priorities}"
        if acl.inputs.get("scope") != "REGIONAL":
            yield acl, "scope", "a load balancer takes a REGIONAL web ACL"
        for each in rules:
            if bool(each.get("action")) == bool(each.get("overrideAction")):
                yield acl, "rules", f"{each.get('name')} has an action or, for a managed group, an override"
            group = at(each, "statement.managedRuleGroupStatement.name")
            if group and group not in _MANAGED:
                yield acl, "rules", f"{group} is no managed rule group of AWS"
            rate = table(at(each, "statement.rateBasedStatement"))
            wanted = "FORWARDED_IP" if behind else "IP"
            if rate and (rate.get("aggregateKeyType") != wanted or (
                behind and at(rate, "forwardedIpConfig.headerName") != "CF-Connecting-IP"
            )):  # fmt: skip
                yield (
                    acl,
                    "rules",
                    f"counts by {rate.get('aggregateKeyType')}: here the client's address is {wanted}",
                )


_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList", "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesLinuxRuleSet",
    "AWSManagedRulesUnixRuleSet", "AWSManagedRulesBotControlRuleSet", "AWSManagedRulesAdminProtectionRuleSet",
}  # fmt: skip
"""https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html"""

AGREEMENTS = (
    parameters_are_the_engines, failover_has_someone, keys_serve_their_users, logs_may_be_written,
    hosts_may_do_their_work, arns_fit_their_actions, mail_and_budget_are_ours, firewall_fits,
)  # fmt: skip
