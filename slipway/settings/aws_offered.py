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
        "abc",
    ),
    "us-east-1": "abcdef",
    "us-west-1": "abc",
    "us-west-2": "abcd",
    "ap-northeast-1": "acd",
    "ap-northeast-2": "abcd",
    "ca-central-1": "abd",
    "cn-north-1": "abd",
}  # fmt: skip
"""Letters of the zones of each region, in order: https://docs.aws.amazon.com/global-infrastructure/latest/regions/

Letters differ between accounts where a region is old: us-west-1 shows an account two of its three."""

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


def zone_letters(aws: Aws) -> str:
    """The letters of the stack's zones: as set, or the first of the region's own."""
    given = aws.network.zone_letters or ZONES.get(aws.region, "abc")
    return given[: aws.network.zones]


def offered_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """Regions, zones, versions and classes that AWS does not offer."""
    if aws.region not in ZONES:
        yield ("aws", "region"), f"AWS has no region {shown(aws.region)} ({DATE})", "for example us-east-1"
        return
    known = ZONES[aws.region]
    missing = [letter for letter in zone_letters(aws) if letter not in known]
    if missing:
        yield (
            ("aws", "network", "zone_letters"),
            f"{aws.region} has no zone {', '.join(aws.region + letter for letter in missing)}:"
            f" its letters are {known} ({DATE})",
            f'remove it, or "{known[: aws.network.zones]}"',
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
