"""Latencies of any number of requests in little memory: buckets 1 % apart, the maximum exact."""

from __future__ import annotations

import math
from collections import Counter

_STEP = math.log(1.01)
_FLOOR_MS = 0.01


class Histogram:
    """Milliseconds, counted. Percentiles are right to 1 %."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.max_ms = 0.0

    def add(self, ms: float) -> None:
        """Count one latency in milliseconds."""
        self._buckets[math.ceil(math.log(max(ms, _FLOOR_MS)) / _STEP)] += 1
        self.count += 1
        self.max_ms = max(self.max_ms, ms)

    def percentile(self, share: float) -> float | None:
        """The latency in ms that `share` (0 to 1) of all stay at or below; None without data."""
        if not self.count:
            return None
        wanted = math.ceil(share * self.count)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(math.exp(bucket * _STEP), self.max_ms)
        return self.max_ms
