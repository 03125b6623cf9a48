"""Who takes part in a run, and how many of each: users for visits, users for sockets.

Locust spawns all of them at the start; most wait. When they do something is not locust's but the profile's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from locust.user import User

from slipway.load.http_user import HttpUser
from slipway.load.profile import Profile
from slipway.load.schedule import Part
from slipway.load.socket_user import SocketUser
from slipway.settings.app import App

__all__ = ["Crew", "crew_of"]

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
        logging.getLogger(__name__).warning("not of slipway.load, and left out: %s", ", ".join(others))
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
