"""Judging the first minutes of a release: pure, so that every verdict can be tested in microseconds."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.settings.app import Observe


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


def judge(new: Sample, old: Sample, limits: Observe) -> Verdict:
    """Compare what the new release answered with the limits and with the old one.

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


def hopeless(new: Sample, limits: Observe) -> bool:
    """Is the release certain enough to be bad that waiting for the window's end would only hurt users?"""
    return new.count >= limits.min_samples and new.error_ratio > max(limits.error_ratio * 5, 0.05)
