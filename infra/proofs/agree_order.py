"""Agreement of order and outputs: what must exist before, what is kept, what outputs promise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from hosts.kit.user_data import PATIENCE_MINUTES
from infra.policies.reading import at, entries, statements, table, texts, words
from infra.proofs.facts import Facts, Said, allows
from infra.proofs.network_map import EGRESS, INGRESS, first
from infra.recording.graph import Resource

_BUCKET, _POLICY = "aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy"
_GROUP, _INSTANCE = "aws:autoscaling/group:Group", "aws:rds/instance:Instance"
_NAT = "aws:ec2/natGateway:NatGateway"
_ROUTE, _LOG = "aws:ec2/route:Route", "aws:cloudwatch/logGroup:LogGroup"
_CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
_LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
Chosen = Callable[[Facts, Resource, Resource], bool]


def _same_bucket(facts: Facts, one: Resource, other: Resource) -> bool:
    found = [facts.named(each.inputs.get("bucket"), _BUCKET, "bucket") for each in (one, other)]
    return found[0] is not None and found[0] is found[1]


def _logs_of(facts: Facts, balancer: Resource, policy: Resource) -> bool:
    bucket = facts.named(policy.inputs.get("bucket"), _BUCKET, "bucket")
    return bool(bucket) and at(balancer.inputs, "accessLogs.bucket") == (bucket.inputs if bucket else {}).get(
        "bucket"
    )


def _bucket_of_trail(facts: Facts, trail: Resource, policy: Resource) -> bool:
    bucket = facts.named(policy.inputs.get("bucket"), _BUCKET, "bucket")
    return bucket is not None and trail.inputs.get("s3BucketName") == bucket.inputs.get("bucket")


BEFORE: tuple[tuple[str, str, Chosen, str], ...] = (
    (_INSTANCE, _LOG,
     lambda _, user, log: f"/instance/{user.inputs.get('identifier')}/" in str(log.inputs.get("name")),
     "RDS makes them itself, without retention or key"),
    ("aws:lb/loadBalancer:LoadBalancer", _POLICY, _logs_of, "AWS tests at once whether logs may be written"),
    ("aws:cloudtrail/trail:Trail", _POLICY, _bucket_of_trail, "AWS tests at once if the trail may write"),
    (_NAT, _ROUTE, lambda _, __, route: "gatewayId" in route.inputs, "it needs its route"),
    (_GROUP, _ROUTE, lambda _, __, route: "natGatewayId" in route.inputs, "a new host needs the internet"),
    (_POLICY, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", _same_bucket,
     "S3 rejects concurrent changes of both"),
    (_LIFECYCLE, "aws:s3/bucketVersioning:BucketVersioning", _same_bucket, "expiry needs versions"),
    ("aws:sns/topicSubscription:TopicSubscription", "aws:sns/topicPolicy:TopicPolicy",
     lambda _, __, ___: True, "the confirmation is published under it"),
)  # fmt: skip
"""Type, type that must exist before it, which of those, and why."""


def order_is_declared(facts: Facts) -> Iterator[Said]:
    """What AWS needs before another thing is made is a declared dependency of it."""
    for token, before, chosen, why in BEFORE:
        for user in facts.graph.of(token):
            for each in facts.graph.of(before):
                if chosen(facts, user, each) and each.urn not in user.depends_on:
                    yield user, "", f"does not depend on {each.name}: {why}"


def what_up_sets_is_kept(facts: Facts) -> Iterator[Said]:
    """Pulumi ignores what `slipway up` or scaling sets: Redis' token, the number of hosts."""
    for cache in facts.graph.of(_CACHE):
        for name in ("authToken", "authTokenUpdateStrategy"):
            if name not in cache.ignore_changes:
                yield cache, name, "is not ignored: the next update would take Redis' password away"
    for group in facts.graph.of(_GROUP):
        if group.inputs.get("desiredCapacity") is not None and "desiredCapacity" not in group.ignore_changes:
            yield group, "desiredCapacity", "every update would undo what scaling did"


