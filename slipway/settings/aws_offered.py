"""What AWS offers, as a dated table, for refusals without credentials: regions, zones, versions, classes.

Regions are those of botocore's endpoints; a test compares them. PostgreSQL's versions are those for which
RDS' release notes list extensions. Zones and classes are from AWS's documentation, and were not compared
with AWS's answers: a new class or version that this table does not have is refused although AWS would take
it. Extend the table then. With credentials, slipway/platforms/aws/offered.py asks AWS itself before a stack
is made.
"""

from collections.abc import Iterator

from slipway.settings.aws import Aws
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

DATE = "2026-11-26"
"""When this table was last compared with what is public."""

ZONES: dict[str, str] = {
    **dict.fromkeys(
        (
            "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
            "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
            "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1",
            "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
            "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-2", "us-gov-east-1",
            "us-gov-west-1", "cn-northwest-1",
        ),
        "123",
    ),
    "us-east-1": "124563",
    "us-west-1": "13",
    "us-west-2": "1234",
    "ap-northeast-1": "124",
    "ap-northeast-2": "1234",
    "ca-central-1": "124",
    "cn-north-1": "124",
}  # fmt: skip
"""Numbers of the zones of each region, best first: `use1-az1` has 1.
https://docs.aws.amazon.com/global-infrastructure/latest/regions/

Zones that AWS no longer gives to new accounts (usw1-az2, apne1-az3, cac1-az3) are left out. use1-az3 is last:
EKS and newer instance types are not there (https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html).
An account may lack others: `slipway bootstrap` asks."""

_DIRECTIONS = {
    "central": "c", "east": "e", "gov": "g", "north": "n", "northeast": "ne", "northwest": "nw", "south": "s",
    "southeast": "se", "west": "w",
}  # fmt: skip

POSTGRES = ("15", "16", "17", "18")
"""Major versions that RDS supports and slipway can use (15 at least: docs/aws.md, Limits):
https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html"""

_BURSTABLE = ("micro", "small", "medium", "large", "xlarge", "2xlarge")
_SMALL = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
_GRAVITON4 = (*_SMALL, "24xlarge", "48xlarge")
_INTEL = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")
DATABASE_CLASSES: dict[str, tuple[str, ...]] = {
    "t3": _BURSTABLE,
    "t4g": _BURSTABLE,
    "m5": _INTEL, "m5d": _INTEL, "r5": _INTEL, "r5b": _INTEL, "r5d": _INTEL,
    "m6g": _SMALL, "m6gd": _SMALL, "r6g": _SMALL, "r6gd": _SMALL,
    "m6i": (*_INTEL, "32xlarge"), "m6id": (*_INTEL, "32xlarge"),
    "r6i": (*_INTEL, "32xlarge"), "r6id": (*_INTEL, "32xlarge"),
    "m7g": _SMALL, "r7g": _SMALL,
    "m7i": (*_INTEL, "48xlarge"), "r7i": (*_INTEL, "48xlarge"),
    "m8g": _GRAVITON4, "r8g": _GRAVITON4, "m8gd": _GRAVITON4, "r8gd": _GRAVITON4,
    "x2g": _SMALL,
}  # fmt: skip
"""Sizes, by family: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Types.html"""

_CACHE = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
CACHE_TYPES: dict[str, tuple[str, ...]] = {
    "t3": ("micro", "small", "medium"),
    "t4g": ("micro", "small", "medium"),
    "m5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
    "r5": ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"),
    "m6g": _CACHE, "r6g": _CACHE, "m7g": _CACHE, "r7g": _CACHE,
    "r6gd": ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"),
    "c7gn": _CACHE,
}  # fmt: skip
"""Sizes, by family: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html"""


def region_zones(region: str) -> list[str]:
    """Ids of all zones of `region`, best first: `eu-central-1` has `euc1-az1`, `euc1-az2`, `euc1-az3`."""
    place, *words, number = region.split("-")
    prefix = place + "".join(_DIRECTIONS.get(word, word) for word in words) + number
    return [f"{prefix}-az{each}" for each in ZONES.get(region, "123")]


def zone_ids(aws: Aws) -> list[str]:
    """Ids of the stack's zones: those kept in its settings, or the first of the region's own."""
    return (aws.network.zone_ids or region_zones(aws.region))[: aws.network.zones]


def offered_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """Regions, zones, versions and classes that AWS does not offer."""
    if aws.region not in ZONES:
        yield ("aws", "region"), f"AWS has no region {shown(aws.region)} ({DATE})", "for example us-east-1"
        return
    known = region_zones(aws.region)
    if missing := [zone for zone in zone_ids(aws) if zone not in known]:
        yield (
            ("aws", "network", "zone_ids"),
            f"{aws.region} has no zone {', '.join(missing)}: it has {', '.join(sorted(known))} ({DATE})",
            f"remove zone_ids: slipway bootstrap --stack {stack.name} asks AWS and writes them",
        )
    elif len(known) < aws.network.zones:
        yield (
            ("aws", "network", "zones"),
            f"must be {len(known)} in {aws.region}, got {aws.network.zones}: an account has no more there",
            f"{len(known)}, or another region",
        )
    if stack.database == "postgres":
        yield from _database(aws)
    if stack.redis:
        yield from _class("cache", aws.cache.type, CACHE_TYPES, "ElastiCache")


def _database(aws: Aws) -> Iterator[Broken]:
    major = aws.database.version.partition(".")[0]
    if major not in POSTGRES:
        yield (
            ("aws", "database", "version"),
            f"must be PostgreSQL {', '.join(POSTGRES)}, got {shown(aws.database.version)} ({DATE})",
            "older ones have left RDS' standard support, or give the schema public to RDS itself",
        )
    yield from _class("database", aws.database.type, DATABASE_CLASSES, "RDS for PostgreSQL")


def _class(part: str, given: str, known: dict[str, tuple[str, ...]], who: str) -> Iterator[Broken]:
    prefix, _, rest = given.partition(".")
    family, _, size = rest.partition(".")
    if not size or prefix not in {"db", "cache"}:
        return  # data_rules says what such a name looks like
    if size not in known.get(family, ()):
        sizes = ", ".join(known.get(family, ())) or f"families: {', '.join(known)}"
        yield ("aws", part, "type"), f"{who} has no {shown(given)}: {sizes} ({DATE})", "choose one of these"
