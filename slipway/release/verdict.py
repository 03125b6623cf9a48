"""The verdict on a release under observation. Pure, so that every case is tested in microseconds."""

import math
from dataclasses import dataclass

from slipway.settings import Observe as Limits

PROBES_AT_ONCE = 20
"""Most probes of one host in one look: they are requests that the app has to answer too."""
MISSED = 0.05
"""How often a release with the share of errors that `detectable` gives may pass all the same."""
GROWS_TIMES, GROWS_SECONDS = 3.0, 30.0
"""A window with too few answers grows to three times its length, or by 30 s if that is more."""


@dataclass(frozen=True)
class Sample:
    """Answers that one release gave in a window."""

    count: int = 0
    errors: int = 0
    """5xx answers, and requests that got none."""
    p95_ms: float = 0.0
    probes: int = 0
    """How many of `count` are answers to our own probes."""
    hung: int = 0
    """Requests that waited for their answer for too long, and are answered, given up or still `waiting`."""
    waiting: int = 0

    @property
    def error_ratio(self) -> float:
        """Share of errors, 0 to 1; 0 without samples."""
        return self.errors / self.count if self.count else 0.0

    @property
    def requests(self) -> int:
        """Answered, and still waiting for too long."""
        return self.count + self.waiting

    @property
    def hung_ratio(self) -> float:
        """Share of hung requests, 0 to 1."""
        return min(1.0, self.hung / self.requests) if self.requests else 0.0

    def __str__(self) -> str:
        of = f" ({self.probes} to probes)" if self.probes else ""
        hung = f", {self.hung} hung" if self.hung else ""
        return f"{self.count} answers{of}, {self.errors} 5xx{hung}, p95 {self.p95_ms:.0f} ms"


@dataclass(frozen=True)
class Verdict:
    """`ok` False means: go back."""

    ok: bool
    reason: str


def judge(new: Sample, old: Sample, limits: Limits) -> Verdict:
    """Compare what the new release answered with the limits and with the old release.

    Too few samples fail: no data is no proof (the trap of k6#4283 and argo-rollouts#3724).
    """
    if new.requests < limits.min_samples:
        return Verdict(False, f"only {new.count} answers seen, {limits.min_samples} are needed to judge")
    if new.error_ratio > limits.error_ratio:
        return Verdict(
            False,
            f"{new.errors} of {new.count} answers were 5xx "
            f"({new.error_ratio:.1%}, limit {limits.error_ratio:.1%})",
        )
    most_hung = limits.error_ratio + old.hung_ratio
    if new.hung_ratio > most_hung:
        return Verdict(
            False,
            f"{new.hung} of {new.requests} requests waited {limits.hung_seconds:g} s or longer for their "
            f"answer, {new.waiting} still do ({new.hung_ratio:.1%}, limit {most_hung:.1%})",
        )
    if new.p95_ms > limits.p95_ms:
        return Verdict(False, f"p95 is {new.p95_ms:.0f} ms (limit {limits.p95_ms:.0f} ms)")
    comparable = old.count >= limits.min_samples and old.p95_ms > 0
    if comparable and new.p95_ms > limits.p95_floor_ms and new.p95_ms > limits.p95_ratio * old.p95_ms:
        return Verdict(
            False,
            f"p95 is {new.p95_ms:.0f} ms, {new.p95_ms / old.p95_ms:.1f} times the old release's "
            f"{old.p95_ms:.0f} ms (limit {limits.p95_ratio:.1f} times)",
        )
    return Verdict(True, f"{new}; {power(new.count, limits.error_ratio)}")


def power(count: int, limit: float) -> str:
    """What a pass on `count` answers proves, in words."""
    share = detectable(count, limit)
    return f"a share of 5xx of {share:.1%} or more would have been noticed (19 times in 20)"


def detectable(count: int, limit: float) -> float:
    """The smallest true share of errors, 0 to 1, that `count` answers show with 95 % certainty.

    That is where a binomial sample exceeds `limit` in 19 of 20 windows (Clopper and Pearson's upper bound).
    """
    if count <= 0:
        return 1.0
    allowed = math.floor(limit * count + 1e-9)
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        if _at_most(allowed, count, share) > MISSED:
            low = share
        else:
            high = share
    return high


def _at_most(errors: int, count: int, share: float) -> float:
    """The probability of at most `errors` errors in `count` answers of which each fails with `share`."""
    if errors >= count or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    whole = math.lgamma(count + 1)
    return sum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(share)
            + (count - k) * math.log1p(-share)
        )
        for k in range(errors + 1)
    )


def hopeless(new: Sample, old: Sample, limits: Limits) -> bool:
    """Is the release so surely bad that waiting for the window's end would only hurt users?"""
    most = max(limits.error_ratio * 5, 0.05)
    bad = new.error_ratio > most or new.hung_ratio > most + old.hung_ratio
    return new.requests >= limits.min_samples and bad


def longest(window: float) -> float:
    """Seconds to which a window may grow while there are too few answers to judge."""
    return max(window * GROWS_TIMES, window + GROWS_SECONDS)


def probes_due(lacking: int, seconds_left: float, look_seconds: float, hosts: int) -> int:
    """How many probes each host makes now, so that the `lacking` answers are there when the window ends.

    `look_seconds` is what a look takes, which on a busy machine is long. Every host makes at least one: one
    that no user reaches has to answer too.
    """
    looks = max(1, int(seconds_left / look_seconds)) if look_seconds > 0 else 1
    return min(PROBES_AT_ONCE, max(1, math.ceil(lacking / looks / hosts)))
