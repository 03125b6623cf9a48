"""Observe: for a window, hold what users get from the new release against limits and the old release.

Where there is too little traffic to judge, synthetic probes through the live route make up the number.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.switch import Cutover
from slipway.release.verdict import Sample, hopeless, judge, longest, probes_due
from slipway.settings import ReleaseFailed

LOOK_EVERY_SECONDS = 1.0
BASELINE_SECONDS = 60.0
LOG_LINES, LOG_WIDTH = 8, 400


@dataclass(frozen=True)
class Observe(Phase[Sample | None]):
    """A breach, or no data, is a failure, and the release is switched back."""

    name = "observe"

    shipment: Shipment
    cutover: Cutover

    def run(self, rollout: Rollout) -> Sample | None:
        """Look every second; end early only if the release is surely bad. None: no window was wanted.

        While there are too few answers to judge, the window grows, up to a limit.
        """
        limits, web = rollout.app.observe, rollout.hosts.web
        window = rollout.options.observe_seconds
        window = limits.window_seconds if window is None else window
        if window <= 0 or not web:
            rollout.progress.line("no observation window")
            return None
        old = self._gather(rollout, self.cutover.at - BASELINE_SECONDS, which="old")
        began = looked = time.monotonic()
        ends, new, took = began + window, Sample(), LOOK_EVERY_SECONDS
        while not hopeless(new, limits):
            left = ends - looked
            if left <= 0:
                if new.count >= limits.min_samples or ends >= began + longest(window):
                    break
                ends = min(began + longest(window), ends + window)
                rollout.progress.line(
                    f"only {new.count} of {limits.min_samples} answers so far: the window grows "
                    f"from {window:g} s to {ends - began:g} s, at most {longest(window):g} s"
                )
                continue
            time.sleep(min(LOOK_EVERY_SECONDS, left))
            self._probe(rollout, probes_due(limits.min_samples - new.count, left, took, len(web)))
            new = self._gather(rollout, self.cutover.at, which="new")
            rollout.progress.host("all", f"{new.count} answers, {new.errors} 5xx, p95 {new.p95_ms:.0f} ms")
            took, looked = time.monotonic() - looked, time.monotonic()
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

    def _probe(self, rollout: Rollout, count: int) -> None:
        app = self.shipment.app(rollout.app)
        path = app.observe.probe or (app.web.health if app.web else "/health")
        rollout.hosts.ask(rollout.hosts.web, lambda host: host.agent.probe(path=path, count=count))

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


def _last_log_lines(rollout: Rollout) -> list[str]:
    host = rollout.hosts.web[0]
    lines = (rollout.redact(line) for line in host.agent.logs(lines=LOG_LINES))
    return [f"{host.name} | {line[:LOG_WIDTH]}" for line in lines]
