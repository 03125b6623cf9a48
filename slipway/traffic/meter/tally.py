"""The count of everything that happened, from which the report is made."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from slipway.traffic.histogram import Histogram
from slipway.traffic.meter.report import Generator, Latency, Loss, Report, Requests, Second, Sighting, Sockets
from slipway.traffic.samples import CONNECT, ECHO, HTTP, SESSION
from slipway.traffic.thresholds import ThresholdResult

MOST_LOSSES = 1000
NO_RELEASE = "none"


@dataclass(frozen=True, slots=True)
class Seen:
    """X-Served-By and X-Release of an answer, each empty if it has none."""

    host: str = ""
    release: str = ""


NOTHING = Seen()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended. `lost` is the kind of loss, or None; times in seconds after the start."""

    intended: float
    path: str
    ms: float
    lost: str | None = None
    detail: str = ""
    seen: Seen = NOTHING
    retried: bool = False
    answered: bool = False
    """Whole, and by the app itself, though with an error status."""


@dataclass(slots=True)
class Count:
    """Requests of a second, a release or the run."""

    requests: Requests = field(default_factory=Requests)
    ms: Histogram = field(default_factory=Histogram)

    def add(self, outcome: Outcome) -> None:
        """Count how a request ended."""
        self.requests.retried += outcome.retried
        if outcome.lost is None:
            self.requests.ok += 1
            self.ms.add(outcome.ms)
        elif outcome.answered:
            self.requests.errors += 1
        else:
            self.requests.lost += 1

    def summary(self) -> Requests:
        """The requests with their latencies."""
        return self.requests.model_copy(update={"ms": latency(self.ms)})


