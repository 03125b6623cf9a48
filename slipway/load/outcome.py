"""What a load run came to: all that the reports show, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from slipway.load.asked import Asked
from slipway.load.bounds import bounds_of
from slipway.load.exit_codes import ExitCode, exit_code_of
from slipway.load.finding import VERDICTS, Finding, Verdict
from slipway.load.points import Point, points_of
from slipway.load.samples import Cell, Key, Mark, Samples
from slipway.load.saturation import saturation
from slipway.load.thresholds import judge
from slipway.settings.load import Load

End = Literal["finished", "stopped", "aborted"]
"""`stopped`: by a person or a signal, before its time; `aborted`: by a threshold with abort_on_fail."""
SPARE_SECONDS = 1.0
"""By which a run may end early and still count as finished."""


class Request(BaseModel):
    """All of one kind and name, of the whole run."""

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    count: int
    failed: int
    per_second: float
    p50: float | None
    """Of the good answers, in ms, as the rest; None without any."""
    p95: float | None
    p99: float | None
    longest: float | None
    errors: dict[str, int]
    """Reason → how many, the most frequent first."""


class Outcome(BaseModel):
    """One load run. Everything in here is redacted."""

    model_config = ConfigDict(frozen=True)

    stack: str
    url: str = ""
    profile: str
    release: int | None = None
    """The live release when it began, if known."""
    started: datetime
    seconds: float
    ended: End
    why_ended: str = ""
    exit_code: ExitCode
    findings: list[Finding]
    requests: list[Request]
    sockets_asked: int = 0
    sockets_peak: int = 0
    arrivals: int = 0
    dropped: int = 0
    processes: int = 0
    """Of the generator."""
    lost_workers: list[str] = []
    marks: list[Mark] = []
    windows: list[tuple[float, float]] = []
    """What is judged: from and to, in seconds since the start."""
    limits: dict[str, dict[str, float]] = {}
    """By kind, highest ms by `p50`, `p95`, `p99`, where no threshold names a name."""
    points: list[Point] = []
    """Over time."""

    @property
    def passed(self) -> bool:
        """Is every threshold met?"""
        return self.exit_code == ExitCode.PASSED

    @property
    def counts(self) -> dict[Verdict, int]:
        """Findings by verdict, the worst first."""
        return {verdict: sum(each.verdict == verdict for each in self.findings) for verdict in VERDICTS}

    @property
    def kinds(self) -> list[str]:
        """Of the requests, each once."""
        return list(dict.fromkeys(request.kind for request in self.requests))


def outcome_of(
    samples: Samples,
    load: Load,
    asked: Asked,
    *,
    stack: str,
    profile: str,
    url: str = "",
    release: int | None = None,
    stopped: float,
    aborted: str = "",
    lost_workers: Sequence[str] = (),
    hide: Callable[[str], str] = str,
) -> Outcome:
    """Judge `samples` of a run that ended at `stopped` (seconds since 1970). Pure.

    `aborted`: why a threshold ended it. `hide` takes secrets out of a text, for example `LiveStack.redact`.
    """
    seconds = max(0.0, stopped - asked.started)
    early = seconds < asked.seconds - SPARE_SECONDS
    findings = [
        *_ending(seconds, asked, aborted),
        *judge(samples, load, asked),
        *saturation(samples, asked),
        *(
            Finding(
                kind="generator", name=worker, measure="worker", verdict="fail", found="lost", limit="to stay"
            )
            for worker in lost_workers
        ),
    ]
    cells = samples.totals()
    slots = samples.slots.values()
    return Outcome(
        stack=stack,
        url=url,
        profile=profile,
        release=release,
        started=datetime.fromtimestamp(asked.started, UTC),
        seconds=round(seconds, 3),
        ended="aborted" if aborted else "stopped" if early else "finished",
        why_ended=hide(aborted),
        exit_code=exit_code_of(findings, cells),
        findings=[_hidden(each, hide) for each in sorted(findings, key=_urgency)],
        requests=[_request(key, cell, seconds, hide) for key, cell in cells.items()],
        sockets_asked=asked.sockets,
        sockets_peak=max(samples.sockets().values(), default=0),
        arrivals=sum(slot.arrivals.count for slot in slots),
        dropped=sum(slot.dropped for slot in slots),
        processes=len(samples.readings),
        lost_workers=list(lost_workers),
        marks=_marks(samples, hide),
        windows=[(begin, min(end, seconds)) for begin, end in asked.windows if begin < seconds],
        limits={key.kind: dict(bounds_of(load, key.kind, "").times) for key in cells},
        points=points_of(samples, asked.started, hide),
    )


def _ending(seconds: float, asked: Asked, aborted: str) -> list[Finding]:
    """A run that was cut short proves nothing, whatever it saw so far."""
    if aborted:
        return [Finding(measure="aborted", verdict="fail", found=aborted)]
    if not asked.seconds:
        return []
    early = seconds < asked.seconds - SPARE_SECONDS
    return [
        Finding(
            measure="length",
            verdict="no data" if early else "pass",
            found=f"{seconds:.0f} s",
            limit=f"{asked.seconds:.0f} s",
        )
    ]


def _request(key: Key, cell: Cell, seconds: float, hide: Callable[[str], str]) -> Request:
    times = cell.good
    errors: dict[str, int] = {}
    for reason, count in sorted(cell.errors.items(), key=lambda each: (-each[1], each[0])):
        errors[hide(reason)] = errors.get(hide(reason), 0) + count
    return Request(
        kind=key.kind,
        name=hide(key.name),
        count=cell.count,
        failed=cell.failed,
        per_second=round(cell.count / seconds, 2) if seconds else 0.0,
        p50=_rounded(times.percentile(50)),
        p95=_rounded(times.percentile(95)),
        p99=_rounded(times.percentile(99)),
        longest=_rounded(times.longest),
        errors=errors,
    )


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 2)


def _marks(samples: Samples, hide: Callable[[str], str]) -> list[Mark]:
    """Each text once, when it was first seen: every process of the generator sees a new release."""
    first: dict[str, float] = {}
    for at, text in sorted(samples.marks):
        first.setdefault(hide(text), at)
    return [Mark(at, text) for text, at in first.items()]


def _hidden(finding: Finding, hide: Callable[[str], str]) -> Finding:
    return finding.model_copy(update={"name": hide(finding.name), "found": hide(finding.found)})


def _urgency(finding: Finding) -> tuple[int, str, str]:
    return VERDICTS.index(finding.verdict), finding.kind, finding.name
