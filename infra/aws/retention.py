"""How long CloudWatch keeps a log: it knows certain numbers of days only."""

from __future__ import annotations

_KNOWN = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""


def retention_days(days: int) -> int:
    """The fewest days that CloudWatch knows and that are at least `days`; beyond them 0, for ever."""
    return next((known for known in _KNOWN if known >= days), 0)
