"""One run of a profile in this process: its users, when everything is due, who is free, and what is open.

All users are spawned at the start, and most wait: when they act is decided by the profile, not by locust.
"""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from http.cookiejar import Cookie
from itertools import count
from math import ceil, floor, inf, isinf

import gevent.pool
from locust.env import Environment
from locust.user import User

from slipway.settings import BadInput
from slipway.traffic.arrivals import VisitQueue
from slipway.traffic.conversation import Broadcasts
from slipway.traffic.http_session import HttpSession, sign_in_by
from slipway.traffic.profile import WHOLE, Part, Profile
from slipway.traffic.samples import Samples
from slipway.traffic.sign_in import Identity
from slipway.traffic.target import Target

__all__ = ["LoadRun", "UserMix", "VisitRate", "run_of", "split_by_weight"]


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
            each = ceil(rate.peak / self.processes * rate.seconds)
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
    parts = {kind: floor(each) for kind, each in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: exact[kind] - parts[kind], reverse=True)
    for kind in by_remainder[: total - sum(parts.values())]:
        parts[kind] += 1
    return parts


LEAD_SECONDS = 0.5
SPAWNED_A_SECOND = 1000
END_SECONDS = 1.0
"""A run that stops this shortly before its end counts as ended: clocks of machines differ a little."""
_ATTRIBUTE = "slipway_load"


class LoadRun:
    """Attached to locust's environment, where users find it (`run_of`). Times are of `time.perf_counter`."""

    def __init__(self, environment: Environment, target: Target, profile: Profile, mix: UserMix) -> None:
        self.environment = environment
        self.target = target
        self.profile = profile
        self.mix = mix
        """Which users take part, and how many of each."""
        self.load = target.app.load
        self.samples = Samples()
        """Gets arrivals and drops from here, and everything else from the recorder."""
        self.part: Part = WHOLE
        """The part of the load that this process sends; set before the test starts."""
        self.starts_at: float | None = None
        """Second 0 of the profile by `time.time`, the same in all processes; None: `lead` from the start."""
        self.sockets_open = 0
        self.zero = inf
        """When second 0 of the profile is; infinite before the run."""
        self._signed_in = HttpSession(target, environment.events.request, timeout=self.load.patience_seconds)
        self.identity = Identity(lambda: sign_in_by(self._signed_in, target))
        self.broadcasts = Broadcasts()
        self.numbers: Iterator[int] = count()
        """One for each user of this process."""
        self.connected: set[User] = set()
        """Users whose task lasts as long as the run: they are stopped with it."""
        self._queues: dict[type[User], VisitQueue] = {}
        self._indexes: dict[type[User], Iterator[int]] = {}
        self._dispatchers = gevent.pool.Group()
        setattr(environment, _ATTRIBUTE, self)

    @property
    def identity_cookies(self) -> list[Cookie]:
        """Cookies of the signed-in user."""
        return self._signed_in.identity_cookies

    @property
    def at(self) -> float:
        """Seconds since second 0 of the profile; negative before it."""
        return time.perf_counter() - self.zero

    @property
    def lead(self) -> float:
        """Seconds from the start of the test to second 0 of the profile, in which all users are spawned."""
        return LEAD_SECONDS + self.mix.size / SPAWNED_A_SECOND

    def set_processes(self, processes: int) -> None:
        """Size the user mix for this number of processes, before the test starts."""
        self.mix = replace(self.mix, processes=processes)
        for kind, number in self.mix.users.items():
            kind.fixed_count = number

    def begin(self, *, leads: bool = False) -> None:
        """The test starts: visits of each kind of user are due from second 0 on.

        A process that `leads` workers has no users, so nothing is due there.
        """
        self.stop()
        lead = self.lead if self.starts_at is None else self.starts_at - time.time()
        self.zero = time.perf_counter() + lead
        self.sockets_open = 0
        self._indexes = {}
        self._queues = {}
        if leads:
            return
        for kind, times in self.mix.arrivals(self.profile, self.part).items():
            queue = self.queue(kind)
            queue.schedule(times, self.zero)
            self._dispatchers.add(gevent.spawn(queue.dispatch))

    def stop(self) -> None:
        """End the run: every visit that was due by now and that no user has taken is counted as dropped."""
        if isinf(self.zero):
            return
        at, end = self.at, self.profile.seconds
        until = self.zero + (end if at >= end - END_SECONDS else at)
        self.zero = inf
        self._dispatchers.kill()
        for queue in self._queues.values():
            queue.close(until)
        for user in list(self.connected):
            user.stop(force=True)

    def settle(self, seconds: float) -> None:
        """Stop, and wait until the visits under way have ended, at most `seconds`."""
        self.stop()
        until = time.perf_counter() + seconds
        while any(queue.under_way for queue in self._queues.values()) and time.perf_counter() < until:
            gevent.sleep(0.02)

    def queue(self, kind: type[User]) -> VisitQueue:
        """The visits of this kind of user."""
        if kind not in self._queues:
            self._queues[kind] = VisitQueue(
                self.load.patience_seconds,
                arrived=lambda ago: self.samples.arrived(ago * 1000, at=time.time() - ago),
                dropped=lambda ago: self.samples.dropped(at=time.time() - ago),
            )
        return self._queues[kind]

    def socket_index(self, kind: type[User]) -> int:
        """The index of the next socket user of this kind, different from those of all other processes."""
        number = next(self._indexes.setdefault(kind, count()))
        return number * self.part.of + self.part.index

    def socket_rank(self, kind: type[User], index: int) -> float:
        """Its rank among the sockets of all kinds, so that kinds with few sockets are spread over a ramp."""
        sockets = self.mix.users.get(kind, 0)
        peak = self.profile.schedule.peak_sockets
        return min(index, sockets - 1) * peak / sockets if sockets else float(index)

    def report(self, kind: str, name: str, ms: float, error: str | None = None, size: int = 0) -> None:
        """Fire locust's request event for something that was timed."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=ms,
            response_length=size,
            exception=None if error is None else LoadError(error),
            context={},
        )


class LoadError(Exception):
    """What was wrong with a sample, in one sentence."""


def run_of(environment: Environment) -> LoadRun:
    """The run that `environment`'s users belong to. BadInput if there is none."""
    run = getattr(environment, _ATTRIBUTE, None)
    if not isinstance(run, LoadRun):
        raise BadInput("no load run", remedy="start it by `slipway load` or `locust -f loadtests/`")
    return run
