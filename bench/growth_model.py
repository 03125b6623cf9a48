"""A fleet of any size on a virtual clock, in which a release and a rollback run by slipway's own code.

The pipeline, the ledger, the fan-out and the agents are the real code, as in tests/simulation. A model says
how long the agent's work takes on a host and what one command costs the operator's processors, both as
recorded on a real fleet; what the network adds, whose round trip differs from host to host; and how fast the
builds bucket is, from which all hosts fetch the same layer.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from slipway.fleet import fleet
from slipway.fleet.process import Completed
from tests.simulation.kernel import attributes
from tests.simulation.patches import simulated
from tests.simulation.world import Command, Plan, SimConnection, World

CORES = 2
ROUND_TRIP = (0.005, 0.08)
"""Seconds, from the nearest host to the farthest."""
LAYER_BYTES = 5_000_000
HOST_BYTES = 25e6
"""A second, that one host receives from the bucket."""
BUCKET_BYTES = 125e6
"""A second, that the bucket sends to all: one server with a link of 1 Gbit/s."""
CONNECT_ROUND_TRIPS = 6
"""TCP, ssh's version, key exchange, authentication, session."""


@dataclass(frozen=True)
class Recorded:
    """What was measured on a real fleet, in seconds."""

    agent: Mapping[str, float]
    """By the agent's command: from its start on the host to its answer."""
    connect: float
    """Processor time on the operator's side for opening one connection."""
    client: float
    """Processor time of the ssh client of one command."""
    interpreter: float
    """Processor time of slipway itself for one command; one at a time."""


@dataclass
class Took:
    """A command in the model: seconds by phase and in all, and the most ssh clients at once."""

    phases: dict[str, float]
    seconds: float
    clients: int
    switch: float
    """From the start of the phase until the last web host has switched."""
    skew: float
    """From the first web host's switch to the last one's."""


@dataclass
class GrowthPlan(Plan):
    """A stack with many web hosts."""

    web: int = 2
    window_seconds: float = 0.0

    @property
    def roles(self) -> dict[str, str]:
        return {**{f"web{n}": "web" for n in range(1, self.web + 1)}, "worker1": "worker"}


class Line:
    """Serves work first come, first served, `width` at a time."""

    def __init__(self, width: int) -> None:
        self._free = [0.0] * width

    def end(self, now: float, seconds: float) -> float:
        """When work that takes `seconds` and comes at `now` will be done."""
        ends = max(heapq.heappop(self._free), now) + seconds
        heapq.heappush(self._free, ends)
        return ends


@dataclass
class Model:
    """What all connections share."""

    recorded: Recorded
    dice: random.Random
    processors: Line = field(default_factory=lambda: Line(CORES))
    interpreter: Line = field(default_factory=lambda: Line(1))
    bucket: Line = field(default_factory=lambda: Line(1))
    open: set[str] = field(default_factory=set[str])
    round_trips: dict[str, float] = field(default_factory=dict[str, float])
    switched: list[float] = field(default_factory=list[float])
    clients: int = 0
    most_clients: int = 0

    def round_trip(self, host: str) -> float:
        if host not in self.round_trips:
            self.round_trips[host] = self.dice.uniform(*ROUND_TRIP)
        return self.round_trips[host]


class ModelConnection(SimConnection):
    """An ssh connection that costs the operator what it costs on a real fleet."""

    model: Model

    def run(
        self, argv: list[str], stdin: bytes = b"", *, timeout: float | None = 60, **named: object
    ) -> Completed:
        model, kernel, command = self.model, self.world.kernel, argv[1]
        model.clients += 1
        model.most_clients = max(model.most_clients, model.clients)
        try:
            trip = model.round_trip(self.host)
            self._compute(model.interpreter, model.recorded.interpreter)
            if self.host not in model.open:
                self._compute(model.processors, model.recorded.connect)
                kernel.sleep(CONNECT_ROUND_TRIPS * trip)
                model.open.add(self.host)
            self._compute(model.processors, model.recorded.client)
            # A channel is opened, then the command sent and answered.
            kernel.sleep(2 * trip)
            if command == "stage":
                kernel.sleep(max(model.bucket.end(kernel.now, LAYER_BYTES / BUCKET_BYTES) - kernel.now, 0))
                kernel.sleep(LAYER_BYTES / HOST_BYTES)
            work = model.recorded.agent.get(command, model.recorded.agent["status"])
            kernel.sleep(work * model.dice.uniform(0.8, 1.5))
            if command == "switch" and self.host.startswith("web"):
                model.switched.append(kernel.now)
            return super().run(argv, stdin, timeout=timeout, **named)
        finally:
            model.clients -= 1

    def _compute(self, line: Line, seconds: float) -> None:
        kernel = self.world.kernel
        kernel.sleep(line.end(kernel.now, seconds) - kernel.now)


@contextmanager
def fleet_of(web: int, recorded: Recorded) -> Generator[World]:
    """A stack of `web` web hosts and a worker, on which two releases have been shipped."""
    with simulated(), World(f"growth/{web}", GrowthPlan(web=web)) as world:
        world.timers = False
        for host in world.hosts.values():
            host.slow = 0.0  # what work takes is the model's
        model = Model(recorded, random.Random(web))
        connection = type("Connection", (ModelConnection,), {"model": model})
        with attributes([(fleet, "Connection", connection)]):
            cast("Any", world).model = model
            for _ in range(2):
                run(world, "release")
            yield world


def run(world: World, what: str, *, cold: bool = False) -> Took:
    """Run `release`, `rollback` or `status`; with `cold`, over connections that are not open yet."""
    model: Model = cast("Any", world).model
    if cold:
        model.open.clear()
    model.most_clients, model.switched[:] = 0, []
    begins: list[tuple[str, float]] = []
    world.on_phase = lambda _command, name: begins.append((name, world.kernel.now))
    start = {"release": world.ship, "rollback": world.roll_back, "status": world.look}[what]
    command = world.finish(start())
    if command.error is not None or command.ended is None:
        raise RuntimeError(f"{what} failed in the model: {command.error}")
    return _took(command, begins, model)


def _took(command: Command, begins: list[tuple[str, float]], model: Model) -> Took:
    ended = command.ended or 0.0
    starts = dict(begins)
    ends = [*(when for _, when in begins), ended][1:]
    phases = {name: end - begin for (name, begin), end in zip(begins, ends, strict=False)}
    first, last = min(model.switched, default=0.0), max(model.switched, default=0.0)
    switch = last - starts.get("switch", last)
    return Took(phases, ended - command.began, model.most_clients, switch, last - first)
