"""One run of a profile in this process: when everything is due, who is free, and what is open."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Group
from locust.env import Environment
from locust.user import User

from slipway.settings.errors import BadInput
from slipway.traffic.arrivals import Lane
from slipway.traffic.broadcasts import Broadcasts
from slipway.traffic.identity import Identity
from slipway.traffic.profile import Profile
from slipway.traffic.samples import Samples
from slipway.traffic.schedule import WHOLE, Part
from slipway.traffic.target import Aim

if TYPE_CHECKING:
    from slipway.traffic.workers import Crew

__all__ = ["LoadRun", "run_of"]

LEAD_SECONDS = 0.5
SPAWNED_A_SECOND = 1000
_ATTRIBUTE = "slipway_load"


class LoadRun:
    """Attached to locust's environment, where users find it (`run_of`). Times are of `time.perf_counter`."""

    def __init__(self, environment: Environment, aim: Aim, profile: Profile, crew: Crew) -> None:
        self.environment = environment
        self.aim = aim
        self.profile = profile
        self.crew = crew
        """Who takes part."""
        self.load = aim.app.load
        self.samples = Samples()
        """Gets arrivals and drops from here; who listens to locust's request event adds the rest."""
        self.part: Part = WHOLE
        """Which part of the load this process sends; to be set before the test starts."""
        self.sockets_open = 0
        self.zero = float("inf")
        """When second 0 of the profile is; infinite before the run."""
        self.identity = Identity(aim, environment.events.request)
        self.broadcasts = Broadcasts()
        self.numbers: Iterator[int] = count()
        """One for each user of this process."""
        self._lanes: dict[type[User], Lane] = {}
        self._seats: dict[type[User], Iterator[int]] = {}
        self._dispatchers = Group()
        setattr(environment, _ATTRIBUTE, self)

    @property
    def at(self) -> float:
        """Seconds since second 0 of the profile; negative before it."""
        return time.perf_counter() - self.zero

    @property
    def lead(self) -> float:
        """Seconds from the start of the test to second 0 of the profile, in which all users are spawned."""
        return LEAD_SECONDS + self.crew.size / SPAWNED_A_SECOND

    def staff(self, processes: int) -> None:
        """So many processes send the load, each its part: who takes part in it, before the test starts."""
        self.crew = replace(self.crew, processes=processes)
        # Locust spawns exactly so many.
        for kind, number in self.crew.users.items():
            kind.fixed_count = number

    def begin(self, *, leads: bool = False) -> None:
        """The test starts: visits of each kind of user fall due from second 0 on.

        Who `leads` workers has no users of its own: nothing falls due there.
        """
        self.stop()
        self.zero = time.perf_counter() + self.lead
        self.sockets_open = 0
        self._seats = {}
        if leads:
            return
        for kind, times in self.crew.arrivals(self.profile, self.part).items():
            self._dispatchers.add(gevent.spawn(self.lane(kind).dispatch, times, self.zero))

    def stop(self) -> None:
        """No more visits; those that still wait for a user have been dropped."""
        self._dispatchers.kill()
        for lane in self._lanes.values():
            lane.close()
        self._lanes = {}
        self.zero = float("inf")

    def lane(self, kind: type[User]) -> Lane:
        """Where users of this kind wait for their next visit."""
        if kind not in self._lanes:
            self._lanes[kind] = Lane(
                self.load.patience_seconds,
                arrived=lambda ago: self.samples.arrived(ago * 1000, at=time.time() - ago),
                dropped=lambda ago: self.samples.dropped(at=time.time() - ago),
            )
        return self._lanes[kind]

    def seat(self, kind: type[User]) -> int:
        """A number for the next socket of this kind, different from that of any other process."""
        number = next(self._seats.setdefault(kind, count()))
        return number * self.part.of + self.part.index

    def place(self, kind: type[User], seat: int) -> float:
        """Where among all sockets of the peak this seat is: kinds with few seats are spread over the ramp."""
        seats = self.crew.users.get(kind, 0)
        return min(seat, seats - 1) * self.profile.schedule.peak_sockets / seats if seats else float(seat)

    def tell(self, kind: str, name: str, ms: float, error: str | None = None, size: int = 0) -> None:
        """Tells locust, and whoever listens to it, of something that was timed."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=ms,
            response_length=size,
            exception=None if error is None else LoadError(error),
            context={},
        )


class LoadError(Exception):
    """What was not as it should be, in one sentence."""


def run_of(environment: Environment) -> LoadRun:
    """The run that `environment`'s users belong to. BadInput if there is none."""
    run = getattr(environment, _ATTRIBUTE, None)
    if not isinstance(run, LoadRun):
        raise BadInput("no load run", remedy="start it by `slipway load` or `locust -f loadtests/`")
    return run
