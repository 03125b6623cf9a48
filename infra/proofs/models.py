"""AWS's own service models, as botocore ships them: the calls that make each resource, and their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

CALLS: dict[str, tuple[str, ...]] = {
    "aws:acm/certificate:Certificate": ("acm.RequestCertificate",),
    "aws:autoscaling/group:Group": (
        "autoscaling.CreateAutoScalingGroup", "autoscaling.StartInstanceRefresh",
        "autoscaling.EnableMetricsCollection",
    ),
    "aws:autoscaling/lifecycleHook:LifecycleHook": ("autoscaling.PutLifecycleHook",),
    "aws:autoscaling/policy:Policy": ("autoscaling.PutScalingPolicy",),
    "aws:budgets/budget:Budget": ("budgets.CreateBudget", "budgets.CreateBudget/Budget"),
    "aws:cloudtrail/trail:Trail": ("cloudtrail.CreateTrail",),
    "aws:cloudwatch/eventRule:EventRule": ("events.PutRule",),
    "aws:cloudwatch/eventTarget:EventTarget": ("events.PutTargets/Targets",),
    "aws:cloudwatch/logGroup:LogGroup": ("logs.CreateLogGroup", "logs.PutRetentionPolicy"),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": ("logs.PutMetricFilter",),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch.PutMetricAlarm",),
    "aws:ec2/eip:Eip": ("ec2.AllocateAddress",),
    "aws:ec2/flowLog:FlowLog": ("ec2.CreateFlowLogs",),
    "aws:ec2/internetGateway:InternetGateway": ("ec2.CreateInternetGateway", "ec2.AttachInternetGateway"),
    "aws:ec2/launchTemplate:LaunchTemplate": (
        "ec2.CreateLaunchTemplate", "ec2.CreateLaunchTemplate/LaunchTemplateData",
    ),
    "aws:ec2/natGateway:NatGateway": ("ec2.CreateNatGateway",),
    "aws:ec2/networkAcl:NetworkAcl": ("ec2.CreateNetworkAcl", "ec2.CreateNetworkAclEntry"),
    "aws:ec2/route:Route": ("ec2.CreateRoute",),
    "aws:ec2/routeTable:RouteTable": ("ec2.CreateRouteTable",),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ("ec2.AssociateRouteTable",),
    "aws:ec2/securityGroup:SecurityGroup": ("ec2.CreateSecurityGroup",),
    "aws:ec2/subnet:Subnet": ("ec2.CreateSubnet",),
    "aws:ec2/vpc:Vpc": ("ec2.CreateVpc",),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("ec2.CreateVpcEndpoint",),
    "aws:elasticache/parameterGroup:ParameterGroup": (
        "elasticache.CreateCacheParameterGroup", "elasticache.ModifyCacheParameterGroup",
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("elasticache.CreateReplicationGroup",),
    "aws:elasticache/subnetGroup:SubnetGroup": ("elasticache.CreateCacheSubnetGroup",),
    "aws:iam/instanceProfile:InstanceProfile": (
        "iam.CreateInstanceProfile", "iam.AddRoleToInstanceProfile",
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": ("iam.CreateOpenIDConnectProvider",),
    "aws:iam/role:Role": ("iam.CreateRole",),
    "aws:iam/rolePolicy:RolePolicy": ("iam.PutRolePolicy",),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("iam.AttachRolePolicy",),
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": ("iam.CreateServiceLinkedRole",),
    "aws:kms/alias:Alias": ("kms.CreateAlias",),
    "aws:kms/key:Key": ("kms.CreateKey", "kms.ScheduleKeyDeletion"),
    "aws:lb/listener:Listener": ("elbv2.CreateListener",),
    "aws:lb/listenerRule:ListenerRule": ("elbv2.CreateRule",),
    "aws:lb/loadBalancer:LoadBalancer": ("elbv2.CreateLoadBalancer",),
    "aws:lb/targetGroup:TargetGroup": ("elbv2.CreateTargetGroup",),
    "aws:lb/trustStore:TrustStore": ("elbv2.CreateTrustStore",),
    "aws:rds/instance:Instance": ("rds.CreateDBInstance", "rds.DeleteDBInstance"),
    "aws:rds/parameterGroup:ParameterGroup": (
        "rds.CreateDBParameterGroup", "rds.ModifyDBParameterGroup",
    ),
    "aws:rds/proxy:Proxy": ("rds.CreateDBProxy",),
    "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": ("rds.ModifyDBProxyTargetGroup",),
    "aws:rds/proxyTarget:ProxyTarget": ("rds.RegisterDBProxyTargets",),
    "aws:rds/subnetGroup:SubnetGroup": ("rds.CreateDBSubnetGroup",),
    "aws:route53/record:Record": ("route53.ChangeResourceRecordSets/ChangeBatch/Changes/ResourceRecordSet",),
    "aws:s3/bucket:Bucket": ("s3.CreateBucket",),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": (
        "s3.PutBucketCors", "s3.PutBucketCors/CORSConfiguration",
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "s3.PutBucketLifecycleConfiguration", "s3.PutBucketLifecycleConfiguration/LifecycleConfiguration",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("s3.PutObject",),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        "s3.PutBucketOwnershipControls", "s3.PutBucketOwnershipControls/OwnershipControls",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": ("s3.PutBucketPolicy",),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        "s3.PutPublicAccessBlock", "s3.PutPublicAccessBlock/PublicAccessBlockConfiguration",
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "s3.PutBucketEncryption", "s3.PutBucketEncryption/ServerSideEncryptionConfiguration",
    ),
    "aws:s3/bucketVersioning:BucketVersioning": ("s3.PutBucketVersioning",),
    "aws:secretsmanager/secret:Secret": (
        "secretsmanager.CreateSecret", "secretsmanager.DeleteSecret",
    ),
    "aws:secretsmanager/secretPolicy:SecretPolicy": ("secretsmanager.PutResourcePolicy",),
    "aws:sesv2/configurationSet:ConfigurationSet": ("sesv2.CreateConfigurationSet",),
    "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination": (
        "sesv2.CreateConfigurationSetEventDestination",
    ),
    "aws:sesv2/emailIdentity:EmailIdentity": ("sesv2.CreateEmailIdentity",),
    "aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes": (
        "sesv2.PutEmailIdentityMailFromAttributes",
    ),
    "aws:sns/topic:Topic": ("sns.CreateTopic",),
    "aws:sns/topicPolicy:TopicPolicy": ("sns.SetTopicAttributes",),
    "aws:sns/topicSubscription:TopicSubscription": ("sns.Subscribe",),
    "aws:ssm/parameter:Parameter": ("ssm.PutParameter",),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "ec2.AuthorizeSecurityGroupEgress", "ec2.AuthorizeSecurityGroupEgress/IpPermissions",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "ec2.AuthorizeSecurityGroupIngress", "ec2.AuthorizeSecurityGroupIngress/IpPermissions",
    ),
    "aws:wafv2/webAcl:WebAcl": ("wafv2.CreateWebACL",),
    "aws:wafv2/webAclAssociation:WebAclAssociation": ("wafv2.AssociateWebACL",),
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": (
        "wafv2.PutLoggingConfiguration/LoggingConfiguration",
    ),
}  # fmt: skip
"""By token, the calls with which Terraform's provider makes it: `service.Operation/member/member…`."""

