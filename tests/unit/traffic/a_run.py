"""A run as tests make one up: steady seconds, and what one of them wants to be different."""

from __future__ import annotations

from slipway.traffic.samples import Reading, Samples
from slipway.traffic.thresholds import Plan

START = 1_760_000_000.0


def seconds(
    samples: Samples,
    count: int,
    *,
    since: int = 0,
    kind: str = "HTTP",
    name: str = "GET /",
    ms: float = 10.0,
    each: int = 10,
    error: str | None = None,
) -> Samples:
    """Adds `each` samples in each of `count` seconds, from second `since` of the run on."""
    for second in range(since, since + count):
        for _ in range(each):
            samples.record(kind, name, ms, error, at=START + second)
    return samples


def generator(
    samples: Samples,
    count: int,
    *,
    since: int = 0,
    source: str = "here",
    sockets: int = 0,
    cpu: float = 0.3,
    lag: float = 5.0,
) -> Samples:
    """Adds a reading of a process of the generator for each of `count` seconds."""
    for second in range(since, since + count):
        samples.read(source, Reading(sockets, cpu, lag), at=START + second)
    return samples


def asked(end: float = 30.0, begin: float = 0.0, **rest: object) -> Plan:
    """A run of one window."""
    return Plan(START, ((begin, end),), **rest)  # pyright: ignore[reportArgumentType] - the tests' own keywords
