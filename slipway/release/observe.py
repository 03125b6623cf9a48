"""Observe: for a window, hold what users get from the new release against limits and the old release.

Where there is too little traffic to judge, synthetic probes through the live route make up the number.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.switch import Cutover
from slipway.settings import Observe as Limits
from slipway.settings import ReleaseFailed

LOOK_EVERY_SECONDS = 1.0
BASELINE_SECONDS = 60.0
LOG_LINES, LOG_WIDTH = 8, 400


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
class Observe(Phase[Sample | None]):
    """A breach, or no data, is a failure, and the release is switched back."""

    name = "observe"

    shipment: Shipment
    cutover: Cutover

    def run(self, rollout: Rollout) -> Sample | None:
        """Look every second; end early only if the release is surely bad. None: no window was wanted."""
        limits, web = rollout.app.observe, rollout.hosts.web
        window = rollout.options.observe_seconds
        window = limits.window_seconds if window is None else window
        if window <= 0 or not web:
            rollout.progress.line("no observation window")
            return None
        old = self._gather(rollout, self.cutover.at - BASELINE_SECONDS, which="old")
        ends = time.monotonic() + window
        new = Sample()
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(LOOK_EVERY_SECONDS, left))
            _probe(rollout, max(1, round(limits.min_samples / max(window, 1) / len(rollout.hosts.web)) + 1))
            new = self._gather(rollout, self.cutover.at, which="new")
            rollout.progress.host("all", f"{new.count} answers, {new.errors} 5xx, p95 {new.p95_ms:.0f} ms")
            if hopeless(new, limits):
                break
        verdict = judge(new, old, limits)
        if not verdict.ok:
            raise ReleaseFailed(
                f"release {self.shipment.number} did not hold under observation: {verdict.reason}",
                details=_last_log_lines(rollout),
            )
        rollout.progress.line(verdict.reason)
        return new

    def detail(self, result: Sample | None) -> Mapping[str, object]:
        if result is None:
            return {}
        return {"count": result.count, "errors": result.errors, "p95_ms": result.p95_ms}

    def _gather(self, rollout: Rollout, since: float, *, which: str) -> Sample:
        """The sum over the hosts. Its p95 is the worst host's, which hides nothing."""
        replies = rollout.hosts.ask(
            rollout.hosts.web,
            lambda host: host.agent.observe(since=since, live=self.cutover.web[host.name].slot or "blue"),
        )
        samples = [getattr(reply, which) for reply in replies.values()]
        return Sample(
            count=sum(sample.count for sample in samples),
            errors=sum(sample.errors for sample in samples),
            p95_ms=max((sample.p95_ms for sample in samples), default=0.0),
        )


def _probe(rollout: Rollout, count: int) -> None:
    web = rollout.app.web
    path = rollout.app.observe.probe or (web.health if web else "/health")
    rollout.hosts.ask(rollout.hosts.web, lambda host: host.agent.probe(path=path, count=count))


def _last_log_lines(rollout: Rollout) -> list[str]:
    host = rollout.hosts.web[0]
    lines = (rollout.redact(line) for line in host.agent.logs(lines=LOG_LINES))
    return [f"{host.name} | {line[:LOG_WIDTH]}" for line in lines]


# The verdict is pure, so that every case is tested in microseconds.


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