def a_rule_opens_one_port(facts: Facts) -> Iterator[Said]:
    """A rule of a security group opens one port, or, to the outside, all of them."""
    for rule in (*facts.graph.of(INGRESS), *facts.graph.of(EGRESS)):
        start, end = rule.inputs.get("fromPort"), rule.inputs.get("toPort")
        everything = rule.inputs.get("ipProtocol") == "-1"
        if everything and rule.type == INGRESS:
            yield rule, "ipProtocol", "lets every protocol in"
        if not everything and start != end:
            yield rule, "fromPort", f"opens ports {start} to {end}: one was meant"
        peers = [
            name
            for name in ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
            if rule.inputs.get(name)
        ]
        if len(peers) != 1:
            yield rule, "", f"names {', '.join(peers) or 'no one'}: exactly one peer"


def s3_costs_nothing(facts: Facts) -> Iterator[Said]:
    """S3's gateway endpoint is on the route table of every subnet with hosts: else NAT charges each byte."""
    homes = {
        first(each)
        for group in facts.graph.of(_GROUP)
        for each in texts(group.inputs.get("vpcZoneIdentifiers"))
    }
    tables = {
        first(each.inputs.get("routeTableId"))
        for each in facts.graph.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
        if first(each.inputs.get("subnetId")) in homes
    }
    gateways = [
        each
        for each in facts.graph.of("aws:ec2/vpcEndpoint:VpcEndpoint")
        if each.inputs.get("vpcEndpointType") == "Gateway"
    ]
    served = {first(table_id) for each in gateways for table_id in texts(each.inputs.get("routeTableIds"))}
    for missing in sorted(tables - served):
        yield None, "", f"{missing} does not use S3's gateway endpoint"


def hosts_have_time(facts: Facts) -> Iterator[Said]:
    """A new host has its patience before it is replaced; a leaving one outlives its connections."""
    for group in facts.graph.of(_GROUP):
        if int(group.inputs.get("healthCheckGracePeriod") or 0) < PATIENCE_MINUTES * 60:
            yield group, "healthCheckGracePeriod", f"a new host tries for {PATIENCE_MINUTES} minutes"
        refresh = table(at(group.inputs, "instanceRefresh.preferences"))
        template = facts.graph.by_address(first(at(group.inputs, "launchTemplate.id")))
        image = str(template.inputs.get("imageId")) if template else ""
        if refresh.get("autoRollback") and not image.startswith("ami-"):
            yield group, "instanceRefresh", "AWS refuses auto rollback for an image that a parameter names"
        for name in ("instanceMaintenancePolicy", "instanceRefresh.preferences"):
            least, most = (
                int(at(group.inputs, f"{name}.{end}HealthyPercentage") or 0) for end in ("min", "max")
            )
            if not least <= most <= least + 100:
                yield group, name, f"{least} to {most} percent: the second is at most 100 more than the first"
        yield from _outlives(facts, group)


def _outlives(facts: Facts, group: Resource) -> Iterator[Said]:
    for targets in facts.graph.of("aws:lb/targetGroup:TargetGroup"):
        if targets.address not in {first(each) for each in texts(group.inputs.get("targetGroupArns"))}:
            continue
        for hook in facts.graph.of("aws:autoscaling/lifecycleHook:LifecycleHook"):
            mine = hook.inputs.get("autoscalingGroupName") == group.inputs.get("name")
            if mine and int(hook.inputs.get("heartbeatTimeout") or 0) < int(
                targets.inputs.get("deregistrationDelay") or 0
            ):
                yield hook, "heartbeatTimeout", "is over before the load balancer has drained its connections"


def the_balancer_speaks_http1(facts: Facts) -> Iterator[Said]:
    """The load balancer passes on what hosts read: Host, X-Forwarded-For, WebSockets' upgrades."""
    for targets in facts.graph.of("aws:lb/targetGroup:TargetGroup"):
        if (targets.inputs.get("protocol"), targets.inputs.get("protocolVersion")) != ("HTTP", "HTTP1"):
            yield targets, "protocolVersion", "HAProxy has HTTP/1.1 here, and WebSockets need it"
        if targets.inputs.get("targetType") != "instance":
            yield targets, "targetType", "Auto Scaling registers instances"
    for balancer in facts.graph.of("aws:lb/loadBalancer:LoadBalancer"):
        for name, wanted in (
            ("preserveHostHeader", True), ("enableXffClientPort", False),
            ("xffHeaderProcessingMode", "append"),
        ):  # fmt: skip
            if balancer.inputs.get(name) != wanted:
                yield balancer, name, f"must be {wanted}: hosts read the client's address and the site's name"
        if balancer.inputs.get("loadBalancerType") != "application":
            yield balancer, "loadBalancerType", "listeners and firewall need an application load balancer"


