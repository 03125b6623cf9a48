"""Agreement of single settings with what AWS offers or with each other, that no model of AWS's has."""

from __future__ import annotations

from collections.abc import Iterator

from infra.policies.reading import at, entries, table
from infra.proofs.facts import Facts, Said
from infra.proofs.network_map import first
from infra.recording.graph import Resource
from slipway.settings.aws_fit import architecture_of_image, architecture_of_type
from slipway.settings.aws_offered import CACHE_TYPES, DATABASE_CLASSES, POSTGRES, ZONES, region_zones

_INSTANCE = "aws:rds/instance:Instance"
_CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
MANAGED_POLICIES = {"service-role/AmazonRDSEnhancedMonitoringRole"}
"""https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"""
OVERRIDES = {
    "AWSManagedRulesCommonRuleSet": {
        "NoUserAgent_HEADER", "UserAgent_BadBots_HEADER", "SizeRestrictions_QUERYSTRING",
        "SizeRestrictions_Cookie_HEADER", "SizeRestrictions_BODY", "SizeRestrictions_URIPATH",
        "EC2MetaDataSSRF_BODY", "EC2MetaDataSSRF_COOKIE", "EC2MetaDataSSRF_URIPATH",
        "EC2MetaDataSSRF_QUERYARGUMENTS", "GenericLFI_QUERYARGUMENTS", "GenericLFI_URIPATH",
        "GenericLFI_BODY", "RestrictedExtensions_URIPATH", "RestrictedExtensions_QUERYARGUMENTS",
        "GenericRFI_QUERYARGUMENTS", "GenericRFI_BODY", "GenericRFI_URIPATH",
        "CrossSiteScripting_COOKIE", "CrossSiteScripting_QUERYARGUMENTS", "CrossSiteScripting_BODY",
        "CrossSiteScripting_URIPATH",
    },
}  # fmt: skip
"""Rules of a group: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html"""
ON: tuple[tuple[str, str, object], ...] = (
    ("aws:lb/targetGroup:TargetGroup", "stickiness.enabled", True),
    ("aws:lb/targetGroup:TargetGroup", "healthCheck.enabled", True),
    ("aws:cloudtrail/trail:Trail", "enableLogging", True),
    ("aws:cloudtrail/trail:Trail", "includeGlobalServiceEvents", True),
    ("aws:sesv2/configurationSet:ConfigurationSet", "sendingOptions.sendingEnabled", True),
    ("aws:sesv2/configurationSet:ConfigurationSet", "reputationOptions.reputationMetricsEnabled", True),
    ("aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination",
     "eventDestination.enabled", True),
    ("aws:wafv2/webAcl:WebAcl", "visibilityConfig.cloudwatchMetricsEnabled", True),
    ("aws:secretsmanager/secretPolicy:SecretPolicy", "blockPublicPolicy", True),
    ("aws:ec2/launchTemplate:LaunchTemplate", "networkInterfaces.0.deviceIndex", 0),
    ("aws:ec2/launchTemplate:LaunchTemplate", "networkInterfaces.0.deleteOnTermination", "true"),
    ("aws:ec2/launchTemplate:LaunchTemplate", "blockDeviceMappings.0.ebs.deleteOnTermination", "true"),
    ("aws:ec2/launchTemplate:LaunchTemplate", "monitoring.enabled", True),
    ("aws:lb/loadBalancer:LoadBalancer", "enableHttp2", True),
    (_INSTANCE, "engine", "postgres"),
)  # fmt: skip
"""Settings without which another part of the stack does not work: alarms, mail, WebSockets, set-up."""


def switches_are_on(facts: Facts) -> Iterator[Said]:
    """What other parts rely on is switched on."""
    for token, path, wanted in ON:
        for each in facts.graph.of(token):
            if at(each.inputs, path) != wanted:
                yield each, path, f"is {at(each.inputs, path)!r}: other parts rely on {wanted!r}"
    for endpoint in facts.graph.of("aws:ec2/vpcEndpoint:VpcEndpoint"):
        interface = endpoint.inputs.get("vpcEndpointType") == "Interface"
        if interface and endpoint.inputs.get("privateDnsEnabled") is not True:
            yield endpoint, "privateDnsEnabled", "the service's name would not lead to it, so no host uses it"


