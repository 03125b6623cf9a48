"""Load profiles: when users arrive and how many sockets are open, worked out beforehand.

A profile is how a load rises, stays and falls, as data; how large it is for an app is in slipway.toml.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import cast

from slipway.settings import App, BadInput, LoadSize, ProfileName
from slipway.traffic.samples import CONNECT, ECHO, HTTP

__all__ = ["SHAPES", "WHOLE", "Leg", "Part", "Profile", "Schedule", "Shape", "Stage", "profile_of", "steady"]


_NEAR = 1e-9


@dataclass(frozen=True)
class Leg:
    """A stretch of time in which arrivals a second and open sockets change in a straight line."""

    begins: float
    ends: float
    rate_from: float
    rate_to: float
    sockets_from: float
    sockets_to: float
    judged: bool = False
    storm: bool = False

    @property
    def seconds(self) -> float:
        """Its length; 0 is a step."""
        return self.ends - self.begins

    @property
    def arrivals(self) -> float:
        """How many come in it."""
        return (self.rate_from + self.rate_to) / 2 * self.seconds


@dataclass(frozen=True)
class Part:
    """One process' part of a load that several send: every `of`-th arrival and socket, from `index` on."""

    index: int = 0
    of: int = 1


WHOLE = Part()


@dataclass(frozen=True)
class Schedule:
    """Legs that follow each other without a gap, from second 0 on."""

    legs: tuple[Leg, ...]

    @property
    def seconds(self) -> float:
        """When the last leg ends."""
        return self.legs[-1].ends if self.legs else 0.0

    @property
    def peak_rate(self) -> float:
        """Most arrivals a second."""
        return max((max(leg.rate_from, leg.rate_to) for leg in self.legs if leg.seconds), default=0.0)

    @property
    def peak_sockets(self) -> int:
        """Most sockets open at the same time."""
        return round(
            max((max(leg.sockets_from, leg.sockets_to) for leg in self.legs if leg.seconds), default=0)
        )

    @property
    def storms(self) -> tuple[float, ...]:
        """When every socket is cut."""
        return tuple(leg.begins for leg in self.legs if leg.storm)

    def arrivals(self, scale: float = 1.0, part: Part = WHOLE) -> Iterator[float]:
        """Seconds at which visits are to begin, in order: evenly spaced where the rate is constant.

        `scale` is the share of all arrivals that is wanted. The parts of a load together send exactly what
        one process alone would.
        """
        came = 0.0
        numbers = count(part.index, part.of)
        number = next(numbers)
        for leg in self.legs:
            while (into := number - came) < leg.arrivals * scale - _NEAR:
                yield leg.begins + _time_of(into, leg.rate_from * scale, leg.rate_to * scale, leg.seconds)
                number = next(numbers)
            came += leg.arrivals * scale

    def constant(self, rate: float, part: Part = WHOLE) -> Iterator[float]:
        """Seconds of `rate` arrivals a second for as long as the schedule lasts, whatever its own rate is."""
        return Schedule((Leg(0.0, self.seconds, rate, rate, 0, 0),)).arrivals(part=part)

    def socket_opens(self, rank: float, after: float = 0.0) -> float | None:
        """First second from `after` on at which more than `rank` sockets are to be open; None: never."""
        for leg in self.legs:
            begin = max(leg.begins, after)
            if begin >= leg.ends:
                continue
            low, high = _between(leg.sockets_from, leg.sockets_to, leg, begin), leg.sockets_to
            if low > rank + _NEAR:
                return begin
            if high > rank + _NEAR:
                return begin + (leg.ends - begin) * max(rank - low, 0) / (high - low)
        return None

    def socket_closes(self, rank: float, after: float = 0.0) -> float:
        """First second from `after` on at which no more than `rank` sockets are open: the end at last."""
        for leg in self.legs:
            begin = max(leg.begins, after)
            if begin >= leg.ends:
                continue
            high, low = _between(leg.sockets_from, leg.sockets_to, leg, begin), leg.sockets_to
            if high <= rank + _NEAR:
                if abs(high - rank) <= _NEAR and low > rank + _NEAR:
                    continue  # just opening
                return begin
            if low <= rank + _NEAR:
                return begin + (leg.ends - begin) * (high - rank) / (high - low)
        return max(self.seconds, after)

    def next_storm(self, after: float) -> float:
        """When every socket is cut next; infinite if never again."""
        return min((at for at in self.storms if at > after), default=math.inf)


def _between(start: float, end: float, leg: Leg, at: float) -> float:
    return start + (end - start) * (at - leg.begins) / leg.seconds if leg.seconds else end


def _time_of(arrivals: float, rate_from: float, rate_to: float, seconds: float) -> float:
    """Seconds into a leg at which so many have come: the root of `from t + (to - from) t^2 / 2 seconds`."""
    if rate_from == rate_to:
        return arrivals / rate_from
    slope = (rate_to - rate_from) / seconds
    root = math.sqrt(max(rate_from * rate_from + 2 * slope * arrivals, 0.0))
    # This form of the root has no difference of two near numbers, also where the rate hardly changes.
    return 0.0 if arrivals <= 0 else min(2 * arrivals / (rate_from + root), seconds)


@dataclass(frozen=True)
class Stage:
    """A stretch of a profile; load and sockets go in a straight line from where the last stage ended."""

    seconds: float
    """Length in the unstretched profile; 0: a step."""
    load: float
    """Arrivals at its end, as a multiple of the profile's size."""
    sockets: float
    """Open sockets at its end, likewise."""
    judged: bool = False
    """Do thresholds count what comes in it?"""
    storm: bool = False
    """Every socket is cut as it begins, and all come back at once, as after a release."""


