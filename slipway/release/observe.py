"""Observe: for a window, hold what users really get from the new release against limits and the old one.

Where there is too little traffic to judge, synthetic probes through the live route make up the number.
"""

from __future__ import annotations

import time

from slipway.release.judge import Sample, hopeless, judge
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.settings.errors import ReleaseFailed

LOOK_EVERY_SECONDS = 1.0
BASELINE_SECONDS = 60.0
LOG_LINES, LOG_WIDTH = 8, 400


class ObservePhase(Phase):
    """A breach, or no data, is a failure; the engine then switches back."""

    name = "observe"

    def run(self, rollout: Rollout) -> None:
        """Look every second; stop early only when it is surely bad."""
        limits = rollout.project.app.observe
        window = (
            limits.window_seconds
            if rollout.options.observe_seconds is None
            else rollout.options.observe_seconds
        )
        if window <= 0 or not rollout.web_hosts:
            rollout.progress.line("no window asked for")
            return
        old = _gather(rollout, rollout.observed_from - BASELINE_SECONDS, which="old")
        ends = time.monotonic() + window
        new = Sample()
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(LOOK_EVERY_SECONDS, left))
            _probe(rollout, max(1, round(limits.min_samples / max(window, 1) / len(rollout.web_hosts)) + 1))
            new = _gather(rollout, rollout.observed_from, which="new")
            rollout.progress.host("all", f"{new.count} answers, {new.errors} 5xx, p95 {new.p95_ms:.0f} ms")
            if hopeless(new, limits):
                break
        verdict = judge(new, old, limits)
        rollout.detail |= {"count": new.count, "errors": new.errors, "p95_ms": new.p95_ms}
        if not verdict.ok:
            raise ReleaseFailed(
                f"release {rollout.number} did not hold under observation: {verdict.reason}",
                details=_last_log_lines(rollout),
            )
        rollout.progress.line(verdict.reason)


def _gather(rollout: Rollout, since: float, *, which: str) -> Sample:
    """Add up over the hosts; the p95 of the fleet is taken as the worst host's, which hides nothing."""
    replies = rollout.ask(
        rollout.web_hosts,
        lambda host: host.agent.observe(since=since, live=rollout.switched[host.name].slot or "blue"),
    )
    samples = [getattr(reply, which) for reply in replies.values()]
    return Sample(
        count=sum(sample.count for sample in samples),
        errors=sum(sample.errors for sample in samples),
        p95_ms=max((sample.p95_ms for sample in samples), default=0.0),
    )


def _probe(rollout: Rollout, count: int) -> None:
    web = rollout.project.app.web
    path = rollout.project.app.observe.probe or (web.health if web else "/health")

    rollout.ask(rollout.web_hosts, lambda host: host.agent.probe(path=path, count=count))


def _last_log_lines(rollout: Rollout) -> list[str]:
    host = rollout.web_hosts[0]
    lines = (rollout.redactor.text(line) for line in host.agent.logs(lines=LOG_LINES))
    return [f"{host.name} | {line[:LOG_WIDTH]}" for line in lines]
