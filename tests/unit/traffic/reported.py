"""A run worth a page: a release in the middle slows everything, drops visits, loses a few requests."""

from __future__ import annotations

import random

from slipway.settings import Load, Threshold
from slipway.traffic.results import RunResult, result_of
from slipway.traffic.samples import Reading, Samples
from slipway.traffic.thresholds import Plan

START = 1_760_000_000.4
SECONDS = 75
NASTY = '<img src=x onerror="document.title=1">'
LOAD = Load(
    thresholds=[
        Threshold(kind="HTTP", name="GET /api/tasks", p95_ms=40, p99_ms=200),
        Threshold(kind="WS echo", p95_ms=50),
        Threshold(kind="HTTP", name="POST /api/tasks", min_samples=5),
    ]
)


def samples(seed: int = 1, *, troubled: bool = True) -> Samples:
    """Of 75 seconds; the first ten are the ramp."""
    chance, made = random.Random(seed), Samples()
    for second in range(SECONDS):
        at, slow = START + second, 6 if troubled and 40 <= second < 45 else 1
        for _ in range(40):
            lost = slow > 1 and chance.random() < 0.05
            made.record("HTTP", "GET /api/tasks", slow * chance.lognormvariate(2.5, 0.5), at=at)
            made.record(
                "HTTP",
                "GET /",
                slow * chance.lognormvariate(1.8, 0.4),
                f"503 {NASTY}" if lost else None,
                at=at,
            )
            made.arrived(chance.random() * 2, at=at)
        for _ in range(60):
            made.record("WS echo", "echo", slow * chance.lognormvariate(1, 0.4), at=at)
        for _ in range(10 if second < 10 else 0):
            made.record("WS connect", "/ws", chance.lognormvariate(3, 0.4), at=at)
        if troubled and 41 <= second < 43:
            for _ in range(8):
                made.arrived(1, at=at)
                made.dropped(at=at)
        for process in "ab":
            made.read(
                process,
                Reading(min(50, second * 5 + 5), 0.3 + chance.random() / 10, 12 * chance.random()),
                at=at,
            )
    made.record("WS session", "/ws", 60_000, at=START + SECONDS - 1)
    if troubled:
        made.annotate("release 8: switch", at=START + 40)
        made.annotate("release 8 answers", at=START + 40.4)
        made.annotate("release 8: promote", at=START + 52)
    return made


def run(seed: int = 1, *, troubled: bool = True, load: Load = LOAD) -> RunResult:
    """What it came to."""
    return result_of(
        samples(seed, troubled=troubled),
        load,
        Plan(START, ((10, SECONDS),), 100, frozenset({"HTTP", "WS echo"})),
        stack="preview",
        profile="expected",
        url="https://preview.example.com",
        release=7,
        stopped=START + SECONDS,
    )
