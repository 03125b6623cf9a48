"""Agreement of presence: what must be there is there, once for each that needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from infra.policies.reading import entries, texts
from infra.proofs.facts import Facts, Said
from infra.proofs.network_map import first
from infra.recording.graph import Resource

_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_S3 = "aws:s3/bucket"
COMPANIONS: tuple[tuple[str, str, str], ...] = (
    *(
        (f"{_S3}:Bucket", f"{_S3}{part}:Bucket{part}", "bucket")
        for part in (
            "LifecycleConfiguration", "OwnershipControls", "Policy", "PublicAccessBlock",
            "ServerSideEncryptionConfiguration", "Versioning",
        )
    ),
    ("aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretPolicy:SecretPolicy", "secretArn"),
    ("aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy", "arn"),
    ("aws:ec2/subnet:Subnet", "aws:ec2/routeTableAssociation:RouteTableAssociation", "subnetId"),
    ("aws:autoscaling/group:Group", "aws:autoscaling/lifecycleHook:LifecycleHook", "autoscalingGroupName"),
)  # fmt: skip
"""Type, type of its companion, and the companion's input that names it."""


_KEY = "aws_kms_key"
ENCRYPTED: dict[str, str] = {
    "aws:cloudtrail/trail:Trail": "kmsKeyId", "aws:cloudwatch/logGroup:LogGroup": "kmsKeyId",
    "aws:elasticache/replicationGroup:ReplicationGroup": "kmsKeyId",
    "aws:rds/instance:Instance": "kmsKeyId masterUserSecretKmsKeyId performanceInsightsKmsKeyId",
    "aws:secretsmanager/secret:Secret": "kmsKeyId", "aws:sns/topic:Topic": "kmsMasterKeyId",
}  # fmt: skip
"""By type, inputs that name the stack's key; without them AWS takes a key of its own.

A performance-insights key only where insights are on."""
NEEDED: dict[str, str] = {
    "aws:ec2/launchTemplate:LaunchTemplate": "imageId instanceType userData metadataOptions",
    "aws:ec2/securityGroup:SecurityGroup": "vpcId",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpcId",
    "aws:lb/targetGroup:TargetGroup": "vpcId port protocol healthCheck",
    "aws:ec2/flowLog:FlowLog": "vpcId logDestination", "aws:ec2/vpcEndpoint:VpcEndpoint": "vpcEndpointType",
    "aws:ec2/subnet:Subnet": "cidrBlock availabilityZoneId", "aws:ec2/vpc:Vpc": "cidrBlock",
    "aws:rds/instance:Instance": "allocatedStorage dbName dbSubnetGroupName engineVersion"
    " parameterGroupName port username storageType vpcSecurityGroupIds",
    "aws:elasticache/replicationGroup:ReplicationGroup": "engineVersion nodeType parameterGroupName port"
    " subnetGroupName securityGroupIds",
    "aws:autoscaling/group:Group": "launchTemplate vpcZoneIdentifiers minSize maxSize"
    " instanceMaintenancePolicy",
    "aws:autoscaling/policy:Policy": "policyType targetTrackingConfiguration",
    "aws:rds/proxy:Proxy": "auths",
    "aws:rds/proxyTarget:ProxyTarget": "dbInstanceIdentifier",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "threshold comparisonOperator evaluationPeriods name",
    "aws:budgets/budget:Budget": "costFilters limitAmount limitUnit",
    "aws:iam/rolePolicy:RolePolicy": "role policy", "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "rules",
    "aws:lb/trustStore:TrustStore": "caCertificatesBundleS3Bucket caCertificatesBundleS3Key",
    "cloudflare:index/ruleset:Ruleset": "rules zoneId", "cloudflare:index/dnsRecord:DnsRecord": "content",
    "cloudflare:index/workersScript:WorkersScript": "content mainModule migrations",
    "cloudflare:index/workersCustomDomain:WorkersCustomDomain": "zoneId",
}  # fmt: skip
"""By type, inputs that the SDKs let a program leave out, and that are refused or guessed wrongly then."""


def everything_is_encrypted_with_our_key(facts: Facts) -> Iterator[Said]:
    """What keeps data or secrets is encrypted with the stack's key."""
    for token, names in ENCRYPTED.items():
        for each in facts.graph.of(token):
            for name in names.split():
                on = each.inputs.get("performanceInsightsEnabled") if "Insights" in name else True
                if on and not first(each.inputs.get(name)).startswith(f"{_KEY}."):
                    yield each, name, "is not the stack's key"


def nothing_needed_is_left_out(facts: Facts) -> Iterator[Said]:
    """Each resource has the inputs without which it is refused, or becomes something else."""
    for token, names in NEEDED.items():
        for each in facts.graph.of(token):
            for name in names.split():
                if each.inputs.get(name) in (None, "", [], {}):
                    yield each, name, "is left out"
    for listener in facts.graph.of("aws:lb/listener:Listener"):
        if listener.inputs.get("protocol") == "HTTPS" and not listener.inputs.get("certificateArn"):
            yield listener, "certificateArn", "is left out: HTTPS needs one"
    for record in facts.graph.of("cloudflare:index/dnsRecord:DnsRecord"):
        if record.inputs.get("type") == "MX" and record.inputs.get("priority") is None:
            yield record, "priority", "is left out: a record of type MX needs one"


