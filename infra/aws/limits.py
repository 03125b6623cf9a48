"""Names that AWS wants shorter than a fleet's may be."""

from __future__ import annotations

import hashlib

LOAD_BALANCER = 32
"""Longest name of a load balancer, target group or trust store."""
REPLICATION_GROUP = 40
"""Longest id of an ElastiCache replication group."""
_DIGEST = 6


def short_name(name: str, longest: int) -> str:
    """`name`; or, if longer than `longest`, its beginning and a digest of it, so that names stay apart."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"


# How long CloudWatch keeps a log: it knows certain numbers of days only.


_KNOWN = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""


def retention_days(days: int) -> int:
    """The fewest days that CloudWatch knows and that are at least `days`; beyond them 0, for ever."""
    return next((known for known in _KNOWN if known >= days), 0)
