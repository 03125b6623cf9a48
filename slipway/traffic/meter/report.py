"""What a measurement found. `python -m slipway.traffic.meter --schema` prints the JSON schema of `Report`."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Finding(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(extra="forbid")


class Latency(Finding):
    """Milliseconds from the intended start to the last byte, of answered requests; null without any."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Requests(Finding):
    """HTTP requests of a second, a release or the whole run, by the time they were meant to start."""

    sent: int = 0
    ok: int = Field(default=0, description="answered completely with a status below 400")
    lost: int = Field(
        default=0,
        description="refused, reset, timed out, truncated, or a status from 400 up that is not the app's own",
    )
    errors: int = Field(
        default=0,
        description="a complete answer of the app itself (it has X-Release), with a status from 400 up",
    )
    retried: int = Field(
        default=0,
        description="a kept connection was closed before any byte of the answer, and one retry on a fresh "
        "connection, as browsers do, was answered; counted in ok as well",
    )
    late: int = Field(
        default=0, description="started by the generator more than 50 ms after the intended time"
    )
    ms: Latency = Latency()


class Sockets(Finding):
    """WebSockets of a second or the whole run."""

    open: int = Field(default=0, description="open and signed in at the end")
    opened: int = Field(default=0, description="first openings")
    reconnected: int = Field(
        default=0, description="closed in order (notice, then close code), and opened again"
    )
    abnormal: int = Field(
        default=0,
        description="closed without a close frame, with another code or without notice; "
        "or an echo unanswered; or could not be opened",
    )
    echoes: int = Field(default=0, description="echoes answered")
    cut: int = Field(default=0, description="echoes still unanswered when their socket closed in order")


class Second(Requests):
    """One second of the run."""

    second: int
    sockets: Sockets = Sockets()
    releases: dict[str, int] = Field(default_factory=dict, description="answers by X-Release")
    hosts: dict[str, int] = Field(default_factory=dict, description="answers by X-Served-By")


class Sighting(Finding):
    """A release, as clients saw it in X-Release."""

    release: str
    first: float = Field(description="seconds after the start")
    last: float
    answers: int


class Loss(Finding):
    """One lost request or one socket that closed abnormally."""

    what: Literal["request", "socket"]
    at: float = Field(description="seconds after the start: of a request, the intended time")
    time: datetime
    kind: str = Field(description="`refused`, `reset`, `timeout`, `truncated`, `status 503`, `code 1006`, …")
    where: str = Field(description="path of a request, number of a socket")
    host: str = Field(default="", description="X-Served-By, if known")
    release: str = Field(default="", description="X-Release, if known")
    detail: str = ""


class Generator(Finding):
    """Did the meter itself keep up?"""

    late: int = 0
    worst_late_ms: float = 0
    cpu_percent: float = Field(default=0, description="of one core")
    saturated: bool = Field(
        default=False, description="more than 1 % of requests late: latencies are not proof"
    )


class Report(Finding):
    """The whole measurement."""

    schema_version: int = 1
    url: str
    rps: float
    sockets_asked: int
    seconds_asked: float
    started: datetime
    seconds: float = Field(description="how long it ran")
    requests: Requests
    sockets: Sockets
    echo_ms: Latency
    per_second: list[Second]
    per_release: dict[str, Requests] = Field(description="`none`: no answer, or one without X-Release")
    releases: list[Sighting] = Field(description="in the order of their first sighting")
    hosts: dict[str, int]
    losses: list[Loss] = Field(description="the first 1000, each with its time")
    kinds: dict[str, int] = Field(description="how often each kind of loss came")
    generator: Generator
    notes: list[str] = Field(default_factory=list)
    failures: list[str] = Field(
        default_factory=list, description="why the run did not pass; empty: it passed"
    )

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing closed abnormally, and there was data."""
        return not self.failures

    @property
    def exit_code(self) -> int:
        """0 passed, 1 not."""
        return 0 if self.passed else 1