def outputs_are_the_stack(facts: Facts) -> Iterator[Said]:
    """The published outputs name buckets, groups, secrets, database and cache that the stack has."""
    name = f"/{facts.path}/outputs"
    parameter = facts.named(name, "aws:ssm/parameter:Parameter", "name")
    if parameter is None:
        return
    try:
        said: dict[str, Any] = json.loads(str(parameter.inputs.get("value")))
    except ValueError:
        yield parameter, "value", "is no JSON"
        return
    for path, token, key in (
        ("builds.bucket", _BUCKET, "bucket"), ("uploads.bucket", _BUCKET, "bucket"),
        ("cloud.groups.web", _GROUP, "name"), ("cloud.groups.worker", _GROUP, "name"),
        ("cloud.database", _INSTANCE, "identifier"), ("cloud.cache", _CACHE, "replicationGroupId"),
    ):  # fmt: skip
        value = at(said, path)
        elsewhere = path == "uploads.bucket" and bool(at(said, "uploads.endpoint"))
        if value and not elsewhere and facts.named(value, token, key) is None:
            yield parameter, "value", f"{path} is {value!r}, which the stack does not have"
    for path, wanted in (
        ("cloud.region", facts.region),
        ("cloud.account", facts.account),
        ("stack", facts.graph.stack),
    ):
        if at(said, path) != wanted:
            yield parameter, "value", f"{path} is {at(said, path)!r}, not {wanted!r}"
    for role in ("web", "worker"):
        secret = facts.graph.by_address(first(at(said, f"cloud.boot_secrets.{role}")))
        if secret is None or secret.inputs.get("name") != f"{facts.path}/boot/{role}":
            yield parameter, "value", f"cloud.boot_secrets.{role} is not {facts.path}/boot/{role}"
    for path, token in (("database.url", _INSTANCE), ("redis.url", _CACHE)):
        port = next((each.inputs.get("port") for each in facts.graph.of(token)), None)
        url = at(said, path)
        if url and port and f":{port}/" not in str(url):
            yield parameter, "value", f"{path} has another port than {port}"


def deploy_may_release(facts: Facts) -> Iterator[Said]:
    """The deploy role may do what `slipway release` calls, on this stack's own names and tags."""
    role = facts.named(f"{facts.fleet}-deploy", "aws:iam/role:Role", "name")
    if role is None:
        return
    policy = facts.policy_of(role)
    builds = facts.named(f"{facts.fleet}-builds-{facts.account}", _BUCKET, "bucket")
    own = f"${{{builds.address}.arn}}" if builds else ""
    secrets = {
        str(each.inputs.get("name")): f"${{{each.address}.arn}}"
        for each in facts.graph.of("aws:secretsmanager/secret:Secret")
    }
    for action, resource in (
        ("s3:PutObject", f"{own}/x"), ("s3:GetObject", f"{own}/x"), ("s3:ListBucket", own),
        ("secretsmanager:GetSecretValue", secrets.get(f"{facts.path}/app", "")),
        ("secretsmanager:PutSecretValue", secrets.get(f"{facts.path}/boot/web", "")),
        ("secretsmanager:PutSecretValue", secrets.get(f"{facts.path}/boot/worker", "")),
        ("ssm:GetParameter", facts.arn("ssm", f"parameter/{facts.path}/outputs")),
        ("ssm:StartSession", facts.arn("ec2", "instance/i-1")),
        ("ssm:StartSession", f"arn:aws:ssm:{facts.region}:x:document/AWS-StartSSHSession"),
        ("ec2-instance-connect:SendSSHPublicKey", facts.arn("ec2", "instance/i-1")),
        ("rds:CreateDBSnapshot", facts.arn("rds", f"snapshot:{facts.fleet}-before-1")),
        ("rds:CreateDBSnapshot", facts.arn("rds", f"db:{facts.fleet}")),
        ("rds:DescribeDBSnapshots", facts.arn("rds", f"db:{facts.fleet}")),
        ("cloudwatch:DescribeAlarms", facts.arn("cloudwatch", "alarm:x")),
        ("cloudwatch:EnableAlarmActions", facts.arn("cloudwatch", f"alarm:{facts.fleet}-no-host")),
        ("ec2:DescribeInstances", "*"), ("autoscaling:DescribeAutoScalingGroups", "*"),
        ("elasticloadbalancing:DescribeTargetHealth", "*"),
    ):  # fmt: skip
        if not allows(policy, action, resource):
            yield (
                role,
                "",
                f"may not {action} on {resource or 'what the stack does not have'}: a release does",
            )
    for said in policy:
        for keys in table(said.get("Condition")).values():
            for key, value in table(keys).items():
                if key.lower().endswith("resourcetag/slipway:fleet") and words(value) != [facts.fleet]:
                    yield role, "", f"{said.get('Sid')}: hosts are tagged {facts.fleet}, not {value}"
    user = {
        each
        for said in policy
        for each in words(table(table(said.get("Condition")).get("StringEquals")).get("ec2:osuser"))
    }
    if user != {"admin"}:
        yield role, "", f"pushes keys for {sorted(user)}: Debian's user is admin"


