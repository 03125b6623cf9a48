"""Which users take part in a run, and how many of each: users for visits, users for sockets.

All of them are spawned at the start, and most wait: when they act is decided by the profile, not by locust.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from locust.user import User

from slipway.traffic.profile import Profile
from slipway.traffic.schedule import Part

__all__ = ["UserMix", "VisitRate", "split_by_weight"]

FEWEST, MOST = 4, 4000
"""Users of one kind that wait for visits in one process."""


@dataclass(frozen=True)
class VisitRate:
    """How often one kind of user visits."""

    peak: float
    """Most visits a second, over all processes."""
    share: float | None
    """Share of the profile's arrivals; None: `peak` all the time."""
    seconds: float
    """Expected length of a visit: times the visits a second, it gives the users that stand by."""


@dataclass(frozen=True)
class UserMix:
    """The users of a run by kind."""

    visits: Mapping[type[User], VisitRate]
    sockets: Mapping[type[User], int]
    """Users with a socket, over all processes."""
    processes: int = 1
    """How many processes send the load."""

    @cached_property
    def users(self) -> Mapping[type[User], int]:
        """How many of each kind, over all processes. Each process has the same number of visiting users."""
        users = dict(self.sockets)
        for kind, rate in self.visits.items():
            each = math.ceil(rate.peak / self.processes * rate.seconds)
            users[kind] = min(max(each, FEWEST), MOST) * self.processes
        return users

    @property
    def size(self) -> int:
        """All users."""
        return sum(self.users.values())

    def arrivals(self, profile: Profile, part: Part) -> dict[type[User], Iterator[float]]:
        """When visits of each kind are due in this part of the load, in seconds of the profile."""
        return {
            kind: profile.schedule.constant(rate.peak, part)
            if rate.share is None
            else profile.schedule.arrivals(rate.share, part)
            for kind, rate in self.visits.items()
        }


def split_by_weight(weights: Mapping[type[User], float], total: int) -> dict[type[User], int]:
    """`total` split by weight; what rounding leaves goes to the largest remainders: the sum is exact."""
    whole = sum(weights.values())
    exact = {kind: total * weight / whole for kind, weight in weights.items()}
    parts = {kind: math.floor(each) for kind, each in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: exact[kind] - parts[kind], reverse=True)
    for kind in by_remainder[: total - sum(parts.values())]:
        parts[kind] += 1
    return parts
