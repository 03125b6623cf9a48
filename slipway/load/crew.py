"""Who takes part in a run, and how many of each: users for visits, users for sockets.

Locust spawns all of them at the start; most wait. When they do something is not locust's but the profile's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from locust.user import User

from slipway.load.http_user import HttpUser
from slipway.load.profile import Profile
from slipway.load.schedule import Part
from slipway.load.socket_user import SocketUser
from slipway.settings.app import App

__all__ = ["Crew", "crew_of"]

FEWEST, MOST = 4, 4000
"""Users of one kind that wait for visits, over all processes."""


@dataclass(frozen=True)
class Crew:
    """The users of a run by kind."""

    users: Mapping[type[User], int]
    """How many of each, over all processes."""
    rates: Mapping[type[HttpUser], float | None]
    """Visits a second of those with a rate of their own; None: by weight, a share of the profile's."""
    shares: Mapping[type[HttpUser], float]

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
    users: dict[type[User], int] = {}
    for kind, rate in rates.items():
        peak = profile.schedule.peak_rate * shares[kind] if rate is None else rate
        if peak > 0:
            users[kind] = min(max(math.ceil(peak * kind.visit_seconds), FEWEST), MOST)
    sitters = [kind for kind in classes if issubclass(kind, SocketUser) and kind.suits(app)]
    users |= {
        kind: seats
        for kind, seats in seats_of(
            {kind: kind.weight for kind in sitters}, profile.schedule.peak_sockets
        ).items()
        if seats
    }
    others = [kind.__name__ for kind in classes if not issubclass(kind, HttpUser | SocketUser)]
    if others:
        logging.getLogger(__name__).warning("not of slipway.load, and left out: %s", ", ".join(others))
    return Crew(users, {kind: rate for kind, rate in rates.items() if kind in users}, shares)


def seats_of(weights: Mapping[type[User], float], total: int) -> dict[type[User], int]:
    """`total` seats by weight; what rounding leaves goes to the largest remainders, so that none is lost."""
    whole = sum(weights.values())
    exact = {kind: total * weight / whole for kind, weight in weights.items()}
    seats = {kind: math.floor(each) for kind, each in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: exact[kind] - seats[kind], reverse=True)
    for kind in by_remainder[: total - sum(seats.values())]:
        seats[kind] += 1
    return seats
