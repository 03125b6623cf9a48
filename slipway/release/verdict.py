"""The verdict on a release under observation. Pure, so that every case is tested in microseconds."""

import math
from dataclasses import dataclass

from slipway.settings import Observe as Limits

PROBES_AT_ONCE = 20
"""Most probes of one host in one look: they are requests that the app has to answer too."""
GROWS_TIMES, GROWS_SECONDS = 3.0, 30.0
"""A window with too few answers grows to three times its length, or by 30 s if that is more."""


@dataclass(frozen=True)
class Sample:
    """Answers that one release gave in a window."""

    count: int = 0
    errors: int = 0
    """5xx answers, and requests that got none."""
    p95_ms: float = 0.0

    @property
    def error_ratio(self) -> float:
        """Share of errors, 0 to 1; 0 without samples."""
        return self.errors / self.count if self.count else 0.0


@dataclass(frozen=True)
class Verdict:
    """`ok` False means: go back."""

    ok: bool
    reason: str


def judge(new: Sample, old: Sample, limits: Limits) -> Verdict:
    """Compare what the new release answered with the limits and with the old release.

    Too few samples fail: no data is no proof (the trap of k6#4283 and argo-rollouts#3724).
    """
    if new.count < limits.min_samples:
        return Verdict(False, f"only {new.count} answers seen, {limits.min_samples} are needed to judge")
    if new.error_ratio > limits.error_ratio:
        return Verdict(
            False,
            f"{new.errors} of {new.count} answers were 5xx "
            f"({new.error_ratio:.1%}, limit {limits.error_ratio:.1%})",
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
    return Verdict(True, f"{new.count} answers, {new.error_ratio:.1%} 5xx, p95 {new.p95_ms:.0f} ms")


def hopeless(new: Sample, limits: Limits) -> bool:
    """Is the release so surely bad that waiting for the window's end would only hurt users?"""
    return new.count >= limits.min_samples and new.error_ratio > max(limits.error_ratio * 5, 0.05)


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