WITHOUT_CALL = {
    "aws:acm/certificateValidation:CertificateValidation": "waits until ACM has issued the certificate",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "AWS makes it; only its rules are removed",
}
"""Resources of the provider that no call makes."""


@cache
def service(name: str) -> ServiceModel:
    """The model of a service, by botocore's name."""
    return ServiceModel(_LOADER.load_service_model(name, "service-2"), name)


_LOADER = Loader()


@cache
def shapes(token: str) -> tuple[StructureShape, ...]:
    """The input shapes of the calls that make a resource of type `token`; none if no call makes it."""
    return tuple(_shape(path) for path in CALLS.get(token, ()))


def _shape(path: str) -> StructureShape:
    call, *members = path.split("/")
    name, operation = call.split(".")
    shape: Shape | None = service(name).operation_model(operation).input_shape
    for member in members:
        shape = plain(cast("StructureShape", shape).members[member])
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{path} is no structure")
    return shape


@cache
def member_at(path: str) -> Shape:
    """The member at `service.Operation/member/member`, found by the same letters."""
    call, *names = path.split("/")
    shape: Shape = _shape(call)
    for name in names:
        found = member(cast("StructureShape", plain(shape)), name)
        if found is None:
            raise KeyError(f"{path}: no {name}")
        shape = found
    return shape