def policies_are_regional(facts: Facts) -> Iterator[Said]:
    """Services in policies, `s3.<region>.amazonaws.com`, are of the stack's region; roles are tagged."""
    for resource in facts.graph:
        for name in ("policy", "assumeRolePolicy"):
            for region in re.findall(
                r"[a-z0-9-]+\.([a-z]{2}-[a-z-]+-\d)\.amazonaws\.com", str(resource.inputs.get(name))
            ):
                if region != facts.region:
                    yield resource, name, f"names a service of {region}"
    for role in ("web", "worker"):
        holder = facts.named(f"{facts.fleet}-{role}", "aws:iam/role:Role", "name")
        tags = table(holder.inputs.get("tags")) if holder else {}
        if holder and (tags.get("slipway:fleet"), tags.get("slipway:role")) != (facts.fleet, role):
            yield holder, "tags", "policies of keys, buckets and secrets know a fleet's roles by their tags"
    for proxy in facts.graph.of("aws:rds/proxy:Proxy"):
        holder = facts.graph.by_address(first(proxy.inputs.get("roleArn")))
        for auth in entries(proxy.inputs.get("auths")):
            secret = facts.graph.by_address(first(auth.get("secretArn")))
            if secret is None or secret.inputs.get("name") != f"{facts.path}/database":
                yield proxy, "auths", f"slipway writes the login into {facts.path}/database"
            if holder and not allows(
                facts.policy_of(holder), "secretsmanager:GetSecretValue", str(auth.get("secretArn"))
            ):
                yield holder, "", "may not read the proxy's secret"
            if holder and not any(
                "kms:Decrypt" in words(each.get("Action")) and each.get("Effect") == "Allow"
                for each in facts.policy_of(holder)
            ):
                yield holder, "", "may not decrypt the proxy's secret"


def budgets_count_percent(facts: Facts) -> Iterator[Said]:
    """A budget's thresholds are percentages as AWS means them: 80, not 0.8."""
    for budget in facts.graph.of("aws:budgets/budget:Budget"):
        for each in entries(budget.inputs.get("notifications")):
            if each.get("thresholdType") == "PERCENTAGE" and float(each.get("threshold") or 0) < 10:
                yield budget, "notifications", f"notifies at {each.get('threshold')} percent"
            if not texts(each.get("subscriberSnsTopicArns")) and not texts(
                each.get("subscriberEmailAddresses")
            ):
                yield budget, "notifications", "notifies no one"
    for provider in facts.graph.of("aws:iam/openIdConnectProvider:OpenIdConnectProvider"):
        if provider.inputs.get("url") != "https://token.actions.githubusercontent.com":
            yield provider, "url", "is not GitHub's"
    for secret in facts.graph.of("aws:secretsmanager/secretPolicy:SecretPolicy"):
        for said in statements(secret.inputs.get("policy")):
            tag = table(table(said.get("Condition")).get("StringNotEquals")).get(
                "aws:PrincipalTag/slipway:fleet"
            )
            if tag not in {None, facts.fleet}:
                yield secret, "policy", f"{said.get('Sid')}: shuts out the fleet's own roles: {tag}"


AGREEMENTS = (
    order_is_declared, what_up_sets_is_kept, a_rule_opens_one_port, s3_costs_nothing, hosts_have_time,
    the_balancer_speaks_http1, outputs_are_the_stack, deploy_may_release, policies_are_regional,
    budgets_count_percent,
)  # fmt: skip