def sizes_are_offered(facts: Facts) -> Iterator[Said]:
    """Zones, classes and versions are in the dated table of what AWS offers; hosts can boot their image."""
    for subnet in facts.graph.of("aws:ec2/subnet:Subnet"):
        zone = str(subnet.inputs.get("availabilityZoneId"))
        if facts.region in ZONES and zone not in region_zones(facts.region):
            yield subnet, "availabilityZoneId", f"{facts.region} has no zone {zone}"
    for token, name, prefix, known in (
        (_INSTANCE, "instanceClass", "db", DATABASE_CLASSES), (_CACHE, "nodeType", "cache", CACHE_TYPES),
    ):  # fmt: skip
        for each in facts.graph.of(token):
            start, _, rest = str(each.inputs.get(name)).partition(".")
            family, _, size = rest.partition(".")
            if start != prefix or size not in known.get(family, ()):
                yield each, name, f"{each.inputs.get(name)} is not offered (slipway/settings/aws_offered.py)"
    for each in facts.graph.of(_INSTANCE):
        if str(each.inputs.get("engineVersion")).partition(".")[0] not in POSTGRES:
            yield each, "engineVersion", f"{each.inputs.get('engineVersion')} is not offered"
    for template in facts.graph.of("aws:ec2/launchTemplate:LaunchTemplate"):
        yield from _boots(facts, template)


def _boots(facts: Facts, template: Resource) -> Iterator[Said]:
    image, kind = str(template.inputs.get("imageId")), str(template.inputs.get("instanceType"))
    baked = image.removeprefix("resolve:ssm:")
    role = str(template.inputs.get("name")).removeprefix(f"{facts.fleet}-")
    if baked.startswith("/slipway/") and not baked.startswith(f"/{facts.path}/image/{role}/"):
        yield template, "imageId", f"{baked} is no image of {role} hosts of this stack"
    wanted, own = architecture_of_image(image), architecture_of_type(kind)
    if not image.startswith("ami-") and wanted is None:
        yield template, "imageId", f"{image} names no architecture that is known"
    if wanted and own and wanted != own:
        yield template, "instanceType", f"{kind} is {own} and the image is for {wanted}: no host would boot"


def firewall_rules_exist(facts: Facts) -> Iterator[Said]:
    """Managed groups are AWS's, rules in them exist, windows are those that WAF has, alarms name a rule."""
    for acl in facts.graph.of("aws:wafv2/webAcl:WebAcl"):
        metrics = {"ALL"}
        for rule in entries(acl.inputs.get("rules")):
            metrics.add(str(at(rule, "visibilityConfig.metricName")))
            group = table(at(rule, "statement.managedRuleGroupStatement"))
            if group and group.get("vendorName") != "AWS":
                yield acl, "rules", f"{group.get('name')} is not of vendor AWS"
            known = OVERRIDES.get(str(group.get("name")))
            for each in entries(group.get("ruleActionOverrides")):
                if known is not None and each.get("name") not in known:
                    yield acl, "rules", f"{group.get('name')} has no rule {each.get('name')}"
            window = at(rule, "statement.rateBasedStatement.evaluationWindowSec")
            if window not in {None, 60, 120, 300, 600}:
                yield acl, "rules", f"a window of {window} s: WAF has 60, 120, 300 and 600"
        for alarm in facts.graph.of("aws:cloudwatch/metricAlarm:MetricAlarm"):
            named = table(alarm.inputs.get("dimensions")).get("Rule")
            if named is not None and named not in metrics:
                yield alarm, "dimensions.Rule", f"{named} is no rule's metric"
    for part in facts.graph.of("aws:wafv2/webAclAssociation:WebAclAssociation"):
        if not first(part.inputs.get("resourceArn")).startswith("aws_lb."):
            yield part, "resourceArn", "is no load balancer"
    for part in facts.graph.of("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"):
        if not first(part.inputs.get("resourceArn")).startswith("aws_wafv2_web_acl."):
            yield part, "resourceArn", "is no web ACL"


def numbers_make_sense(facts: Facts) -> Iterator[Said]:
    """Targets are percentages, filters count numbers, and AWS's own policies are called by their names."""
    for policy in facts.graph.of("aws:autoscaling/policy:Policy"):
        target = at(policy.inputs, "targetTrackingConfiguration.targetValue")
        if target is not None and not 0 < float(target) <= 100:
            yield (
                policy,
                "targetTrackingConfiguration.targetValue",
                f"{target} percent is never reached",
            )
    for each in facts.graph.of("aws:cloudwatch/logMetricFilter:LogMetricFilter"):
        value = str(at(each.inputs, "metricTransformation.value"))
        if not value.isdigit() and not value.startswith("$"):
            yield each, "metricTransformation.value", f"{value!r} is no number"
    for each in facts.graph.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment"):
        arn = str(each.inputs.get("policyArn"))
        if arn.startswith("arn:aws:iam::aws:policy/") and arn.partition("policy/")[2] not in MANAGED_POLICIES:
            yield each, "policyArn", f"{arn} is no policy of AWS that is known here"
    for budget in facts.graph.of("aws:budgets/budget:Budget"):
        for each in entries(budget.inputs.get("notifications")):
            if float(each.get("threshold") or 0) > 200:
                yield budget, "notifications", f"notifies at {each.get('threshold')} percent: too late"


AGREEMENTS = (switches_are_on, sizes_are_offered, firewall_rules_exist, numbers_make_sense)