@dataclass(frozen=True)
class Shape:
    """What a profile is for, and its stages in order."""

    purpose: str
    stages: tuple[Stage, ...]
    most_arrivals: float = float("inf")
    """Beyond this the shape is not made larger by `[load]`."""
    most_sockets: int = 1_000_000
    enough: int | None = None
    """So many samples are enough in this profile, although `load.min_samples` asks for more."""


SHAPES: Mapping[ProfileName, Shape] = {
    "smoke": Shape(
        "a few users for a few seconds: does every scenario work at all?",
        (Stage(0, 1, 1), Stage(15, 1, 1, judged=True)),
        most_arrivals=3,
        most_sockets=5,
        enough=1,
    ),
    "expected": Shape(
        "what the app must carry on a busy day",
        (Stage(15, 1, 1), Stage(60, 1, 1, judged=True)),
    ),
    "stress": Shape(
        "more and more, to four times of what is expected: where does it bend?",
        tuple(
            stage
            for times in (1, 2, 3, 4)
            for stage in (Stage(10, times, times), Stage(20, times, times, judged=True))
        ),
    ),
    "soak": Shape(
        "what is expected, for an hour: what leaks, fills up or runs out?",
        (Stage(60, 1, 1), Stage(3600, 1, 1, judged=True)),
    ),
    "spike": Shape(
        "half, then three times as much within two seconds, and back: does it recover?",
        (
            Stage(10, 0.5, 0.5),
            Stage(20, 0.5, 0.5, judged=True),
            Stage(2, 3, 3),
            Stage(20, 3, 3, judged=True),
            Stage(2, 0.5, 0.5),
            Stage(20, 0.5, 0.5, judged=True),
        ),
    ),
    "storm": Shape(
        "every socket is lost at once and comes back, as after a release",
        (
            Stage(15, 1, 1),
            Stage(15, 1, 1, judged=True),
            Stage(30, 1, 1, judged=True, storm=True),
        ),
    ),
}


@dataclass(frozen=True)
class Profile:
    """A profile in this app's size."""

    name: str
    schedule: Schedule
    """Arrivals a second and open sockets by seconds since the start of the run."""
    windows: tuple[tuple[float, float], ...]
    """From and to, in seconds since the start: what comes in between is judged."""
    min_samples: int
    """Samples without which there is no verdict on a kind and name that has no threshold of its own."""

    @property
    def seconds(self) -> float:
        """How long arrivals come and sockets stay open."""
        return self.schedule.seconds

    def kinds(self, app: App) -> frozenset[str]:
        """Kinds of requests that there must be samples of; sockets echo if the app says what comes back."""
        sockets = bool(self.schedule.peak_sockets)
        echoes = sockets and app.websocket is not None and bool(app.websocket.echo)
        return frozenset([HTTP] * bool(self.schedule.peak_rate) + [CONNECT] * sockets + [ECHO] * echoes)

    def judges(self, at: float) -> bool:
        """Does what comes `at` seconds after the start count?"""
        return any(begin <= at < end for begin, end in self.windows)


def profile_of(name: str, app: App) -> Profile:
    """The profile called `name`, as large as `[load]` says. BadInput if there is none."""
    if name not in SHAPES:
        raise BadInput(f"there is no load profile {name!r}", remedy=f"choose one of {', '.join(SHAPES)}")
    known = cast("ProfileName", name)
    load, shape = app.load, SHAPES[known]
    size = load.profiles.get(known, LoadSize())
    arrivals = _size(size.arrivals, load.arrivals, shape.most_arrivals)
    sockets = _size(size.sockets, load.sockets, shape.most_sockets) if app.websocket else 0
    if arrivals == 0 and sockets == 0:
        raise BadInput(
            f"load profile {name}: the profile defines no load",
            remedy="set load.arrivals or load.sockets in slipway.toml",
        )
    stretch = size.seconds / sum(stage.seconds for stage in shape.stages) if size.seconds else 1.0
    schedule = Schedule(_legs(shape.stages, arrivals, int(sockets), stretch))
    enough = load.min_samples if shape.enough is None else min(shape.enough, load.min_samples)
    return Profile(name, schedule, _windows(schedule.legs, load.settle_seconds), enough)


def steady(arrivals: float, sockets: int, seconds: float) -> Profile:
    """A profile without a ramp: the meter's."""
    leg = Leg(0.0, seconds, arrivals, arrivals, sockets, sockets, judged=True)
    return Profile("steady", Schedule((leg,)), ((0.0, seconds),), min_samples=1)


def _size(own: float | None, general: float, most: float) -> float:
    return own if own is not None else min(general, most)


def _legs(stages: tuple[Stage, ...], arrivals: float, sockets: int, stretch: float) -> tuple[Leg, ...]:
    legs: list[Leg] = []
    at, load, open_ = 0.0, 0.0, 0.0
    for stage in stages:
        end = at + stage.seconds * stretch
        to_load, to_open = stage.load * arrivals, stage.sockets * sockets
        legs.append(Leg(at, end, load, to_load, open_, to_open, judged=stage.judged, storm=stage.storm))
        at, load, open_ = end, to_load, to_open
    return tuple(legs)


def _windows(legs: tuple[Leg, ...], settle: float) -> tuple[tuple[float, float], ...]:
    """Neighbouring judged legs as one, without the first `settle` seconds (at most half of them)."""
    windows: list[tuple[float, float]] = []
    for leg in legs:
        if not leg.judged:
            continue
        if windows and windows[-1][1] == leg.begins:
            windows[-1] = (windows[-1][0], leg.ends)
        else:
            windows.append((leg.begins, leg.ends))
    return tuple((begin + min(settle, (end - begin) / 2), end) for begin, end in windows)
