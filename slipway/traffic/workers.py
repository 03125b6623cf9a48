"""Who takes part in a run, and how many of each: users for visits, users for sockets.

Locust spawns all of them at the start; most wait. When they do something is not locust's but the profile's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isinf
from typing import Any, cast

from locust import LoadTestShape
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner
from locust.user import User

from slipway.settings.app import App
from slipway.traffic.http_user import HttpUser
from slipway.traffic.profile import Profile
from slipway.traffic.run import LoadRun
from slipway.traffic.schedule import Part
from slipway.traffic.socket_user import SocketUser

__all__ = ["Crew", "EvenDispatcher", "ProfileShape", "crew_of", "processes_of", "share_out"]


FEWEST, MOST = 4, 4000
"""Users of one kind that wait for visits in one process."""


@dataclass(frozen=True)
class Crew:
    """The users of a run by kind."""

    peaks: Mapping[type[HttpUser], float]
    """Most visits a second, over all processes."""
    seats: Mapping[type[SocketUser], int]
    """Users for sockets, over all processes."""
    rates: Mapping[type[HttpUser], float | None]
    """Visits a second of those with a rate of their own; None: by weight, a share of the profile's."""
    shares: Mapping[type[HttpUser], float]
    processes: int = 1
    """That send the load."""

    @cached_property
    def users(self) -> Mapping[type[User], int]:
        """How many of each, over all processes. For visits equally many in each: visits never change over."""
        users: dict[type[User], int] = dict(self.seats.items())
        for kind, peak in self.peaks.items():
            users[kind] = _standing_by(peak / self.processes, kind) * self.processes
        return users

    @property
    def size(self) -> int:
        """All users."""
        return sum(self.users.values())

    def arrivals(self, profile: Profile, part: Part) -> dict[type[User], Iterator[float]]:
        """When visits of each kind fall due in this part of the load, in seconds of the profile."""
        return {
            kind: profile.schedule.arrivals(self.shares[kind], part)
            if rate is None
            else profile.schedule.constant(rate, part)
            for kind, rate in self.rates.items()
        }


def crew_of(classes: list[type[User]], profile: Profile, app: App) -> Crew:
    """Those of `classes` that have something to do in `profile` on this app."""
    visitors = [kind for kind in classes if issubclass(kind, HttpUser) and kind.suits(app)]
    rates = {kind: kind.own_rate(app) for kind in visitors}
    weights = {kind: kind.weight for kind, rate in rates.items() if rate is None}
    shares = {kind: weight / sum(weights.values()) for kind, weight in weights.items()}
    peaks = {
        kind: profile.schedule.peak_rate * shares[kind] if rate is None else rate
        for kind, rate in rates.items()
    }
    peaks = {kind: peak for kind, peak in peaks.items() if peak > 0}
    sitters = [kind for kind in classes if issubclass(kind, SocketUser) and kind.suits(app)]
    seats = seats_of({kind: kind.weight for kind in sitters}, profile.schedule.peak_sockets)
    others = [kind.__name__ for kind in classes if not issubclass(kind, HttpUser | SocketUser)]
    if others:
        logging.getLogger(__name__).warning("not of slipway.traffic, and left out: %s", ", ".join(others))
    return Crew(
        peaks,
        {kind: number for kind, number in seats.items() if number},
        {kind: rate for kind, rate in rates.items() if kind in peaks},
        shares,
    )


def _standing_by(peak: float, kind: type[HttpUser]) -> int:
    """Users of `kind` that a process needs for `peak` visits a second."""
    return min(max(math.ceil(peak * kind.visit_seconds), FEWEST), MOST)


def seats_of(weights: Mapping[type[SocketUser], float], total: int) -> dict[type[SocketUser], int]:
    """`total` seats by weight; what rounding leaves goes to the largest remainders, so that none is lost."""
    whole = sum(weights.values())
    exact = {kind: total * weight / whole for kind, weight in weights.items()}
    seats = {kind: math.floor(each) for kind, each in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: exact[kind] - seats[kind], reverse=True)
    for kind in by_remainder[: total - sum(seats.values())]:
        seats[kind] += 1
    return seats


MESSAGE = "slipway-part"


def share_out(environment: Environment, run: LoadRun) -> None:
    """Call it once, on locust's event `init`; a process that is alone sends all."""
    runner, events = environment.runner, cast("Any", environment.events)
    if isinstance(runner, WorkerRunner):

        def told(msg: Any, **_: object) -> None:
            run.part = Part(msg.data["index"], msg.data["of"])
            run.staff(run.part.of)

        cast("Any", runner).register_message(MESSAGE, told)
    elif isinstance(runner, MasterRunner):

        def tell(**_: object) -> None:
            # Messages to one worker keep their order, and the one that starts the test comes after this.
            present = _workers(runner)
            for index, worker in enumerate(present):
                runner.send_message(MESSAGE, {"index": index, "of": len(present)}, worker)

        events.test_start.add_listener(tell)


def processes_of(runner: Runner | None) -> int:
    """How many processes would send the load, if it began now."""
    return max(len(_workers(runner)), 1) if isinstance(runner, MasterRunner) else 1


def _workers(master: MasterRunner) -> list[str]:
    """Those among whom locust deals the users."""
    clients = master.clients
    return sorted(each.id for each in clients.ready + clients.spawning + clients.running)


class EvenDispatcher(UsersDispatcher):
    """Deals out one kind after the other, to those processes that are there as the test begins."""

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Who comes later has no part in this test."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Nobody makes the visits of one that was lost: the report tells of it."""

    def _user_gen(self) -> Iterator[str | None]:
        while True:
            for kind in self._user_classes:
                for _ in range(kind.fixed_count - self._get_user_current_count(kind.__name__)):
                    yield kind.__name__
            yield None


class ProfileShape(LoadTestShape):
    """All users at once, most of whom wait, until the profile is over; then locust lets visits finish."""

    abstract = True  # not to be found in locustfiles: the plugin makes the one there is

    def __init__(self, run: LoadRun) -> None:
        super().__init__()
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Users and how many are spawned a second; None ends the run."""
        run = self._run
        if isinf(run.zero):
            run.staff(processes_of(self.runner))
        if self.get_run_time() > run.lead + run.profile.seconds:
            return None
        return run.crew.size, float(run.crew.size)
