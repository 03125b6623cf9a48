"""`[load]` of slipway.toml: how much the app must carry, and what its users must see meanwhile.

`slipway meter` reads `paths`, `p95_ms` and `error_ratio`; load tests read all of it. The shapes of the
profiles are in slipway/traffic/profile.py; here is only how large they are for this app.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from slipway.settings.schema import HttpPath, Setting

ProfileName = Literal["smoke", "expected", "stress", "soak", "spike", "storm"]


class LoadSize(Setting):
    """How large a profile is; omitted values follow from `[load]` and the profile's shape."""

    arrivals: float | None = Field(default=None, ge=0, le=100_000)
    """Visits per second at scale 1."""
    sockets: int | None = Field(default=None, ge=0, le=100_000)
    """WebSockets open at the same time at scale 1."""
    seconds: float | None = Field(default=None, gt=0, le=604_800)
    """Duration of the whole profile; its stages are stretched or shortened proportionally."""


class Threshold(Setting):
    """Bounds for requests of one kind, or of one kind and name, instead of those of `[load]`."""

    kind: Annotated[str, StringConstraints(min_length=1)]
    """`HTTP`, `WS connect`, `WS open`, `WS echo`, `WS broadcast`, `WS backlog`, `WS session`, `visit`,
    or a scenario's own."""
    name: str = ""
    """Name in the report: `GET /api/tasks`; empty: every name of the kind, each separately."""
    p50_ms: float | None = Field(default=None, gt=0)
    """Highest median."""
    p95_ms: float | None = Field(default=None, gt=0)
    """Highest p95; default: load.p95_ms."""
    p99_ms: float | None = Field(default=None, gt=0)
    """Highest p99."""
    error_ratio: float | None = Field(default=None, ge=0, le=1)
    """Highest share of errors; default: load.error_ratio."""
    min_samples: int | None = Field(default=None, ge=1)
    """Samples needed for a verdict, and so for a pass; default: load.min_samples."""
    abort_on_fail: bool = False
    """End the run as soon as this threshold can no longer be met."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"kind", "name"}:
            raise ValueError("give at least one of p50_ms, p95_ms, p99_ms, error_ratio and min_samples")
        return self


class Load(Setting):
    """What `slipway meter` and load tests send, and the thresholds they must meet. See docs/load-tests.md."""

    paths: list[HttpPath] = Field(default_factory=list)
    """Public pages, requested in turn; default: processes.web.health."""
    p95_ms: float = Field(default=500, gt=0)
    """Highest p95 under load, for each kind and name separately."""
    error_ratio: float = Field(default=0.01, ge=0, le=1)
    """Highest share of failed requests under load, for each kind and name separately."""
    min_samples: int = Field(default=20, ge=1)
    """Samples needed for a verdict; too few are a failure."""
    arrivals: float = Field(default=10, ge=0, le=100_000)
    """Visits per second under the expected load; one visit is one run of a scenario."""
    sockets: int = Field(default=20, ge=0, le=100_000)
    """WebSockets open at the same time under the expected load; none for an app without `[websocket]`."""
    sockets_ratio: float = Field(default=0.95, ge=0, le=1)
    """Share of the expected sockets that must be open at the same time at the peak."""
    dropped_ratio: float = Field(default=0.01, ge=0, le=1)
    """Highest share of arrivals that found no free user in time."""
    patience_seconds: float = Field(default=10, gt=0, le=300)
    """How long an arrival waits for a free user before it is dropped; also the time-out of each request."""
    settle_seconds: float = Field(default=5, ge=0, le=3600)
    """Samples within this time after a rise in load are reported, but not judged."""
    echo_seconds: float = Field(default=1, gt=0, le=300)
    """Interval at which each socket sends `websocket.echo`."""
    broadcasts: float = Field(default=1, ge=0, le=1000)
    """Writes per second by `checks.write`; timed until every socket has received the broadcast."""
    reconnect_seconds: float = Field(default=3, ge=0, le=300)
    """Clients that are asked to reconnect do so at a random moment within this time."""
    abort_on_fail: bool = False
    """End the run as soon as a threshold can no longer be met."""
    profiles: dict[ProfileName, LoadSize] = Field(default_factory=dict[ProfileName, LoadSize])
    """Sizes of single profiles; see below."""
    thresholds: list[Threshold] = Field(default_factory=list[Threshold])
    """Bounds by kind and name; see below. Where two match, the one with a name takes precedence."""
