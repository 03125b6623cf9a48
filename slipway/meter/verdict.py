"""From the tally to the report: pass or not, and why."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.meter.report import Generator, Report
from slipway.meter.tally import Tally, latency

SATURATED_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Asked:
    """What a measurement was asked for."""

    url: str
    rps: float
    sockets: int
    seconds: float
    has_key: bool = True
    echoes: bool = True


def report_of(tally: Tally, asked: Asked, *, ran: float, cpu_percent: float) -> Report:
    """The report of a run that lasted `ran` seconds."""
    requests = tally.total.summary()
    saturated = requests.late > SATURATED_SHARE * requests.sent
    return Report(
        url=asked.url,
        rps=asked.rps,
        sockets_asked=asked.sockets,
        seconds_asked=asked.seconds,
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
        notes=_notes(asked, saturated=saturated, ran=ran),
        failures=_failures(tally, asked),
    )


def _notes(asked: Asked, *, saturated: bool, ran: float) -> list[str]:
    notes: list[str] = []
    if not asked.has_key:
        notes.append("no load key: the per-address limits of the site apply to the meter")
    if saturated:
        notes.append(
            "the meter itself was late: its latencies are no proof; use fewer requests or a freer machine"
        )
    if ran < asked.seconds - 0.5:
        notes.append(f"stopped after {ran:.0f} of {asked.seconds:g} s")
    return notes


def _failures(tally: Tally, asked: Asked) -> list[str]:
    requests, sockets = tally.total.requests, tally.sockets
    failures: list[str] = []
    if requests.lost:
        failures.append(f"{requests.lost} of {requests.sent} requests lost")
    if requests.errors:
        failures.append(f"{requests.errors} of {requests.sent} requests answered with an error by the app")
    if sockets.abnormal:
        failures.append(f"{sockets.abnormal} sockets closed abnormally")
    if asked.rps and not requests.ok:
        failures.append("no request was answered")
    if asked.sockets and not sockets.opened:
        failures.append("no socket was opened")
    if asked.sockets and asked.echoes and not sockets.echoes:
        failures.append("no echo was answered")
    return failures
