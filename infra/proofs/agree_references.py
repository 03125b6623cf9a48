"""Agreement of references and names: each input refers to the right kind of thing, by the right attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.policies.reading import at, entries, texts, words
from infra.proofs.facts import Facts, Said, every_reference
from infra.recording.graph import Resource, references

_OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
_GROUP, _INSTANCE = "aws:autoscaling/group:Group", "aws:rds/instance:Instance"
_CACHE, _LOG = "aws:elasticache/replicationGroup:ReplicationGroup", "aws:cloudwatch/logGroup:LogGroup"
_ROLE, _BUCKET, _SES = (
    "aws:iam/role:Role",
    "aws:s3/bucket:Bucket",
    "aws:sesv2/configurationSet:ConfigurationSet",
)

TARGETS: dict[str, tuple[str, str]] = {
    "vpcId": ("aws_vpc", "id"),
    "subnetId|subnetIds|subnets|vpcSubnetIds|vpcZoneIdentifiers": ("aws_subnet", "id"),
    "securityGroupIds?|vpcSecurityGroupIds|securityGroups|referencedSecurityGroupId": (
        "aws_security_group", "id",
    ),
    "routeTableIds?": ("aws_route_table", "id"),
    "allocationId": ("aws_eip", "id|allocation_id"),
    "natGatewayId": ("aws_nat_gateway", "id"),
    "gatewayId": ("aws_internet_gateway", "id"),
    "kmsKeyId|kmsMasterKeyId|kmsMasterKeyArn|masterUserSecretKmsKeyId|performanceInsightsKmsKeyId": (
        "aws_kms_key", "arn",
    ),
    "targetKeyId": ("aws_kms_key", "key_id|id|arn"),
    "loadBalancerArn": ("aws_lb", "arn"),
    "targetGroupArns?": ("aws_lb_target_group", "arn"),
    "listenerArn": ("aws_lb_listener", "arn"),
    "bucket": ("aws_s3_bucket", "id|bucket"),
    "resourceArn": ("aws_lb|aws_wafv2_web_acl", "arn"),
    "targetGroupName": ("aws_db_proxy_default_target_group", "name"),
    "caCertificatesBundleS3ObjectVersion": ("aws_s3_object", "version_id"),
    "arn": ("aws_sns_topic|aws_iam_instance_profile", "arn"),
    "trustStoreArn": ("aws_lb_trust_store", "arn"),
    "certificateArn": ("aws_acm_certificate|aws_acm_certificate_validation", "arn|certificate_arn"),
    "webAclArn": ("aws_wafv2_web_acl", "arn"),
    "roleArn|iamRoleArn|monitoringRoleArn": ("aws_iam_role", "arn"),
    "topic|topicArn|alarmActions|okActions|snsTopicArn|subscriberSnsTopicArns": ("aws_sns_topic", "arn"),
    "secretArn": ("aws_secretsmanager_secret", "arn"),
    "logDestination|logDestinationConfigs": ("aws_cloudwatch_log_group", "arn"),
    "LoadBalancer": ("aws_lb", "arn_suffix"),
    "TargetGroup": ("aws_lb_target_group", "arn_suffix"),
    "CertificateArn": ("aws_acm_certificate", "arn"),
    "iamInstanceProfile.arn": ("aws_iam_instance_profile", "arn"),
    "launchTemplate.id": ("aws_launch_template", "id"),
    "launchTemplate.version": ("aws_launch_template", "latest_version"),
}  # fmt: skip
"""By the end of an input's path: type and attribute that it refers to, if it is one reference."""