class Tally:
    """Everything counted, by second, release and host. For one event loop only; not thread-safe."""

    def __init__(self) -> None:
        self.begin()
        self.total = Count()
        self.seconds: defaultdict[int, Count] = defaultdict(Count)
        self.sockets_by_second: defaultdict[int, Sockets] = defaultdict(Sockets)
        self.releases_by_second: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.hosts_by_second: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.by_release: defaultdict[str, Count] = defaultdict(Count)
        self.sightings: dict[str, Sighting] = {}
        self.hosts: Counter[str] = Counter()
        self.sockets = Sockets()
        self.sockets_not_tried = 0
        """Sockets whose turn to open had not come when the run ended."""
        self.opened_after_end = 0
        self.echoes_sent = 0
        self._open = 0
        """Sockets open at the end of the last closed second."""
        self._open_changes: Counter[int] = Counter()
        """By how much the number of open sockets changed in each second that is not closed yet."""
        self._closed_seconds = 0
        self.echo_ms = Histogram()
        self.losses: list[Loss] = []
        self.kinds: Counter[str] = Counter()
        self.worst_late_ms = 0.0
        """How late the latest start of a request was, in milliseconds."""
        self.worst_lag = 0.0
        """Longest time in seconds that the meter's event loop stood still, as its clock noticed."""

    def begin(self) -> None:
        """The run starts now."""
        self.started = datetime.now(UTC)
        self.zero = time.perf_counter()

    def now(self) -> float:
        """Seconds after the start."""
        return time.perf_counter() - self.zero

    def sent(self, intended: float, *, late_ms: float, too_late: bool) -> None:
        """A request was started `late_ms` after its intended time."""
        self.worst_late_ms = max(self.worst_late_ms, late_ms)
        for count in (self.total, self._second(intended)):
            count.requests.sent += 1
            count.requests.late += too_late

    def ended(self, outcome: Outcome) -> None:
        """A request ended."""
        release = outcome.seen.release or NO_RELEASE
        per_release = self.by_release[release]
        per_release.requests.sent += 1
        for count in (self.total, self._second(outcome.intended), per_release):
            count.add(outcome)
        second = int(outcome.intended)
        if outcome.seen.release:
            self.releases_by_second[second][outcome.seen.release] += 1
            self._sighted(outcome.seen.release)
        if outcome.seen.host:
            self.hosts_by_second[second][outcome.seen.host] += 1
            self.hosts[outcome.seen.host] += 1
        if outcome.lost is not None:
            self._lost(
                "request",
                outcome.lost,
                at=outcome.intended,
                where=outcome.path,
                seen=outcome.seen,
                detail=outcome.detail,
            )

    def opened(self, *, again: bool, after_end: bool) -> None:
        """A socket is open and signed in; `again`: after an orderly close; `after_end`: of the run."""
        for sockets in self._sockets_now():
            sockets.opened += not again
            sockets.reconnected += again
        if after_end:
            self.opened_after_end += not again
        else:
            self._open_changes[int(self.now())] += 1

    def closed(self) -> None:
        """A socket closed before the end of the run, for whatever reason."""
        self._open_changes[int(self.now())] -= 1

    def echoed(self, ms: float) -> None:
        """An echo was answered."""
        self.echo_ms.add(ms)
        for sockets in self._sockets_now():
            sockets.echoes += 1

    def cut(self, echoes: int) -> None:
        """Echoes were unanswered when their socket was closed in order."""
        for sockets in self._sockets_now():
            sockets.cut += echoes

    def abnormal(self, socket: int, kind: str, seen: Seen, detail: str = "") -> None:
        """A socket closed abnormally, or could not be opened."""
        for sockets in self._sockets_now():
            sockets.abnormal += 1
        self._lost("socket", kind, at=self.now(), where=str(socket), seen=seen, detail=detail)

    def second(self, number: int) -> Second:
        """Second `number` as counted so far."""
        sockets = self.sockets_by_second.get(number, Sockets())
        return Second(
            second=number,
            **self._second(number).summary().model_dump(),
            sockets=sockets.model_copy(),
            releases=dict(self.releases_by_second.get(number, {})),
            hosts=dict(self.hosts_by_second.get(number, {})),
        )

    def close_second(self, number: int) -> None:
        """Note how many sockets were open at the end of a second, however late that is noted."""
        self._open += self._open_changes.pop(number, 0)
        self.sockets_by_second[number].open = self._open
        self._closed_seconds = number + 1

    def last_second(self) -> int:
        """Number of the last second in which anything was sent or a second ended; -1 without any."""
        return max([self._closed_seconds - 1, *self.seconds])

    def sockets_at_end(self) -> Sockets:
        """The sockets of the whole run, with as many open as at the end of its last second."""
        last = self.sockets_by_second.get(self._closed_seconds - 1, Sockets())
        return self.sockets.model_copy(update={"open": last.open})

    def _second(self, at: float) -> Count:
        return self.seconds[int(at)]

    def _sockets_now(self) -> tuple[Sockets, Sockets]:
        return self.sockets, self.sockets_by_second[int(self.now())]

    def _sighted(self, release: str) -> None:
        at = round(self.now(), 3)
        seen = self.sightings.get(release)
        if seen is None:
            seen = self.sightings[release] = Sighting(release=release, first=at, last=at, answers=0)
        seen.last = at
        seen.answers += 1

    def _lost(
        self, what: Literal["request", "socket"], kind: str, *, at: float, where: str, seen: Seen, detail: str
    ) -> None:
        self.kinds[f"{what}: {kind}"] += 1
        if len(self.losses) < MOST_LOSSES:
            time_of_day = self.started + timedelta(seconds=at)
            self.losses.append(
                Loss(
                    what=what, at=round(at, 3), time=time_of_day, kind=kind, where=where,
                    host=seen.host, release=seen.release, detail=detail,
                )
            )  # fmt: skip


def latency(ms: Histogram) -> Latency:
    """The percentiles of a report, to a hundredth of a millisecond."""

    def at(percent: float) -> float | None:
        value = ms.percentile(percent)
        return None if value is None else round(value, 2)

    return Latency(
        p50=at(50), p95=at(95), p99=at(99), max=None if ms.longest is None else round(ms.longest, 2)
    )


SATURATED_SHARE = 0.01
LAG_SECONDS = 1.0
"""A meter that stood still for so long may itself have caused what it counts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a measurement is to send."""

    url: str
    rps: float
    sockets: int
    seconds: float
    has_key: bool = True
    echoes: bool = True


