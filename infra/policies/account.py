"""The account: providers, the trail, logs, alarms, mail."""

from __future__ import annotations

from collections.abc import Iterable

from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

PROVIDER = "pulumi:providers:aws"
TRAIL = "aws:cloudtrail/trail:Trail"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"
MAIL = "aws:sesv2/configurationSet:ConfigurationSet"
BUDGET = "aws:budgets/budget:Budget"

SETTINGS = [
    holds(
        "provider-one-account", PROVIDER, "allowedAccountIds", good='["123456789012"]', bad="[]",
        when=lambda value: value not in ("[]", []),
        says="A stack is made in the account it names, and in no other.", controls=("I7",),
        severity="critical",
    ),
    holds(
        "provider-default-tags", PROVIDER, "defaultTags", good='{"tags":{"slipway:stack":"prod"}}', bad="{}",
        when=lambda value: "slipway:" in str(value),
        says="All that a stack has is tagged as its own.", controls=("I8",), severity="medium",
    ),
    holds(
        "trail-everywhere", TRAIL, "isMultiRegionTrail", good=True, bad=False,
        says="The trail sees every region.", controls=("CloudTrail.1",), severity="high",
    ),
    holds(
        "trail-validated", TRAIL, "enableLogFileValidation", good=True, bad=False,
        says="A forged trail is noticed.", controls=("CloudTrail.4",), severity="medium",
    ),
    holds(
        "logs-end", LOG_GROUP, "retentionInDays", good=30, bad=0,
        when=lambda value: isinstance(value, int) and value > 0,
        says="Logs are kept for a set time.", controls=("CloudWatch.16", "I11"), severity="low",
    ),
    holds(
        "alarms-tell", ALARM, "alarmActions", good=["arn"], bad=[], when=bool,
        says="An alarm tells somebody.", controls=("CloudWatch.15", "I10"), severity="high",
    ),
    holds(
        "alarms-mind-silence", ALARM, "treatMissingData", good="notBreaching", bad="ignore",
        when=lambda value: value in {"breaching", "notBreaching", "missing"},
        says="What silence means is said for every alarm.", controls=("I10",), severity="low",
    ),
    holds(
        "topic-encrypted", TOPIC, "kmsMasterKeyId", good="alias/aws/sns", bad="", when=bool,
        says="What alarms say is encrypted at rest.", controls=("SNS.1", "I10"), severity="low",
    ),
    holds(
        "mail-by-tls", MAIL, "deliveryOptions.tlsPolicy", good="REQUIRE", bad="OPTIONAL",
        says="Mail is handed over by TLS or not at all.", controls=("SES.3", "P7"), severity="medium",
    ),
    holds(
        "budget-tells", BUDGET, "notifications", good=[{"threshold": 80}], bad=[], when=bool,
        says="The bill's alarm tells somebody.", controls=("I10",), severity="low",
    ),
]  # fmt: skip

_PROVIDER = made(PROVIDER, "aws")


@rule(
    "provider-explicit", "*",
    controls=("I7",), severity="high", remedy="pass the stack's provider down: providers=[…]",
    passing=[world(_PROVIDER, made("aws:s3/bucket:Bucket", provider=_PROVIDER.urn))],
    failing=[world(made("aws:s3/bucket:Bucket"))],
)  # fmt: skip
def provider_explicit(resource: Resource, _: World) -> Iterable[str]:
    """Every resource is made by a provider that the program names, not by one of the environment's."""
    if resource.custom and resource.type.startswith(("aws:", "cloudflare:")):
        name = resource.provider.rpartition("::")[2]
        if not name or name.startswith("default"):
            yield "is made by the default provider: the environment decides where"


@rule(
    "region-by-provider", "*",
    controls=("I1",), severity="medium", remedy="leave region out: changing it replaces the resource",
    passing=[world(made("aws:s3/bucket:Bucket"))],
    failing=[world(made("aws:s3/bucket:Bucket", inputs={"region": "us-east-1"}))],
)  # fmt: skip
def region_by_provider(resource: Resource, _: World) -> Iterable[str]:
    """Where a resource is, its provider says."""
    if resource.type.startswith("aws:") and resource.inputs.get("region"):
        yield f"region is {resource.inputs['region']}"


@rule(
    "nothing-deprecated", "*",
    controls=("I1",), severity="low", remedy="use the resource's successor",
    passing=[world(made("aws:s3/bucketVersioning:BucketVersioning"))],
    failing=[
        world(made("aws:s3/bucketVersioningV2:BucketVersioningV2")),
        world(made("aws:s3/bucketV2:BucketV2")),
        world(made("aws:alb/loadBalancer:LoadBalancer")),
        world(made("cloudflare:index/record:Record")),
        world(made("cloudflare:index/workerScript:WorkerScript")),
    ],
)  # fmt: skip
def nothing_deprecated(resource: Resource, _: World) -> Iterable[str]:
    """No resource that its provider is about to drop."""
    old = resource.type.startswith(("aws:alb/", "aws:elb/")) or resource.type in {
        "aws:s3/bucketObject:BucketObject", "cloudflare:index/record:Record",
        "cloudflare:index/workerScript:WorkerScript", "cloudflare:index/workerRoute:WorkerRoute",
        "cloudflare:index/zoneSettingsOverride:ZoneSettingsOverride",
    }  # fmt: skip
    if old or (resource.type.startswith("aws:s3/") and resource.type.endswith("V2")):
        yield "is deprecated"


RULES = [*SETTINGS, provider_explicit, region_by_provider, nothing_deprecated]
