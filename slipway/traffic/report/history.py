"""A run beside the last one of the same stack and profile, and the history that both stand in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from slipway.reports import add_run
from slipway.traffic.results import Request, RunResult

KEPT = 200
"""Runs, of all profiles of a stack."""
NOTABLE_RATIO = 0.2
"""Changes below this share of the old value are in what two runs of the same thing differ by."""
NOTABLE_MS = 2.0
NOTABLE_ERRORS = 0.005


class Past(BaseModel):
    """One run in the history: a line of JSON."""

    model_config = ConfigDict(frozen=True)

    started: float
    """In seconds since 1970."""
    profile: str
    passed: bool
    exit_code: int
    seconds: float
    release: int | None = None
    sockets_peak: int = 0
    dropped: int = 0
    requests: list[Request] = []


class Change(BaseModel):
    """How requests of one kind and name changed since the last run."""

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    before: Request | None
    now: Request | None

    @property
    def direction(self) -> str:
        """`slower`, `faster`, `more errors`, `fewer errors`, `new`, `gone`, or `` if nothing notable."""
        if self.before is None or self.now is None:
            return "new" if self.now else "gone"
        failed = _error_ratio(self.now) - _error_ratio(self.before)
        if abs(failed) > NOTABLE_ERRORS:
            return "more errors" if failed > 0 else "fewer errors"
        before, now = self.before.p95, self.now.p95
        if before is None or now is None or abs(now - before) < max(NOTABLE_MS, NOTABLE_RATIO * before):
            return ""
        return "slower" if now > before else "faster"


def remember(run: RunResult, file: Path) -> list[Past]:
    """Add `run` to the history in `file`; returns the runs of its profile, the newest (this one) last."""
    past = add_run(file, past_of(run), kept=KEPT)
    return [each for each in past if each.profile == run.profile]


def past_of(run: RunResult) -> Past:
    """The run as the history keeps it."""
    return Past(
        started=run.started.timestamp(),
        profile=run.profile,
        passed=run.passed,
        exit_code=int(run.exit_code),
        seconds=run.seconds,
        release=run.release,
        sockets_peak=run.sockets_peak,
        dropped=run.dropped,
        requests=[each.model_copy(update={"errors": {}}) for each in run.requests],
    )


def changes(before: Past, now: Past) -> list[Change]:
    """Every kind and name of either run."""
    old = {(each.kind, each.name): each for each in before.requests}
    new = {(each.kind, each.name): each for each in now.requests}
    return [
        Change(kind=kind, name=name, before=old.get((kind, name)), now=new.get((kind, name)))
        for kind, name in sorted(old.keys() | new.keys())
    ]


def _error_ratio(request: Request) -> float:
    return request.failed / request.count if request.count else 0.0