def report_of(tally: Tally, plan: Plan, *, ran: float, cpu_percent: float) -> Report:
    """The report of a run that lasted `ran` seconds."""
    requests = tally.total.summary()
    saturated = requests.late > SATURATED_SHARE * requests.sent
    return Report(
        url=plan.url,
        rps=plan.rps,
        sockets_asked=plan.sockets,
        seconds_asked=plan.seconds,
        started=tally.started,
        seconds=round(ran, 3),
        requests=requests,
        sockets=tally.sockets_at_end(),
        echo_ms=latency(tally.echo_ms),
        per_second=[tally.second(number) for number in range(tally.last_second() + 1)],
        per_release={release: count.summary() for release, count in tally.by_release.items()},
        releases=list(tally.sightings.values()),
        hosts=dict(tally.hosts),
        losses=tally.losses,
        kinds=dict(tally.kinds),
        generator=Generator(
            late=requests.late,
            worst_late_ms=round(tally.worst_late_ms, 1),
            cpu_percent=round(cpu_percent, 1),
            saturated=saturated,
        ),
        notes=_notes(tally, plan, saturated=saturated, ran=ran),
        failures=failures_of(thresholds(tally, plan)),
    )


def _notes(tally: Tally, plan: Plan, *, saturated: bool, ran: float) -> list[str]:
    notes: list[str] = []
    if not plan.has_key:
        notes.append("no load key: the per-address limits of the site apply to the meter")
    if saturated:
        notes.append(
            "the meter itself was late: its latencies are no proof; use fewer requests or a freer machine"
        )
    if tally.worst_lag >= LAG_SECONDS:
        notes.append(
            f"the meter itself stood still for {tally.worst_lag:.1f} s: losses and unanswered echoes of that "
            "time may be its own; use a freer machine"
        )
    if ran < plan.seconds - 0.5:
        notes.append(f"stopped after {ran:.0f} of {plan.seconds:g} s")
    if tally.sockets_not_tried:
        notes.append(
            f"{tally.sockets_not_tried} of {plan.sockets} sockets were not opened: the run ended before "
            "their turn came"
        )
    if tally.opened_after_end:
        notes.append(
            f"{tally.opened_after_end} of {plan.sockets} sockets opened only after the end of the run: "
            "the site or the meter was slow; measure for longer"
        )
    return notes


def thresholds(tally: Tally, plan: Plan) -> list[ThresholdResult]:
    """The meter's thresholds: nothing lost, no error, no socket closed abnormally, and data of each kind."""
    requests, sockets = tally.total.requests, tally.sockets
    sent = requests.sent
    no_echo = "no echo was answered" if tally.echoes_sent else "no echo was sent"
    return [
        _none(HTTP, "lost", requests.lost, f"{requests.lost} of {sent} requests lost"),
        _none(
            HTTP,
            "errors",
            requests.errors,
            f"{requests.errors} of {sent} requests answered with an error by the app",
        ),
        _none(SESSION, "abnormal", sockets.abnormal, f"{sockets.abnormal} sockets closed abnormally"),
        _some(HTTP, bool(plan.rps), requests.ok, "no request was answered"),
        _some(CONNECT, bool(plan.sockets), sockets.opened, "no socket was opened"),
        _some(ECHO, bool(plan.sockets) and plan.echoes, sockets.echoes, no_echo),
    ]


def _none(kind: str, measure: str, count: int, found: str) -> ThresholdResult:
    verdict = "fail" if count else "pass"
    return ThresholdResult(kind=kind, measure=measure, verdict=verdict, found=found, limit="0")


def _some(kind: str, expected: bool, count: int, without: str) -> ThresholdResult:
    verdict = "no data" if expected and not count else "pass"
    found = without if verdict == "no data" else str(count)
    return ThresholdResult(kind=kind, measure="samples", verdict=verdict, found=found, samples=count)


def failures_of(results: Sequence[ThresholdResult]) -> list[str]:
    """What failed or had no data, a sentence each."""
    return [each.found for each in results if each.verdict in {"fail", "no data"}]