def plain(shape: Shape) -> Shape:
    """The shape itself, or what a list of it has."""
    return shape.member if isinstance(shape, ListShape) else shape


def member(shape: StructureShape, name: str) -> Shape | None:
    """The member that the provider calls `name`: the same letters, singular or plural."""
    wanted = _letters(name)
    by_letters = {_letters(each): found for each, found in shape.members.items()}
    for each in (wanted, f"{wanted}s", f"{wanted}es", wanted.removesuffix("s"), f"{wanted[:-1]}ies"):
        if each in by_letters:
            return by_letters[each]
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def breaches(value: Any, shape: Shape) -> Iterator[str]:
    """What the shape of a scalar says against `value`: its enum, pattern, length or range."""
    limits = shape.metadata
    allowed = cast("list[str]", limits.get("enum") or [])
    if allowed and str(value) not in allowed:
        near = ", ".join(allowed[:8]) + (", …" if len(allowed) > 8 else "")
        yield f"{value!r} is not one of {near}"
    if isinstance(value, str):
        yield from _text(value, shape, limits)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _between(value, limits, "")


def _text(value: str, shape: Shape, limits: dict[str, Any]) -> Iterator[str]:
    if shape.type_name in {"integer", "long", "float", "double"}:
        try:
            number = float(value)
        except ValueError:
            yield f"{value!r} is no number"
        else:
            yield from _between(number, limits, "")
        return
    if shape.type_name not in {"string", "blob"}:
        return
    yield from _between(len(value), limits, "characters, ")
    pattern = limits.get("pattern")
    if pattern and not _compiled(str(pattern)).fullmatch(value):
        yield f"{value!r} does not match {pattern}"


def _between(number: float, limits: dict[str, Any], of: str) -> Iterator[str]:
    least, most = limits.get("min"), limits.get("max")
    if least is not None and number < float(least):
        yield f"{of}must be at least {least}, got {number:g}"
    if most is not None and number > float(most):
        yield f"{of}must be at most {most}, got {number:g}"


_CLASSES = {
    r"\p{L}": "a-zA-Z\u00aa-\u024f\u0370-\u1fff\u2c00-\ud7ff", r"\p{M}": "\u0300-\u036f",
    r"\p{Z}": "\\s\u00a0\u2000-\u200a", r"\p{S}": "$+<=>^`|~\u00a2-\u00b8\u20a0-\u20bf\u2190-\u23ff",
    r"\p{N}": "0-9", r"\p{P}": "!-#%-*,-/:;?@\\[-\\]_{}\u2010-\u2027", r"\p{Zs}": " \u00a0",
    r"\p{IsLatin}": "a-zA-Z\u00c0-\u024f", r"\p{Print}": " -~", r"\p{ASCII}": "\\x00-\\x7f",
    r"\p{Graph}": "!-~", r"\p{Alnum}": "a-zA-Z0-9", r"\p{LD}": "a-zA-Z0-9", r"\p{Punct}": "!-/:-@\\[-`{-~",
    r"\p{Space}": "\\s",
}  # fmt: skip
"""Unicode classes that Python's expressions do not have, near enough for names and sentences."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff")  # surrogates
    # Java writes `\u0020`, as Python does; and `\x{10FFFF}`, which Python does not.
    pattern = re.sub(r"\\x\{([0-9A-Fa-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", pattern)
    flags = "".join(sorted(set("".join(re.findall(r"\(\?([imsx]+)\)", pattern)))))  # Python has them first
    pattern = re.sub(r"\(\?[imsx]+\)", "", pattern)
    return re.compile(f"(?{flags}){pattern}" if flags else pattern)


def inside(shape: Shape) -> Shape:
    """What a list or map of scalars contains."""
    while isinstance(shape, ListShape | MapShape):
        shape = shape.member if isinstance(shape, ListShape) else shape.value
    return shape
