"""Observe: for a window, hold what users get from the new release against limits and the old release.

Where there is too little traffic to judge, synthetic probes through the live route make up the number.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.switch import Cutover
from slipway.release.verdict import Sample, detectable, hopeless, judge, longest, probes_due
from slipway.settings import ReleaseFailed

LOOK_EVERY_SECONDS = 1.0
BASELINE_SECONDS = 60.0
LEVELS = ("error", "fatal", "warn", "warning", "40", "50", "60")
"""Levels of a log line in JSON; the numbers are pino's."""
LOG_READ, LOG_LINES, LOG_WIDTH = 200, 4, 300


@dataclass(frozen=True)
class Observation:
    """A window that the release passed."""

    sample: Sample
    notices: float
    """The smallest share of 5xx that it would have shown with 95 % certainty: what the pass is worth."""


@dataclass(frozen=True)
class Observe(Phase[Observation | None]):
    """A breach, or no data, is a failure, and the release is switched back."""

    name = "observe"

    shipment: Shipment
    cutover: Cutover

    def run(self, rollout: Rollout) -> Observation | None:
        """Look every second; end early only if the release is surely bad. None: no window was wanted.

        While there are too few answers to judge, the window grows, up to a limit.
        """
        limits, web = rollout.app.observe, rollout.hosts.web
        window = rollout.options.observe_seconds
        window = limits.window_seconds if window is None else window
        if window <= 0 or not web:
            rollout.progress.line("no observation window")
            return None
        old = self._gather(rollout, before_switch=BASELINE_SECONDS)
        began = looked = time.monotonic()
        ends, new, took = began + window, Sample(), LOOK_EVERY_SECONDS
        while not hopeless(new, old, limits):
            left = ends - looked
            if left <= 0:
                if new.requests >= limits.min_samples or ends >= began + longest(window):
                    break
                ends = min(began + longest(window), ends + window)
                rollout.progress.line(
                    f"only {new.count} of {limits.min_samples} answers so far: the window grows "
                    f"from {window:g} s to {ends - began:g} s, at most {longest(window):g} s"
                )
                continue
            time.sleep(min(LOOK_EVERY_SECONDS, left))
            self._probe(rollout, probes_due(limits.min_samples - new.requests, left, took, len(web)))
            new = self._gather(rollout)
            rollout.progress.host("all", str(new))
            took, looked = time.monotonic() - looked, time.monotonic()
        verdict = judge(new, old, limits)
        if not verdict.ok:
            raise ReleaseFailed(
                f"release {self.shipment.number} did not hold under observation: {verdict.reason}",
                details=_log_of_trouble(rollout),
            )
        rollout.progress.line(verdict.reason)
        return Observation(new, detectable(new.count, limits.error_ratio))

    def detail(self, result: Observation | None) -> Mapping[str, object]:
        if result is None:
            return {}
        sample = result.sample
        return {
            "count": sample.count,
            "probes": sample.probes,
            "errors": sample.errors,
            "hung": sample.hung,
            "p95_ms": sample.p95_ms,
            "notices_5xx_share": round(result.notices, 4),
        }

    def _probe(self, rollout: Rollout, count: int) -> None:
        app = self.shipment.app(rollout.app)
        path = app.observe.probe or (app.web.health if app.web else "/health")
        rollout.hosts.ask(rollout.hosts.web, lambda host: host.agent.probe(path=path, count=count))

    def _gather(self, rollout: Rollout, *, before_switch: float | None = None) -> Sample:
        """The sum over the hosts: of the new release since the switch, or of the old one before it.

        Each host reads its own log by its own clock, from its own switch on. The p95 is the worst host's,
        which hides nothing.
        """
        app = rollout.app
        replies = rollout.hosts.ask(
            rollout.hosts.web,
            lambda host: host.agent.observe(
                before_switch=before_switch,
                hung_seconds=app.observe.hung_seconds,
                response_seconds=app.limits.response_seconds,
            ),
        )
        seen = [reply.new if before_switch is None else reply.old for reply in replies.values()]
        return Sample(
            count=sum(each.count for each in seen),
            errors=sum(each.errors for each in seen),
            p95_ms=max((each.p95_ms for each in seen), default=0.0),
            probes=sum(each.probes for each in seen),
            hung=sum(each.slow + each.waiting for each in seen),
            waiting=sum(each.waiting for each in seen),
        )


def _log_of_trouble(rollout: Rollout) -> list[str]:
    """The app's last lines that may say why. Access logs of requests that went well would hide the reason."""
    lines: list[str] = []
    for host in rollout.hosts.web:
        log = rollout.redact("\n".join(host.agent.logs(lines=LOG_READ))).splitlines()
        spoke = [line for line in log if is_trouble(line)]
        lines += [f"{host.name} | {line[:LOG_WIDTH]}" for line in spoke[-LOG_LINES:]]
    return lines


def is_trouble(line: str) -> bool:
    """Does a line of the app's log speak of a failure? JSON by level or status, other text by its words."""
    _, brace, rest = line.partition("{")
    try:
        fields = json.loads(brace + rest)
    except ValueError:
        return bool(re.search(r"error|exception|fatal|panic|traceback", line, re.IGNORECASE))
    status = fields.get("status", fields.get("statusCode"))
    failed = isinstance(status, int) and status >= 500
    return failed or str(fields.get("level")).lower() in LEVELS
