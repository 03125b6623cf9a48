"""How a load run ends, by exit code; 0 to 4 mean what they mean for every command of slipway."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from slipway.settings import Load
from slipway.traffic.samples import Annotation, Cell, Key, Samples
from slipway.traffic.saturation import saturation
from slipway.traffic.thresholds import VERDICTS, Plan, ThresholdResult, Verdict, judge, limits_for
from slipway.traffic.time_series import Point, points_of


class ExitCode(IntEnum):
    """How a run ended, as a CI job sees it."""

    PASSED = 0
    MISSED = 1
    BAD_INPUT = 2
    NO_DATA = 5
    GENERATOR = 6
    REFUSED = 7

    @property
    def meaning(self) -> str:
        """In words."""
        return MEANINGS[self]


MEANINGS = {
    ExitCode.PASSED: "every threshold is met",
    ExitCode.MISSED: "a threshold is missed",
    ExitCode.BAD_INPUT: "the settings or the command line refuse this run; nothing was sent",
    ExitCode.NO_DATA: "no data, or too little of it for a verdict: nothing is proved",
    ExitCode.GENERATOR: "the load generator was saturated or lost a worker: the target is not proved",
    ExitCode.REFUSED: "the target refused every request or could not be reached",
}


def exit_code_of(thresholds: Sequence[ThresholdResult], cells: Mapping[Key, Cell]) -> ExitCode:
    """The first that fits: what makes the other results worthless comes first."""
    if not cells:
        return ExitCode.NO_DATA
    if all(cell.good.count == 0 for cell in cells.values()):
        return ExitCode.REFUSED
    failed = [each for each in thresholds if each.verdict == "fail"]
    if any(each.kind == "generator" for each in failed):
        return ExitCode.GENERATOR
    if failed:
        return ExitCode.MISSED
    proved = any(each.verdict == "pass" and each.kind not in {"", "generator"} for each in thresholds)
    if not proved or any(each.verdict == "no data" for each in thresholds):
        return ExitCode.NO_DATA
    return ExitCode.PASSED


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
    """Median of the good answers in ms, as the other times; None without any."""
    p95: float | None
    p99: float | None
    longest: float | None
    errors: dict[str, int]
    """Reason → how many, the most frequent first."""


class RunResult(BaseModel):
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
    thresholds: list[ThresholdResult]
    requests: list[Request]
    sockets_asked: int = 0
    sockets_peak: int = 0
    arrivals: int = 0
    dropped: int = 0
    processes: int = 0
    """Processes of the generator."""
    lost_workers: list[str] = []
    annotations: list[Annotation] = []
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
        return {verdict: sum(each.verdict == verdict for each in self.thresholds) for verdict in VERDICTS}

    @property
    def kinds(self) -> list[str]:
        """Kinds of the requests, each once."""
        return list(dict.fromkeys(request.kind for request in self.requests))


def result_of(
    samples: Samples,
    load: Load,
    asked: Plan,
    *,
    stack: str,
    profile: str,
    url: str = "",
    release: int | None = None,
    stopped: float,
    aborted: str = "",
    lost_workers: Sequence[str] = (),
    redact: Callable[[str], str] = str,
) -> RunResult:
    """Judge `samples` of a run that ended at `stopped` (seconds since 1970). Pure.

    `aborted`: why a threshold ended it. `redact` takes secrets out of a text, for example `LiveStack.redact`.
    """
    seconds = max(0.0, stopped - asked.started)
    early = seconds < asked.seconds - SPARE_SECONDS
    thresholds = [
        *_ending(seconds, asked, aborted),
        *judge(samples, load, asked),
        *saturation(samples, asked),
        *(
            ThresholdResult(
                kind="generator", name=worker, measure="worker", verdict="fail", found="lost", limit="to stay"
            )
            for worker in lost_workers
        ),
    ]
    cells = samples.totals()
    slots = samples.slots.values()
    return RunResult(
        stack=stack,
        url=url,
        profile=profile,
        release=release,
        started=datetime.fromtimestamp(asked.started, UTC),
        seconds=round(seconds, 3),
        ended="aborted" if aborted else "stopped" if early else "finished",
        why_ended=redact(aborted),
        exit_code=exit_code_of(thresholds, cells),
        thresholds=[_redacted(each, redact) for each in sorted(thresholds, key=_urgency)],
        requests=[_request(key, cell, seconds, redact) for key, cell in cells.items()],
        sockets_asked=asked.sockets,
        sockets_peak=max(samples.sockets().values(), default=0),
        arrivals=sum(slot.arrivals.count for slot in slots),
        dropped=sum(slot.dropped for slot in slots),
        processes=len(samples.readings),
        lost_workers=list(lost_workers),
        annotations=_annotations(samples, redact),
        windows=[(begin, min(end, seconds)) for begin, end in asked.windows if begin < seconds],
        limits={key.kind: dict(limits_for(load, key.kind, "").times) for key in cells},
        points=points_of(samples, asked.started, redact),
    )


def _ending(seconds: float, asked: Plan, aborted: str) -> list[ThresholdResult]:
    """A run that was cut short proves nothing, whatever it saw so far."""
    if aborted:
        return [ThresholdResult(measure="aborted", verdict="fail", found=aborted)]
    if not asked.seconds:
        return []
    early = seconds < asked.seconds - SPARE_SECONDS
    return [
        ThresholdResult(
            measure="length",
            verdict="no data" if early else "pass",
            found=f"{seconds:.0f} s",
            limit=f"{asked.seconds:.0f} s",
        )
    ]


def _request(key: Key, cell: Cell, seconds: float, redact: Callable[[str], str]) -> Request:
    times = cell.good
    errors: dict[str, int] = {}
    for reason, count in sorted(cell.errors.items(), key=lambda each: (-each[1], each[0])):
        errors[redact(reason)] = errors.get(redact(reason), 0) + count
    return Request(
        kind=key.kind,
        name=redact(key.name),
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


def _annotations(samples: Samples, redact: Callable[[str], str]) -> list[Annotation]:
    """Each text once, when it was first seen: every process of the generator sees a new release."""
    first: dict[str, float] = {}
    for at, text in sorted(samples.annotations):
        first.setdefault(redact(text), at)
    return [Annotation(at, text) for text, at in first.items()]


def _redacted(result: ThresholdResult, redact: Callable[[str], str]) -> ThresholdResult:
    return result.model_copy(update={"name": redact(result.name), "found": redact(result.found)})


def _urgency(result: ThresholdResult) -> tuple[int, str, str]:
    return VERDICTS.index(result.verdict), result.kind, result.name
