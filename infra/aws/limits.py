"""AWS's limits on values: lengths of names, retention periods, names that may not come again."""

import hashlib
import os
from datetime import UTC, datetime

from infra import RECORDED

LOAD_BALANCER = 32
"""Maximum length of the name of a load balancer, target group or trust store."""
REPLICATION_GROUP = 40
"""Maximum length of the id of an ElastiCache replication group."""
_DIGEST = 6


def short_name(name: str, longest: int) -> str:
    """`name`; if it is longer than `longest`, its beginning and a digest, so that names stay unique."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"


_KNOWN = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Retention periods in days that CloudWatch accepts:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""


def retention_days(days: int) -> int:
    """The shortest period CloudWatch accepts that is at least `days`; 0 (no expiry) if there is none."""
    return next((known for known in _KNOWN if known >= days), 0)


FINAL_SNAPSHOT = "finalSnapshotIdentifier"
"""Pulumi keeps the first value (`ignore_changes`): the name is that of the database's making."""


def final_snapshot(fleet: str) -> str:
    """A name that no earlier database of this fleet has left: AWS refuses one that exists.

    A recorded graph has one that does not change, so that two of them can be compared.
    """
    made = datetime(2000, 1, 1, tzinfo=UTC) if os.environ.get(RECORDED) else datetime.now(UTC)
    return f"{fleet}-final-{made:%Y%m%d%H%M%S}"
