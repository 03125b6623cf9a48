"""Times in buckets that grow by one hundredth: small, mergeable, and every percentile within 0.5 %.

The buckets are those of DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds the times above G^(i-1) and up
to G^i microseconds, and stands for the value that is at most `ACCURACY` off from either end.
"""

import math
from collections.abc import Iterable
from typing import Self

ACCURACY = 0.005
"""Largest relative error of a percentile, above one microsecond."""
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_SCALE = 1 / math.log(_GROWTH)


class Histogram:
    """How long things took, in milliseconds. Sums are whole microseconds, so that merging is exact."""

    __slots__ = ("buckets", "count", "longest_us", "sum_us")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.sum_us = 0
        self.longest_us = 0

    def add(self, ms: float) -> None:
        """Count one that took `ms`; what is negative or no number counts as nothing."""
        us = int(ms * 1000 + 0.5) if ms > 0 else 0
        bucket = math.ceil(math.log(us) * _SCALE) if us > 1 else 0
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.sum_us += us
        if us > self.longest_us:  # noqa: PLR1730 - max() takes twice the time, for every request
            self.longest_us = us

    def merge(self, other: Self) -> None:
        """Count all that `other` counted."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.sum_us += other.sum_us
        self.longest_us = max(self.longest_us, other.longest_us)

    def percentile(self, percent: float) -> float | None:
        """The time in ms that `percent` of them did not exceed (nearest rank); None without data."""
        if not self.count:
            return None
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(_middle(bucket), self.longest_us) / 1000
        raise AssertionError("a histogram counts what is in its buckets")

    def above(self, ms: float) -> int:
        """How many certainly took longer than `ms`, up to `ACCURACY`."""
        limit = ms * 1000
        return sum(count for bucket, count in self.buckets.items() if _middle(bucket) > limit)

    @property
    def longest(self) -> float | None:
        """The longest in ms; None without data."""
        return self.longest_us / 1000 if self.count else None

    def to_json(self) -> list[int]:
        """Count, sum and longest in microseconds, then bucket and count in turn."""
        return [
            self.count,
            self.sum_us,
            self.longest_us,
            *(number for pair in sorted(self.buckets.items()) for number in pair),
        ]

    @classmethod
    def from_json(cls, numbers: Iterable[int]) -> Self:
        """The histogram that `to_json` wrote."""
        found = cls()
        found.count, found.sum_us, found.longest_us, *pairs = numbers
        found.buckets = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return found


def _middle(bucket: int) -> float:
    """What a bucket stands for, in microseconds."""
    return 2 * _GROWTH**bucket / (_GROWTH + 1) if bucket else 0.0