def everything_has_its_companions(facts: Facts) -> Iterator[Said]:
    """Each bucket, secret, topic, subnet and group has one of each companion."""
    for token, part, key in COMPANIONS:
        companions = facts.graph.of(part)
        owners = Counter(_owner(facts, each, token, key) for each in companions)
        for each in facts.graph.of(token):
            if (count := owners[each.name]) != 1:
                yield each, "", f"has {count or 'no'} {part.rpartition(':')[2]}: each has one"


def the_site_is_open_where_it_should_be(facts: Facts) -> Iterator[Said]:
    """Ranges outside of the network reach the load balancer alone, the same ones on each port."""
    inside = [str(each.inputs.get("cidrBlock")) for each in facts.graph.of("aws:ec2/vpc:Vpc")]
    public = {
        first(group)
        for balancer in facts.graph.of("aws:lb/loadBalancer:LoadBalancer")
        for group in texts(balancer.inputs.get("securityGroups"))
    }
    ranges: dict[tuple[str, int], set[str]] = {}
    for rule in facts.graph.of(_INGRESS):
        cidr = str(rule.inputs.get("cidrIpv4") or rule.inputs.get("cidrIpv6") or "")
        if not cidr or any(_within(cidr, each) for each in inside):
            continue
        group = first(rule.inputs.get("securityGroupId"))
        if group not in public:
            yield rule, "securityGroupId", f"lets {cidr} in to what is no load balancer"
        ranges.setdefault((group, int(rule.inputs.get("fromPort") or 0)), set()).add(cidr)
    whole = set[str]().union(*ranges.values())
    for (group, port), found in ranges.items():
        if group in public and (missing := whole - found):
            lacking = facts.graph.by_address(group)
            yield lacking, "", f"port {port} is closed to {', '.join(sorted(missing))}: others are not"


def _owner(facts: Facts, companion: Resource, token: str, key: str) -> str:
    """The name of the resource of type `token` that the companion names by its input `key`."""
    value = companion.inputs.get(key)
    for each in facts.graph.of(token):
        if first(value) == each.address or value in (each.inputs.get("bucket"), each.inputs.get("name")):
            return each.name
    return ""


def _within(cidr: str, network: str) -> bool:
    try:
        one, other = ip_network(cidr), ip_network(network)
    except ValueError:
        return False
    return one.version == other.version and one.subnet_of(other)  # pyright: ignore[reportArgumentType]


def uploads_are_for_the_site(facts: Facts) -> Iterator[Said]:
    """Browsers may use the uploads bucket from pages of the site, and of no other."""
    url = str(facts.graph.outputs.get("url"))
    for each in facts.graph.of("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"):
        for rule in entries(each.inputs.get("corsRules")):
            if url not in texts(rule.get("allowedOrigins")):
                yield each, "corsRules", f"the site, {url}, is none of {texts(rule.get('allowedOrigins'))}"


def names_below_the_site_are_whole(facts: Facts) -> Iterator[Said]:
    """Previews' names, below the site's, are in DNS, the certificate and uploads' origins, or in none."""
    site = urlsplit(str(facts.graph.outputs.get("url"))).hostname
    records = [
        each
        for token in ("aws:route53/record:Record", "cloudflare:index/dnsRecord:DnsRecord")
        for each in facts.graph.of(token)
        if str(each.inputs.get("name")).startswith("*.")
    ]
    for each in records:
        if each.inputs.get("name") != f"*.{site}":
            yield each, "name", f"is not below the site, {site}"
    for each in facts.graph.of("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"):
        rules = entries(each.inputs.get("corsRules"))
        found = {origin for rule in rules for origin in texts(rule.get("allowedOrigins"))}
        if (f"https://*.{site}" in found) != bool(records):
            yield each, "corsRules", f"uploads from *.{site} and its DNS record go together"
    for each in facts.graph.of("aws:acm/certificate:Certificate"):
        named = f"*.{site}" in texts(each.inputs.get("subjectAlternativeNames"))
        if named != bool(records):
            yield each, "subjectAlternativeNames", f"*.{site} in it and its DNS record go together"
    for each in facts.graph.of("cloudflare:index/certificatePack:CertificatePack") if records else ():
        if f"*.{site}" not in texts(each.inputs.get("hosts")):
            yield each, "hosts", f"*.{site} is not in it, and has a record at Cloudflare"


AGREEMENTS = (
    everything_is_encrypted_with_our_key, everything_has_its_companions,
    the_site_is_open_where_it_should_be, uploads_are_for_the_site, names_below_the_site_are_whole,
)  # fmt: skip