NAMES: tuple[tuple[str, str, str, str], ...] = (
    ("aws:autoscaling/lifecycleHook:LifecycleHook", "autoscalingGroupName", _GROUP, "name"),
    ("aws:autoscaling/policy:Policy", "autoscalingGroupName", _GROUP, "name"),
    ("aws:cloudtrail/trail:Trail", "s3BucketName", _BUCKET, "bucket"),
    ("aws:cloudwatch/logMetricFilter:LogMetricFilter", "logGroupName", _LOG, "name"),
    (_CACHE, "parameterGroupName", "aws:elasticache/parameterGroup:ParameterGroup", "name"),
    (_CACHE, "subnetGroupName", "aws:elasticache/subnetGroup:SubnetGroup", "name"),
    (_CACHE, "logDeliveryConfigurations.0.destination", _LOG, "name"),
    ("aws:iam/instanceProfile:InstanceProfile", "role", _ROLE, "name"),
    ("aws:iam/rolePolicy:RolePolicy", "role", _ROLE, "name"),
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role", _ROLE, "name"),
    ("aws:lb/loadBalancer:LoadBalancer", "accessLogs.bucket", _BUCKET, "bucket"),
    ("aws:lb/loadBalancer:LoadBalancer", "connectionLogs.bucket", _BUCKET, "bucket"),
    ("aws:lb/trustStore:TrustStore", "caCertificatesBundleS3Bucket", _BUCKET, "bucket"),
    ("aws:lb/trustStore:TrustStore", "caCertificatesBundleS3Key", _OBJECT, "key"),
    (_INSTANCE, "dbSubnetGroupName", "aws:rds/subnetGroup:SubnetGroup", "name"),
    (_INSTANCE, "parameterGroupName", "aws:rds/parameterGroup:ParameterGroup", "name"),
    ("aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup", "dbProxyName", "aws:rds/proxy:Proxy", "name"),
    ("aws:rds/proxyTarget:ProxyTarget", "dbProxyName", "aws:rds/proxy:Proxy", "name"),
    ("aws:rds/proxyTarget:ProxyTarget", "dbInstanceIdentifier", _INSTANCE, "identifier"),
    ("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "bucket", _BUCKET, "bucket"),
    ("aws:s3/bucketObjectv2:BucketObjectv2", "bucket", _BUCKET, "bucket"),
    ("aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination", "configurationSetName",
     _SES, "configurationSetName"),
    ("aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes", "emailIdentity",
     "aws:sesv2/emailIdentity:EmailIdentity", "emailIdentity"),
    ("aws:sesv2/emailIdentity:EmailIdentity", "configurationSetName", _SES, "configurationSetName"),
)  # fmt: skip
"""Inputs that name another resource of the stack: type and path, and the type and input that has the name."""
UNIQUE = ("name", "bucket", "identifier", "replicationGroupId", "configurationSetName")
"""Physical names: two resources of one type with the same would replace or refuse each other."""
_RECORD = "aws:route53/record:Record"
_PER_PARENT = {"aws:iam/rolePolicy:RolePolicy", "aws:autoscaling/lifecycleHook:LifecycleHook"}


def references_fit(facts: Facts) -> Iterator[Said]:
    """Every reference leads to a resource of the stack, of the type and attribute that its input takes."""
    known = {each.address for each in facts.graph if each.address}
    for resource in facts.graph:
        for found in references(resource.inputs):
            if found.address not in known:
                yield resource, "", f"{found.text} refers to nothing in the stack"
        for path, text in every_reference(resource.inputs):
            ends = [path.rpartition(".")[2], ".".join(path.split(".")[-2:])]
            found = next(references(text))
            for pattern, (types, attributes) in TARGETS.items():
                if not any(re.fullmatch(pattern, end) for end in ends):
                    continue
                if not re.fullmatch(types, found.type) or not re.fullmatch(attributes, found.attribute):
                    yield (
                        resource,
                        path,
                        f"refers to {found.type}.…{found.attribute}: must be {types}, {attributes}",
                    )


def names_lead_somewhere(facts: Facts) -> Iterator[Said]:
    """What one resource calls another is that one's name."""
    for token, path, target, name in NAMES:
        for resource in facts.graph.of(token):
            value = at(resource.inputs, path)
            if value is not None and facts.named(value, target, name) is None:
                there = ", ".join(str(each.inputs.get(name)) for each in facts.graph.of(target)) or "none"
                yield resource, path, f"{value!r} is no {target.rpartition(':')[2]} of the stack ({there})"


def names_are_unique(facts: Facts) -> Iterator[Said]:
    """No two resources of a type have one physical name."""
    seen: dict[tuple[str, str, str], Resource] = {}
    for resource in facts.graph:
        if not resource.type.startswith("aws:") or resource.type in _PER_PARENT:
            continue
        for key in UNIQUE:
            value = resource.inputs.get(key)
            if not isinstance(value, str) or "${" in value or resource.type.startswith("aws:s3/bucket") != (
                key == "bucket"
            ) or (key == "bucket" and resource.type != _BUCKET):  # fmt: skip
                continue
            # A zone has records of several types under one name.
            kind = (
                f"{resource.type} {resource.inputs.get('type')}"
                if resource.type == _RECORD
                else resource.type
            )
            other = seen.setdefault((kind, key, value), resource)
            if other is not resource:
                yield resource, key, f"{value!r} is the name of {other.name} as well"


def one_region_and_account(facts: Facts) -> Iterator[Said]:
    """Zones have ids; endpoints and ARNs are in the provider's region and account."""
    for resource in facts.graph:
        zone = resource.inputs.get("availabilityZone")
        if isinstance(zone, str):
            what = f"{zone} is another place in every account: a zone has an id"
            yield resource, "availabilityZone", what
        if resource.type == "aws:ec2/vpcEndpoint:VpcEndpoint":
            yield from _endpoint(facts, resource)
        if resource.type.startswith("aws:"):
            for _, region, account in re.findall(
                r"arn:aws[a-z-]*:([a-z0-9-]*):([a-z0-9-]*):(\d{12})", str(resource.inputs)
            ):
                if account != facts.account or region not in {"", facts.region}:
                    yield resource, "", f"an ARN of region {region or 'any'} and account {account}"


_GATEWAYS = {"s3", "dynamodb"}
_INTERFACES = {
    "autoscaling", "ec2", "ec2messages", "elasticache", "email-smtp", "kms", "logs", "monitoring", "rds",
    "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "sts",
}  # fmt: skip
"""https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html"""


def _endpoint(facts: Facts, endpoint: Resource) -> Iterator[Said]:
    service = str(endpoint.inputs.get("serviceName"))
    kind = str(endpoint.inputs.get("vpcEndpointType"))
    start = f"com.amazonaws.{facts.region}."
    known = _GATEWAYS if kind == "Gateway" else _INTERFACES
    if not service.startswith(start) or service.removeprefix(start) not in known:
        yield endpoint, "serviceName", f"{service} is no {kind} endpoint in {facts.region}"


def policies_name_their_bucket(facts: Facts) -> Iterator[Said]:
    """A bucket's policy is about that bucket: its ARN, and the objects in it."""
    from infra.policies.reading import statements  # noqa: PLC0415

    for policy in facts.graph.of("aws:s3/bucketPolicy:BucketPolicy"):
        bucket = facts.named(policy.inputs.get("bucket"), _BUCKET, "bucket")
        if bucket is None:
            yield policy, "bucket", "is no bucket of the stack"
            continue
        own = f"arn:aws:s3:::{bucket.inputs['bucket']}"
        for statement in statements(policy.inputs.get("policy")):
            for each in words(statement.get("Resource")):
                if each != own and not each.startswith(f"{own}/"):
                    yield policy, "policy", f"{statement.get('Sid')}: {each} is not this bucket ({own})"


def tags_are_the_fleets(facts: Facts) -> Iterator[Said]:
    """Hosts carry the tags by which slipway and IAM's conditions find them."""
    for group in facts.graph.of(_GROUP):
        tags = {str(each.get("key")): each for each in entries(group.inputs.get("tags"))}
        role = str(group.inputs.get("name")).removeprefix(f"{facts.fleet}-")
        for key, value in (("slipway:fleet", facts.fleet), ("slipway:role", role)):
            tag = tags.get(key, {})
            if tag.get("value") != value or tag.get("propagateAtLaunch") is not True:
                yield group, "tags", f"{key} must be {value} on every instance"
        if role not in {"web", "worker"}:
            yield group, "name", f"{group.inputs.get('name')!r} is not {facts.fleet} and a role"


def endpoints_are_where_hosts_are(facts: Facts) -> Iterator[Said]:
    """An interface endpoint has an address in every subnet of hosts, so that no zone depends on another."""
    homes = {
        each for group in facts.graph.of(_GROUP) for each in texts(group.inputs.get("vpcZoneIdentifiers"))
    }
    for endpoint in facts.graph.of("aws:ec2/vpcEndpoint:VpcEndpoint"):
        if endpoint.inputs.get("vpcEndpointType") == "Interface":
            missing = homes - set(texts(endpoint.inputs.get("subnetIds")))
            if missing:
                yield endpoint, "subnetIds", f"hosts in {', '.join(sorted(missing))} have none in their zone"


AGREEMENTS = (
    references_fit, names_lead_somewhere, names_are_unique, one_region_and_account,
    policies_name_their_bucket, tags_are_the_fleets, endpoints_are_where_hosts_are,
)  # fmt: skip
